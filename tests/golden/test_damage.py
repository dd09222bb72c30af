#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input: every command answers with one clear line and status 8 (verify: with a list of faults), never a crash."""
import gzip
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import make_vectors  # noqa: E402
import packing  # noqa: E402
from archives import PROGRAM, assert_one_line, main, make_vma, run  # noqa: E402

HEADER_SIZE = 12800


def small_archive(folder):
    """Header, an extent of a drive with 3 blocks, one of the RAM with 16, end mark."""
    image = bytearray(2 * 65536)
    image[0], image[5 * 4096], image[131071] = 1, 2, 3
    (folder / "a").write_bytes(image)
    (folder / "ram").write_bytes(b"state")
    make_vma(folder / "x.vma", f"a={folder}/a", "--vmstate", folder / "ram")
    return (folder / "x.vma").read_bytes()


def judge(folder, data, *, header=False, text=None, all_commands=True):
    """verify and extract must find the damage; so must list and config, if it is in the header."""
    archive, out = folder / "bad.vma", folder / "out"
    archive.write_bytes(data)
    report, line = run("verify", archive, status=8)
    assert text is None or text in report + line, (text, report, line)
    run("extract", "-C", out, archive, status=8)
    assert not out.exists() or not list(out.iterdir())
    for command in ("list", "config") if all_commands else ():
        run(command, archive, status=8 if header else 0)


def test_no_archive(folder):
    for data in (b"", b"\0", b"VMA", b"hello\n" * 5000, random.Random(1).randbytes(100000), bytes(50000)):
        judge(folder, data, header=True)
    for command in ("list", "verify", "config", "extract"):
        assert b"No such file" in run(command, folder / "missing", status=1)[1]
        assert b"directory" in run(command, folder, status=1)[1]
        assert b"empty" in run(command, "-", stdin=b"", status=8)[1]


def test_something_else(folder):
    """What is known to be no archive is named, by whichever command; nothing is made."""
    for data, told in ((b"QEVM\0\0\0\x03" + bytes(9000), b"RAM stream of QEMU (vmstate.bin), not an archive; start QEMU as"),
                       (b"QFI\xfb\0\0\0\x03" + bytes(9000), b"a qcow2 image, not an archive; qemu-img info"),
                       (bytes(510) + b"\x55\xaa" + bytes(9000), b"a disk image (raw)"), (b"PK\3\4", b"a zip file")):
        (folder / "other").write_bytes(data)
        for command in (["list"], ["verify"], ["config"], ["extract", "-C", folder / "out"], ["serve", "-s", folder / "sock"]):
            assert told in run(*command, folder / "other", status=1)[1], (command, told)
        assert told in run("list", "-", stdin=data, status=1)[1]
        assert not (folder / "out").exists()


def test_truncated(folder):
    data = small_archive(folder)
    for size in range(0, len(data), 512):
        judge(folder, data[:size], header=size < HEADER_SIZE, all_commands=size % 4096 == 0)
    for size in (1, 60, HEADER_SIZE - 1, HEADER_SIZE + 1, len(data) - 513, len(data) - 1):
        judge(folder, data[:size], header=size < HEADER_SIZE)


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


def test_flipped(folder):
    data = small_archive(folder)
    payload, end = HEADER_SIZE + 512, len(data) - 512
    for at in (0, 5, 10, 30, 40, 50, 54, 58, 61, 100, 3000, 4100, 4130, 8000, 12289, 12291, HEADER_SIZE - 1):
        judge(folder, flipped(data, at), header=True)
    for at in (HEADER_SIZE + i for i in (0, 4, 7, 10, 30, 41, 42, 43, 47, 200, 511)):
        judge(folder, flipped(data, at), text=b"offset 12800")
    for at in (payload, payload + 4096, payload + 3 * 4096 - 1):
        judge(folder, flipped(data, at), text=b"device a: the data of this extent does not match its digest")
    judge(folder, flipped(data, end - 1), text=b"device vmstate: the data of this extent does not match its digest")
    for at in (end, end + 9, end + 25, end + 42, end + 74, end + 511):
        judge(folder, flipped(data, at))


