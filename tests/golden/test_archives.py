#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The reading commands on archives of ours, and on what people do to them."""
import fcntl
import gzip
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import termios
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]
import make_vectors  # noqa: E402
import packing  # noqa: E402
import vma_strict  # noqa: E402
from archives import PROGRAM, main, make_vma, run  # noqa: E402

def make_inputs(folder):
    rng = random.Random(1)
    image = bytearray(5 * 65536 + 1536)
    for at in range(0, len(image), 4096):
        if rng.random() < 0.5:
            image[at:at + 512] = rng.randbytes(min(512, len(image) - at))
    (folder / "a").write_bytes(image)
    (folder / "zeros").write_bytes(bytes(1 << 20))
    (folder / "ram").write_bytes(rng.randbytes(200001))
    (folder / "conf").write_bytes(b"cores: 1\n")
    return bytes(image)


def make_archive(folder, *more):
    image = make_inputs(folder)
    make_vma(folder / "x.vma", f"a={folder}/a", f"zeros={folder}/zeros", "--vmstate", folder / "ram", "--config",
             f"guest.conf={folder}/conf", "--shuffle", 7, *more)
    return folder / "x.vma", image


def test_ours(folder):
    archive, image = make_archive(folder)
    strict = vma_strict.read(str(archive), str(folder / "strict"))
    assert strict["is_ours"] and strict["has_digests"] and strict["vmstate_bytes"] == 200001
    text = run("verify", archive)[0]
    assert b"every extent's data matches its digest" in text, text
    report = json.loads(run("verify", "--json", archive)[0])
    assert report["is_complete"] and not report["is_damaged"] and report["faults"] == []
    assert report["bytes_read"] == archive.stat().st_size
    run("extract", "-C", folder / "out", archive)
    for path, want in (("a.raw", image), ("zeros.raw", bytes(1 << 20)), ("vmstate.bin", (folder / "ram").read_bytes()),
                       ("guest.conf", b"cores: 1\n")):
        assert (folder / "out" / path).read_bytes() == want, path
        assert (folder / "out" / path).stat().st_mode & 0o777 == 0o600
    assert (folder / "out/zeros.raw").stat().st_blocks == 0
    assert (folder / "strict/a.raw").read_bytes() == image


def test_packed_and_piped(folder):
    archive, image = make_archive(folder)
    packed = folder / "misleading-name.vma"
    subprocess.run(["zstd", "-q", archive, "-o", packed], check=True)
    data = archive.read_bytes()
    frames = b"".join(subprocess.run(["zstd", "-cq"], input=data[at:at + 100000], stdout=subprocess.PIPE,
                                     check=True).stdout for at in range(0, len(data), 100000))
    (folder / "frames").write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0dead" + frames + b"\x5d\x2a\x4d\x18\0\0\0\0")
    (folder / "seekable").write_bytes(packing.pack(data, dead=(1, 2))[0])
    subprocess.run(["zstd", "-tq", folder / "seekable"], check=True)
    (folder / "x.gz").write_bytes(gzip.compress(data[:70000]) + gzip.compress(data[70000:]))
    lzo = b"".join(subprocess.run(["lzop", "-c", *options], input=piece, stdout=subprocess.PIPE, check=True).stdout
                   for options, piece in (([], data[:300000]), (["-9", "--crc32"], data[300000:400000]),
                                          (["-1", "-F"], data[400000:])))
    (folder / "x.lzo").write_bytes(lzo)
    packings = ["x.gz", "x.lzo", "frames", "seekable"]
    for source, stdin in [(packed, None), ("-", data), ("-", packed.read_bytes())] + \
            [(folder / name, None) for name in packings] + [("-", (folder / name).read_bytes()) for name in packings]:
        run("verify", source, stdin=stdin)
        run("extract", source, "-C", folder / "out", "--drive", "a", stdin=stdin)
        assert (folder / "out/a.raw").read_bytes() == image
        assert os.listdir(folder / "out") == ["a.raw"]
        (folder / "out/a.raw").unlink()


def test_qcow2(folder):
    archive, image = make_archive(folder)
    report = json.loads(run("extract", "--json", "--format", "qcow2", "-C", folder / "out", archive)[0])
    assert [device["is_whole"] for device in report["devices"]] == [True] * 3, report
    assert sorted(os.listdir(folder / "out")) == ["a.qcow2", "guest.conf", "vmstate.bin", "zeros.qcow2"]
    for name in ("a", "zeros"):
        subprocess.run(["qemu-img", "compare", "-q", folder / name, folder / f"out/{name}.qcow2"], check=True)
        subprocess.run(["qemu-img", "check", "-q", folder / f"out/{name}.qcow2"], check=True)
    assert b"--format vmdk" in run("extract", "--format", "vmdk", archive, status=2)[1]


def test_progress_on_terminals_only(folder):
    """One line, rewritten, gone at the end."""
    archive, _ = make_archive(folder)
    ours, theirs = os.openpty()
    subprocess.run([PROGRAM, "verify", archive], stderr=theirs, stdout=subprocess.DEVNULL, check=True)
    told = os.read(ours, 4096)
    assert told.startswith(b"\rverifying: ") and told.endswith(b"\r\x1b[K") and b"\n" not in told, told


def test_nothing_is_overwritten(folder):
    archive, _ = make_archive(folder)
    out = folder / "out"
    out.mkdir()
    for name in ("a.raw", "guest.conf", "vmstate.bin", "a.raw.partial"):
        (out / name).write_text("mine")
        assert name.encode() in run("extract", "-C", out, archive, status=6)[1]
        assert os.listdir(out) == [name] and (out / name).read_text() == "mine"
        (out / name).unlink()
    (out / "a.raw").symlink_to("nowhere")
    run("extract", "-C", out, archive, status=6)
    assert os.listdir(out) == ["a.raw"]


