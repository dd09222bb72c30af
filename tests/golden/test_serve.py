#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives served straight from an archive: equal and sparse for every client, small in memory, ended cleanly."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import make_vectors  # noqa: E402
import packing  # noqa: E402
from archives import PROGRAM, SKIP, main, make_vma, run  # noqa: E402

SIZE = 9 * (1 << 20) + 1536
MAX_KIB = 150 << 10


def make_archive(folder):
    rng = random.Random(4)
    image = bytearray(SIZE)
    for at in range(0, 3 << 20, 8192):
        image[at:at + 4096] = rng.randbytes(4096)
    image[5 << 20:7 << 20] = rng.randbytes(2 << 20)
    image[-700:] = rng.randbytes(700)
    (folder / "a").write_bytes(image)
    (folder / "zeros").write_bytes(bytes(1 << 20))
    (folder / "ram").write_bytes(rng.randbytes(200001))
    make_vma(folder / "x.vma", f"a={folder}/a", f"zeros={folder}/zeros", "--vmstate", folder / "ram", "--shuffle", 5)
    return folder / "x.vma", bytes(image)


@contextlib.contextmanager
def serving(folder, *arguments, is_damaged=False):
    """{name: URI}; at the end it must go away with status 0 and its socket. What it says meanwhile is in folder/said."""
    path = folder / "sock"
    server = subprocess.Popen([PROGRAM, "serve", "--json", "-s", path, *arguments], stdout=subprocess.PIPE,
                              stderr=open(folder / "said", "wb"))
    try:
        said = server.stdout.readline()
        assert said, f"{arguments}: it ended with {server.wait()}"
        assert path.stat().st_mode & 0o777 == 0o600
        yield {export["name"]: export["uri"] for export in json.loads(said)}
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        assert int(status.split("VmHWM:")[1].split()[0]) < MAX_KIB, status
        server.terminate()
        assert server.wait(20) == 0 and not path.exists()
        said = (folder / "said").read_text()
        assert is_damaged == bool(said), said
    finally:
        server.kill()
        server.wait()


def client(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_clients(folder):
    archive, image = make_archive(folder)
    packed = folder / "x.vma.zst"
    packed.write_bytes(packing.pack(archive.read_bytes(), dead=(2,))[0])
    for source in (archive, packed):
        with serving(folder, source) as uris:
            assert set(uris) == {"a", "zeros"}
            client("nbdcopy", uris["a"], str(folder / "a.out"))
            assert (folder / "a.out").read_bytes() == image
            client("nbdcopy", "--synchronous", uris["a"], str(folder / "a.sync"))
            assert (folder / "a.sync").read_bytes() == image
            client("qemu-img", "convert", "-O", "raw", uris["a"], str(folder / "a.qemu"))
            assert (folder / "a.qemu").read_bytes()[:SIZE] == image
            assert (folder / "a.qemu").stat().st_blocks * 512 < 5 << 20, "it is not sparse"
            kinds = json.loads(client("nbdinfo", "--map", "--json", uris["a"]))
            assert sum(k["length"] for k in kinds) == SIZE and len(kinds) > 500
            assert all(not any(image[k["offset"]:k["offset"] + k["length"]]) == (k["type"] == 3) for k in kinds)
            assert json.loads(client("nbdinfo", "--map", "--json", uris["zeros"])) == \
                [{"offset": 0, "length": 1 << 20, "type": 3, "description": "hole,zero"}]
            assert json.loads(client("qemu-img", "map", "--output=json", "-f", "raw", uris["zeros"]))[0]["zero"]


def test_selected(folder):
    archive, _ = make_archive(folder)
    with serving(folder, "--drive", "zeros", archive) as uris:
        assert set(uris) == {"zeros"}
    for name, text in (("vmstate", b"cannot serve"), ("b", b"holds no drive")):
        assert text in run("serve", "-s", folder / "sock", "--drive", name, archive, status=1)[1]


def test_ended_in_the_middle(folder):
    """With a client that has asked and does not read."""
    archive, _ = make_archive(folder)
    with serving(folder, archive), socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(folder / "sock"))
        asking.sendall(struct.pack(">I8sII1s", 3, b"IHAVEOPT", 1, 1, b"a"))
        assert len(asking.recv(18, socket.MSG_WAITALL)) == 18 and len(asking.recv(10, socket.MSG_WAITALL)) == 10
        for number in range(64):
            asking.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, number, 0, 1 << 20))


def test_refused(folder):
    archive, _ = make_archive(folder)
    data = archive.read_bytes()
    subprocess.run(["zstd", "-q", archive, "-o", folder / "whole.zst"], check=True)
    subprocess.run(["gzip", "-k", archive], check=True)
    subprocess.run(["lzop", "-q", archive], check=True)
    for name, text in (("whole.zst", b"no seek table"), ("x.vma.gz", b"gzip has no index"),
                       ("x.vma.lzo", b"lzop has no index")):
        assert text in run("serve", "-s", folder / "sock", folder / name, status=1)[1]
    assert b"only once" in run("serve", "-", stdin=data, status=1)[1]
    for bad, text in ((data[:-512], b"end mark is missing"), (data[:-1000], b"cut short"),
                      (data[:13000] + b"x" + data[13001:], b"checksum"), (b"hello" * 1000, b"not a VMA")):
        (folder / "bad.vma").write_bytes(bad)
        assert text in run("serve", "-s", folder / "sock", folder / "bad.vma", status=8)[1]


def test_damaged_frame(folder):
    """Its reads fail, all others go on."""
    archive, image = make_archive(folder)
    packed, places = packing.pack(archive.read_bytes())
    start, length = max(places, key=lambda place: place[1])
    (folder / "bad.zst").write_bytes(packed[:start + length - 9] + b"\xff\xff\xff" + packed[start + length - 6:])
    with serving(folder, folder / "bad.zst", is_damaged=True) as uris:
        done = subprocess.run(["nbdcopy", uris["a"], "null:"], capture_output=True)
        assert done.returncode != 0
        client("nbdcopy", uris["zeros"], "null:")
    assert "is damaged" in (folder / "said").read_text()


def sparse_archive(path, gib):
    """A drive of so many GiB of which next to nothing is stored, in a file that is made quickly."""
    clusters = gib << 14
    with open(path, "wb") as out:
        out.write(make_vectors.header({1: ("a", gib << 30)}, [], extension=False))
        for first in range(0, clusters, 59):
            out.write(make_vectors.extent_header([(0, 1, n) for n in range(first, min(first + 59, clusters))], b"", 0))


def test_large_and_sparse(folder):
    """The first byte of 100 GiB comes within a second (of a machine that does nothing else)."""
    sparse_archive(folder / "large.vma", 100)
    start = time.monotonic()
    with serving(folder, folder / "large.vma") as uris:
        assert "read 512/512" in client("qemu-io", "-r", "-f", "raw", "-c", "read -P 0 77G 512", uris["a"])
        elapsed = time.monotonic() - start
        assert elapsed < 1 + os.getloadavg()[0], f"{elapsed:.2f} s"


if __name__ == "__main__":
    if not all(shutil.which(program) for program in ("nbdcopy", "nbdinfo", "qemu-io", "qemu-img")):
        print("skipped: nbdcopy, nbdinfo, qemu-io and qemu-img are needed")
        sys.exit(SKIP)
    main([test_clients, test_selected, test_ended_in_the_middle, test_refused, test_damaged_frame, test_large_and_sparse],
         "vmb-serve-")
