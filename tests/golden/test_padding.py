#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Zeros behind an archive - a tape's, a device's, `dd conv=sync` - are no damage, however it is packed; all else is."""
import gzip
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import make_vectors  # noqa: E402
import packing  # noqa: E402
from archives import PROGRAM, main, make_vma, run  # noqa: E402

PADDINGS = (1, 512, 10257, 3 << 20)


def make_archive(folder):
    image = random.Random(7).randbytes(300032) + bytes(5 << 20) + b"end!" * 3072
    (folder / "a").write_bytes(image)
    make_vma(folder / "x.vma", f"a={folder}/a")
    return (folder / "x.vma").read_bytes(), image


def as_others_make_it(data):
    """Without our header extension, so without an end mark."""
    size = int.from_bytes(data[56:60], "big")
    header = data[:32] + bytes(16) + data[48:60] + bytes(28) + data[88:size]
    return make_vectors.fill_md5(header, 32) + data[size:-512]


def pipe(data, *command):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def forms(data):
    """(name, bytes, may be served)"""
    yield "plain", data, True
    yield "others", as_others_make_it(data), True
    yield "frames", packing.pack(data)[0], True
    yield "zstd", pipe(data, "zstd", "-cq"), False
    yield "gzip", gzip.compress(data), False
    yield "lzop", pipe(data, "lzop", "-c"), False
    yield "padded-then-frames", packing.pack(data + bytes(5120), pieces=packing.parts(data) + [bytes(5120)])[0], True


def served(folder, archive):
    server = subprocess.Popen([PROGRAM, "serve", "-s", folder / "sock", archive], stdout=subprocess.PIPE, text=True)
    uri = server.stdout.readline().strip()
    assert uri, f"{archive}: it is not served: {server.wait()}"
    subprocess.run(["nbdcopy", uri, folder / "served"], check=True, timeout=60)
    server.terminate()
    assert server.wait(20) == 0
    return (folder / "served").read_bytes()


def must_be_good(folder, archive, image, may_serve):
    assert b"good" in run("verify", archive)[0]
    assert b"good" in run("verify", "-", stdin=archive.read_bytes())[0]
    assert b"\na " in run("list", archive)[0]
    out = folder / f"out-{archive.name}"
    run("extract", "-C", out, archive)
    assert (out / "a.raw").read_bytes() == image
    assert not may_serve or served(folder, archive) == image


def test_zeros(folder):
    data, image = make_archive(folder)
    for name, packed, may_serve in forms(data):
        for size in PADDINGS:
            archive = folder / f"{name}-{size}"
            archive.write_bytes(packed + bytes(size))
            must_be_good(folder, archive, image, may_serve)


def test_hole(folder):
    """A hole as large as a disk costs no time."""
    data, image = make_archive(folder)
    for name, packed in (("plain", data), ("frames", packing.pack(data)[0])):
        archive = folder / name
        archive.write_bytes(packed)
        os.truncate(archive, 1 << 40)
        assert served(folder, archive) == image


def test_anything_else(folder):
    """One byte behind the end that is no zero; and zeros where the end mark was."""
    data, _ = make_archive(folder)
    for name, packed, may_serve in forms(data):
        for before, after in ((0, 0), (0, 600), (600, 0), (5000, 5000)):
            archive = folder / f"{name}-{before}-{after}"
            archive.write_bytes(packed + bytes(before) + b"x" + bytes(after))
            run("verify", archive, status=8)
            run("extract", "-C", folder / "out", archive, status=8)
            if may_serve and name in ("plain", "others"):
                run("serve", "-s", folder / "sock", archive, status=8)
    for cut in (data[:-512] + bytes(512), data[:-512] + bytes(10240)):
        (folder / "cut").write_bytes(cut)
        assert b"offset" in run("verify", folder / "cut", status=8)[0]
        run("serve", "-s", folder / "sock", folder / "cut", status=8)


def test_others_cut_short(folder):
    """Zeros do not stand for the clusters that are missing."""
    data, _ = make_archive(folder)
    others = as_others_make_it(data)
    extents = packing.parts(others)
    (folder / "cut").write_bytes(b"".join(extents[:-1]) + bytes(len(extents[-1])))
    assert b"clusters are missing" in run("verify", folder / "cut", status=8)[0]
    (folder / "hole").write_bytes(extents[0] + bytes(len(extents[1])) + b"".join(extents[2:]))
    assert b"no extent header" in run("verify", folder / "hole", status=8)[0]


if __name__ == "__main__":
    main([test_zeros, test_hole, test_anything_else, test_others_cut_short], "vmt-")