def test_names_that_clash(folder):
    """A configuration that would get a drive's file, or take its place while it is written: nothing is unpacked."""
    (folder / "a").write_bytes(bytes(65536))
    (folder / "ram").write_bytes(b"state")
    (folder / "conf").write_bytes(b"not a drive")
    for name, options in (("a.raw", []), ("a.raw.partial", []), ("vmstate.bin", []), ("vmstate.bin.partial", []),
                          ("a.qcow2", ["--format", "qcow2"])):
        make_vma(folder / "x.vma", f"a={folder}/a", "--vmstate", folder / "ram", "--config", f"{name}={folder}/conf")
        out = folder / "out"
        line = run("extract", *options, "-C", out, folder / "x.vma", status=8)[1]
        assert b"two of its parts want the file " + name.encode() in line and not out.exists(), line
        run("extract", *options, "--drive", "a", "--drive", "vmstate", "-C", folder / f"out-{name}", folder / "x.vma")
        assert run("config", folder / "x.vma", name)[0] == b"not a drive"
    make_vma(folder / "x.vma", f"a={folder}/a", "--config", f"b={folder}/conf", "--config", f"b.partial={folder}/conf")
    assert b"b.partial" in run("extract", "-C", folder / "out", folder / "x.vma", status=8)[1]
    make_vma(folder / "x.vma", f"a={folder}/a", "--config", f"a.qcow2={folder}/conf", "--config", f"a={folder}/conf")
    run("extract", "-C", folder / "out", folder / "x.vma")  # no clash with raw images
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a", "a.qcow2", "a.raw"]


def test_lost_drive(folder):
    archive, image = make_archive(folder, "--lost", "zeros")
    assert b"incomplete" in run("verify", archive, status=3)[1]
    assert b"zeros" in run("extract", "-C", folder / "out", archive, status=3)[1]
    assert (folder / "out/a.raw").read_bytes() == image
    assert not (folder / "out/zeros.raw").exists()
    run("extract", "-C", folder / "only", "--drive", "a", archive)


def test_never_finished(folder):
    archive, image = make_archive(folder, "--no-end")
    assert b"end mark is missing" in run("verify", archive, status=8)[0]
    assert b"end mark is missing" in run("extract", "-C", folder / "out", archive, status=8)[1]
    assert os.listdir(folder / "out") == []
    done = subprocess.run([PROGRAM, "extract", "--salvage", "-C", folder / "out", archive], capture_output=True)
    assert done.returncode == 8 and (folder / "out/a.raw").read_bytes() == image


def test_interrupted(folder):
    """Ended while it waits for more: dies of the signal, leaves nothing."""
    archive, _ = make_archive(folder)
    with subprocess.Popen([PROGRAM, "extract", "-C", folder / "out", "-"], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as extract:
        extract.stdin.write(archive.read_bytes()[:200000])
        extract.stdin.flush()
        wait_for(lambda: is_waiting(extract))
        extract.terminate()
        assert extract.wait(30) == -15
    assert not (folder / "out").exists() or os.listdir(folder / "out") == []


def is_waiting(process):
    """It has read all we gave, and sleeps."""
    left = struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)))[0]
    state = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return left == 0 and state == "S"


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_names(folder):
    """An archive made to climb out of its folder, or to write on the terminal."""
    for number, name in enumerate(("../evil", "/etc/evil", "..", "a\x1b[2Jb", "a\nb")):
        archive = folder / "evil.vma"
        archive.write_bytes(make_vectors.header({1: ("a", 512)}, [(name, b"x")], extension=False) +
                            make_vectors.extent_header([(0, 1, 0)], b"", 0))
        out = folder / f"out{number}"
        assert b"no safe file name" in run("extract", "-C", out, archive, status=8)[1]
        assert os.listdir(out) == []
        assert b"\x1b" not in run("list", archive)[0] + run("config", archive)[0] + run("list", "--json", archive)[0]
        run("extract", "-C", out, archive, "--drive", "a")
        assert os.listdir(out) == ["a.raw"]


def test_usage(folder):
    archive, _ = make_archive(folder)
    for arguments, text in ((["lst", archive], "did you mean `vmabackup list`"), (["frobnicate"], "unknown command"),
                            (["list"], "missing"), (["list", archive, archive], "too many"), ([], "no command"),
                            (["verify", "--frob", archive], "--frob"), ([b"\xff\n".decode("latin-1")], "unknown")):
        assert text in run(*arguments, status=2)[1].decode(), arguments
    for command in ("list", "verify", "config", "extract"):
        assert b"ARCHIVE" in run(command, "--help")[0]
        assert run(command, "--version")[0] == run("--version")[0]
        assert command.encode() in run("--help")[0]
    assert b"holds no drive b" in run("extract", "--drive", "b", archive, status=1)[1]
    assert b"holds no configuration" in run("config", archive, "nope", status=1)[1]
    os.chdir(folder)
    os.rename(archive, "-x.vma")
    run("list", "--", "-x.vma")


if __name__ == "__main__":
    main([test_ours, test_packed_and_piped, test_qcow2, test_progress_on_terminals_only, test_nothing_is_overwritten, test_names_that_clash, test_lost_drive, test_never_finished,
          test_interrupted, test_names, test_usage], "vmb-archives-")
