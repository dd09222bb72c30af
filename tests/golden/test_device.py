#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An archive on a block device ends by its own end mark, whatever stands behind it. Needs root and a loop device."""
import contextlib
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import packing  # noqa: E402
from archives import PROGRAM, SKIP, main, make_vma, run  # noqa: E402

JUNK = 3 << 20


@contextlib.contextmanager
def device(folder, archive):
    disk = folder / "disk"
    disk.write_bytes(archive + os.urandom(JUNK) + bytes(-len(archive) % 512))
    try:
        made = subprocess.run(["losetup", "-f", "--show", disk], capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(SKIP)
    if made.returncode:
        sys.exit(SKIP)
    try:
        yield made.stdout.strip()
    finally:
        subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


def make_archive(folder):
    (folder / "a").write_bytes(os.urandom(5 << 20) + bytes(1 << 20))
    make_vma(folder / "x.vma", f"a={folder}/a")
    return (folder / "x.vma").read_bytes(), (folder / "a").read_bytes()


def assert_usable(folder, disk, image):
    """Verified, extracted and served: the image."""
    assert b"good" in run("verify", disk)[0]
    run("extract", "-C", folder / "out", disk)
    assert (folder / "out" / "a.raw").read_bytes() == image
    server = subprocess.Popen([PROGRAM, "serve", "-s", folder / "sock", disk], stdout=subprocess.PIPE, text=True)
    uri = server.stdout.readline().strip()
    subprocess.run(["nbdcopy", uri, folder / "served"], check=True, timeout=60)
    server.terminate()
    assert server.wait(20) == 0
    assert (folder / "served").read_bytes() == image


def test_plain(folder):
    archive, image = make_archive(folder)
    with device(folder, archive) as disk:
        assert_usable(folder, disk, image)


def test_cut_short(folder):
    """What a run that died leaves behind is damaged, also where an older archive's end follows."""
    archive, _ = make_archive(folder)
    with device(folder, bytes(512) + archive[512:]) as disk:
        run("verify", disk, status=8)
    with device(folder, archive[:2 << 20]) as disk:
        run("verify", disk, status=8)


def test_packed(folder):
    archive, image = make_archive(folder)
    with device(folder, packing.pack(archive)[0]) as disk:
        assert b"good" in run("verify", disk)[0]
        run("extract", "-C", folder / "packed", disk)
        assert (folder / "packed" / "a.raw").read_bytes() == image
        run("serve", disk, status=1)


def test_packed_by_us(folder):
    """We say there how long it is: so its seek table is found, and stock zstd does not mind."""
    image = os.urandom(5 << 20) + bytes(1 << 20) + b"packed" * 100000
    image += bytes(-len(image) % 512)
    (folder / "a").write_bytes(image)
    with device(folder, os.urandom(9 << 20)) as disk:
        writer = subprocess.Popen([PROGRAM, "write", "--nbd", folder / "nbd", "--drive", f"name=a,size={len(image)}",
                                   "--level=3", "--force", "-o", disk], stdout=subprocess.PIPE, text=True)
        assert writer.stdout.readline() == "Ready\n"
        subprocess.run(["nbdcopy", folder / "a", f"nbd+unix:///a?socket={folder}/nbd"], check=True, timeout=60)
        assert writer.wait(60) == 0
        assert_usable(folder, disk, image)
        bytes_there = pathlib.Path(disk).read_bytes()
        assert bytes_there[:8] == bytes.fromhex("512a4d18 08000000"), bytes_there[:16]
        length = int.from_bytes(bytes_there[8:16], "little")
        (folder / "x.vma.zst").write_bytes(bytes_there[:length])
        subprocess.run(["zstd", "-tq", folder / "x.vma.zst"], check=True)
        assert b"good" in run("verify", folder / "x.vma.zst")[0]


main([test_plain, test_cut_short, test_packed, test_packed_by_us], "vmb-device-")