def test_packed(folder):
    """Damage and truncation of the packed form."""
    data = small_archive(folder)
    packed = subprocess.run(["zstd", "-cq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    for size in range(4, len(packed), 37):
        (folder / "cut.zst").write_bytes(packed[:size])
        run("verify", folder / "cut.zst", status=8)
    for at in range(4, len(packed), 41):
        (folder / "flipped.zst").write_bytes(flipped(packed, at))
        is_same = subprocess.run(["zstd", "-dcq", folder / "flipped.zst"], capture_output=True).stdout == data
        run("verify", folder / "flipped.zst", status=0 if is_same else 8)  # some bits mean nothing to zstd
    (folder / "tail.zst").write_bytes(packed + b"garbage behind it")
    run("verify", folder / "tail.zst", status=8)
    (folder / "cut.gz").write_bytes(gzip.compress(data)[:-9])
    run("verify", folder / "cut.gz", status=8)
    (folder / "xz").write_bytes(b"\xfd7zXZ\0" + bytes(100))
    assert b"pipe it" in run("verify", folder / "xz", status=1)[1]


def test_lzo(folder):
    """Damage is found wherever lzop itself finds it or would give other data, and so is each cut."""
    data = small_archive(folder)
    packed = subprocess.run(["lzop", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    for at in range(0, min(len(packed), 1000), 17):
        (folder / "bad.lzo").write_bytes(flipped(packed, at))
        theirs = subprocess.run(["lzop", "-dc"], input=flipped(packed, at), capture_output=True)
        is_same = theirs.returncode == 0 and theirs.stdout == data  # there are bits that mean nothing
        run("verify", folder / "bad.lzo", status=0 if is_same else 8)
    for size in range(10, len(packed), 61):
        (folder / "bad.lzo").write_bytes(packed[:size])
        run("verify", folder / "bad.lzo", status=8)


def test_frames(folder):
    """Ours: the frame that is damaged is named, all others are read; so is the seek table."""
    data = small_archive(folder)
    packed, places = packing.pack(data)
    for number, (start, length) in enumerate(places[:-1]):
        (folder / "bad.zst").write_bytes(flipped(packed, start + length - 6))
        report, line = run("verify", folder / "bad.zst", status=8)
        assert b"zstd frame %d, from byte %d" % (number + 1, start) in report + line, (report, line)
        assert number == 0 or report.count(b": whole") == (2 if number == len(places) - 2 else 1), report
    start, length = places[-1]
    for at in range(start, start + length):
        (folder / "bad.zst").write_bytes(flipped(packed, at))
        report, line = run("verify", folder / "bad.zst", status=8)
        assert at < start + 4 or b"seek table" in report, (at - start, report)
        assert run("verify", "-", stdin=flipped(packed, at), status=8)
    for size in range(0, len(packed), 101):
        (folder / "bad.zst").write_bytes(packed[:size])
        if size not in (place[0] for place in places):
            run("verify", folder / "bad.zst", status=8)


def test_hostile(folder):
    """Good checksums, bad content: what stock tools die of, and more."""
    head = make_vectors.header({1: ("a", 3 * 65536 + 512), 2: ("vmstate", 65536)}, [], extension=False)
    whole = [(0, 1, n) for n in range(4)]
    block = b"x" * 4096

    def judge_extents(text, *extents):
        judge(folder, head + b"".join(extents), text=text)

    def extent(entries, blocks=0, uuid=None):
        made = make_vectors.extent_header(entries, b"", blocks)
        if uuid:
            made = make_vectors.fill_md5(made[:8] + uuid + bytes(16) + made[40:], 24)
        return made

    judge_extents(b"beyond its end", extent(whole + [(0, 1, 0xfffffff0)]))
    judge_extents(b"beyond its end", extent(whole + [(1, 1, 4)], 1), block)
    judge_extents(b"device number 200", extent(whole + [(0, 200, 0)]))
    judge_extents(b"comes twice", extent(whole + [(0, 1, 2)]))
    judge_extents(b"2 of its 4 clusters are missing, the first is cluster 1", extent([(0, 1, 0), (0, 1, 3)]))
    judge_extents(b"contradicts itself", extent(whole, 1), block)
    judge_extents(b"contradicts itself", extent(whole[1:] + [(3, 1, 0)], 1), block)
    judge_extents(b"cut short", extent(whole[1:] + [(3, 1, 0)], 2), block)
    judge_extents(b"stores blocks beyond", extent(whole[:3] + [(3, 1, 3)], 2), bytes(8192))
    judge_extents(b"not zero behind", extent(whole[:3] + [(1, 1, 3)], 1), block)
    judge_extents(b"cluster 1 comes where 0 is due", extent(whole + [(0, 2, 1)]))
    judge_extents(b"another archive", extent(whole, uuid=bytes(16)))
    judge_extents(b"no extent header", bytes(512) + b"x" * 512)
    judge_extents(b"clusters are missing", bytes(512))
    judge_extents(b"clusters are missing")


def test_every_fault_is_told(folder):
    """Three kinds of damage in one archive: all of them in verify's report; extract names the first."""
    data = small_archive(folder)
    data = flipped(flipped(data, HEADER_SIZE + 513), len(data) - 512 - 4096)
    (folder / "bad.vma").write_bytes(data[:-512])
    report, line = run("verify", folder / "bad.vma", status=8)
    assert report.count(b"does not match its digest") == 2 and b"end mark is missing" in report, report
    assert b"3 faults" in line


def test_salvage(folder):
    data = small_archive(folder)
    (folder / "bad.vma").write_bytes(flipped(data, HEADER_SIZE + 9))
    done = subprocess.run([PROGRAM, "extract", "--salvage", "-C", folder / "out", folder / "bad.vma"],
                          capture_output=True, timeout=60)
    assert done.returncode == 8 and done.stderr.count(b"\n") >= 2, done
    assert_one_line(done.stderr.splitlines(True)[-1], "salvage")
    assert (folder / "out/a.raw").read_bytes() == bytes(2 * 65536)
    assert (folder / "out/vmstate.bin").read_bytes() == b"state"


if __name__ == "__main__":
    main([test_no_archive, test_something_else, test_truncated, test_flipped, test_packed, test_lzo, test_frames, test_hostile, test_every_fault_is_told,
          test_salvage], "vmb-damage-")
