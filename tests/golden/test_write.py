#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`vmabackup write` and real clients: what they write is in the archive, exactly, or there is no archive."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]
from archives import BUILD, PROGRAM, SKIP, assert_one_line, main, run  # noqa: E402
import vma_strict  # noqa: E402

CLUSTER, MIB = 65536, 1 << 20
SIZES = {"a": 9 * MIB + 1536, "b": 3 * MIB}


class Writer:
    """`vmabackup write` in a folder, ready for clients."""

    def __init__(self, folder, *options, drives=None, target="x.vma", stdin=subprocess.DEVNULL):
        self.folder, self.target = folder, folder / "x.vma" if target[0] == "|" else folder / target
        self.drives = SIZES if drives is None else drives
        words = [word for name, size in self.drives.items() for word in ("--drive", f"name={name},size={size}")]
        self.process = subprocess.Popen(
            [PROGRAM, "write", "--nbd", folder / "nbd", *words, *options, "-o",
             target if target[0] == "|" else self.target], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.first = self.process.stdout.readline()

    def uri(self, name):
        return f"nbd+unix:///{name}?socket={self.folder}/nbd"

    def until(self, text):
        """Reads lines of its standard output until one that contains the text."""
        while text not in (line := self.process.stdout.readline().decode()):
            assert line, f"it ended without {text!r}: {self.process.stderr.read()}"
        return line

    def say(self, line):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def end(self, status=0, told=b""):
        """Its exit status must be this one; returns (stdout, stderr, of which `told` was read). A failure leaves nothing."""
        out, err = self.process.communicate(timeout=60)
        err = told + err
        assert self.process.returncode == status, f"exit {self.process.returncode}, not {status}: {out} {err}"
        left = {path.name for path in self.folder.iterdir()} & {"nbd", "ram", f"{self.target.name}.partial"}
        assert not left and self.target.exists() == (not status), f"it leaves {left}, {self.target.exists()}"
        if status:
            assert_one_line(err, self.process.args)
        else:
            assert not err, err
        return out, err


@contextlib.contextmanager
def writer(folder, *options, **more):
    w = Writer(folder, *options, **more)
    try:
        assert w.first == b"Ready\n", (w.first, w.process.stderr.read())
        yield w
    finally:
        w.process.kill()
        w.process.wait()


def image(folder, name, size, seed):
    """Data, zeros and a half-full cluster here and there."""
    rng = random.Random(seed)
    data = bytearray(size)
    for at in range(0, size, 5 * CLUSTER):
        data[at:at + 70000] = rng.randbytes(70000)
    path = folder / f"{name}.img"
    path.write_bytes(data[:size])
    return path


def qemu_io(uri, *commands):
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", "raw", uri, *words], capture_output=True, timeout=60)
    return done.stdout + done.stderr


class Client:
    """A qemu-io that stays."""

    def __init__(self, uri):
        self.process = subprocess.Popen(["qemu-io", "-f", "raw", uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, at, length, pattern):
        self.process.stdin.write(f"write -P {pattern} {at} {length}\n".encode())
        self.process.stdin.flush()
        while b"ops;" not in (line := self.process.stdout.readline()):
            assert line, "qemu-io has ended"

    def vanish(self):
        self.process.kill()
        self.process.wait()


def must_hold(folder, archive, images):
    found = vma_strict.read(str(archive), str(folder / "out"))
    assert found["is_ours"] and found["has_digests"] and found["devices"].keys() == images.keys(), found
    for name, path in images.items():
        assert pathlib.Path(found["devices"][name][1]).read_bytes() == path.read_bytes(), f"{name} is not what was written"
    run("verify", archive)
    return found


def test_two_drives(folder):
    """Each by another client, with RAM and a configuration, plain, packed and down a pipe."""
    images = {name: image(folder, name, size, name) for name, size in SIZES.items()}
    ram = random.Random(7).randbytes(200001)
    (folder / "conf").write_text("cores: 2\n")
    for target in ("x.vma", "x.vma.zst"):
        with writer(folder, "--incoming", folder / "ram", "--config", f"my.conf={folder}/conf", target=target) as w:
            subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", images["a"], w.uri("a")], check=True)
            assert w.until("ended") == "drive a has ended\n"
            stream = socket.socket(socket.AF_UNIX)
            stream.connect(str(folder / "ram"))
            stream.sendall(ram)
            stream.close()
            subprocess.run(["nbdcopy", images["b"], w.uri("b")], check=True)
            assert f"saved {w.target}, ".encode() in w.end()[0]
            found = must_hold(folder, w.target, images)
            assert pathlib.Path(found["vmstate"]).read_bytes() == ram and found["configs"]["my.conf"] == b"cores: 2\n"
            assert w.target.stat().st_mode & 0o777 == 0o600


def test_into_a_command(folder):
    images = {"b": image(folder, "b", SIZES["b"], 3)}
    with writer(folder, "--incoming", folder / "ram", drives={"b": SIZES["b"]}, target=f"|cat >{folder}/x.vma") as w:
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(str(folder / "ram"))
        stream.sendall(bytes(1000))
        stream.close()
        subprocess.run(["nbdcopy", images["b"], w.uri("b")], check=True)
        w.end()
        assert must_hold(folder, w.target, images)["vmstate_bytes"] == 1000


def test_json(folder):
    images = {"b": image(folder, "b", SIZES["b"], 3)}
    w = Writer(folder, "--json", drives={"b": SIZES["b"]})
    assert json.loads(w.first) == {"v": 1, "ev": "ready", "nbd": str(folder / "nbd"), "incoming": None}
    subprocess.run(["nbdcopy", images["b"], w.uri("b")], check=True)
    lines = [json.loads(line) for line in w.end()[0].splitlines()]
    assert [line["ev"] for line in lines] == ["drive_ended", "result"] and lines[0]["id"] == "b"
    assert lines[1] == {"v": 1, "ev": "result", "status": 0, "archive": str(w.target), "bytes": w.target.stat().st_size}


def test_incomplete(folder):
    """Who says goodbye too early, and nobody can commit: refused at once. A look alone is no end."""
    with writer(folder, drives={"b": SIZES["b"]}) as w:
        subprocess.run(["nbdinfo", w.uri("b")], check=True, stdout=subprocess.DEVNULL)
        qemu_io(w.uri("b"), "write -P 5 0 1M")
        assert b"32 of 48 clusters never came" in w.end(status=1)[1]


def test_absent_is_zero(folder):
    """Said beforehand, or for this drive, after its client has left: what was never written is zero, also in a cluster."""
    path = folder / "b.img"
    path.write_bytes(bytes(69632) + b"\5" * 4608 + bytes(SIZES["b"] - 74240))
    for number, option in enumerate(((), ("--absent-is-zero",))):
        with writer(folder, *option, drives={"b": SIZES["b"]}, target=f"{number}.vma", stdin=subprocess.PIPE) as w:
            qemu_io(w.uri("b"), "write -P 5 69632 4608")
            if not option:
                w.until("waiting 10 s")
                w.say(b"commit b")
            w.until("saved")
            w.end()
            must_hold(folder, w.target, {"b": path})


def test_commit_while_connected(folder):
    """As a job of QEMU's does that has ended, and whose target stays open."""
    with writer(folder, stdin=subprocess.PIPE) as w:
        a, b = Client(w.uri("a")), Client(w.uri("b"))
        a.write("64k", "64k", 1)
        b.write("1M", "4k", 2)
        for line in (b"commit c", b"nonsense", b"commit a", b"commit b"):
            w.say(line)
        w.until("saved")
        err = w.process.communicate(timeout=60)[1].decode().splitlines()
        assert w.process.returncode == 0 and len(err) == 2 and "no drive c" in err[0] and "unknown" in err[1], err
        (folder / "a.img").write_bytes(bytes(CLUSTER) + b"\1" * CLUSTER + bytes(SIZES["a"] - 2 * CLUSTER))
        (folder / "b.img").write_bytes(bytes(MIB) + b"\2" * 4096 + bytes(SIZES["b"] - MIB - 4096))
        must_hold(folder, w.target, {name: folder / f"{name}.img" for name in SIZES})
        a.vanish()
        b.vanish()


def test_cancel(folder):
    """Nothing is left; clients are answered meanwhile, and do not hang."""
    for status, cancel in ((4, lambda w: w.say(b"cancel")), (143, lambda w: w.process.send_signal(signal.SIGTERM)),
                           (130, lambda w: w.process.send_signal(signal.SIGINT))):
        with writer(folder, stdin=subprocess.PIPE) as w:
            client = Client(w.uri("a"))
            client.write(0, "1M", 1)
            cancel(w)
            told = w.process.stderr.readline()
            client.write("1M", "1M", 1)
            client.process.communicate(b"quit\n")
            assert b"cancelled by" in w.end(status, told)[1]


def test_client_killed(folder):
    """It may come back and say again what was perhaps not answered; but not for ever."""
    with writer(folder, drives={"b": SIZES["b"]}) as w:
        client = Client(w.uri("b"))
        client.write(0, "1M", 3)
        client.vanish()
        w.until("without goodbye")
        again = Client(w.uri("b"))
        again.write("512k", "2M", 3)
        again.write("2560k", "512k", 3)
        again.process.communicate(b"quit\n")
        w.end()
        (folder / "b.img").write_bytes(b"\3" * SIZES["b"])
        must_hold(folder, w.target, {"b": folder / "b.img"})
        w.target.unlink()
    with writer(folder, "--reconnect", "1", drives={"b": SIZES["b"]}) as w:
        client = Client(w.uri("b"))
        client.write(0, "1M", 3)
        client.vanish()
        assert b"never came" in w.end(status=1)[1]


def test_written_twice(folder):
    with writer(folder, drives={"b": SIZES["b"]}) as w:
        assert b"Input/output error" in qemu_io(w.uri("b"), "write -P 5 0 1M", "write -P 6 64k 4k")
        assert b"written twice at 65536" in w.end(status=1)[1]


def test_slow_removal(folder):
    """The unfinished file goes before the program does, however long that takes."""
    os.environ.update(LD_PRELOAD=str((BUILD / "tests/slow_unlink.so").resolve()),
                      ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    try:
        with writer(folder) as w:
            w.process.send_signal(signal.SIGTERM)
            w.end(status=128 + signal.SIGTERM)
    finally:
        del os.environ["LD_PRELOAD"]


def test_slow_target(folder):
    """Buffers and spool are full: clients wait, and everything arrives."""
    size = 96 * MIB
    path = folder / "big.img"
    path.write_bytes(random.Random(5).randbytes(size))
    target = f"|dd of={folder}/x.vma bs=64k status=none iflag=fullblock count=1 && read line <{folder}/go && cat >>{folder}/x.vma"
    subprocess.run(["mkfifo", folder / "go"], check=True)
    with writer(folder, "--spool", "8M", drives={"big": size}, target=target) as w:
        client = subprocess.Popen(["nbdcopy", path, w.uri("big")])
        w.until("buffers: none")
        (folder / "go").write_text("\n")
        assert client.wait(60) == 0
        w.end()
        must_hold(folder, w.target, {"big": path})


def test_full(folder):
    """A target without room: waited for, or given up; nothing hangs."""
    path = image(folder, "b", SIZES["b"], 1)
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "vmabackup-test", small], capture_output=True).returncode:
        print("   no file system of 512 KiB can be mounted here")
        return
    try:
        with writer(folder, "--on-full", "fail", drives={"b": SIZES["b"]}, target="small/x.vma") as w:
            subprocess.run(["nbdcopy", path, w.uri("b")], check=False, capture_output=True)
            assert b"is full" in w.end(status=6)[1]
        with writer(folder, "--on-full", "wait:5", drives={"b": SIZES["b"]}, target="small/x.vma") as w:
            client = subprocess.Popen(["nbdcopy", path, w.uri("b")])
            w.until("is full: waiting")
            subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
            assert client.wait(60) == 0
            w.end()
            must_hold(folder, w.target, {"b": path})
    finally:
        subprocess.run(["umount", small], check=True)


def test_refused(folder):
    nbd, drive = ("--nbd", folder / "nbd"), ("--drive", "name=a,size=1M")
    for words, status, text in (
            ((*drive, "-o", "x"), 2, b"--nbd"), ((*nbd, "-o", "x"), 2, b"--drive"), ((*nbd, *drive), 2, b"-o"),
            ((*nbd, "--drive", "name=a", "-o", "x"), 2, b"size="), ((*nbd, "--drive", "name=a,size=5", "-o", "x"), 2, b"512"),
            ((*nbd, "--drive", "name=vmstate,size=1M", "-o", "x"), 2, b"RAM"), ((*nbd, *drive, *drive, "-o", "x"), 2, b"once"),
            ((*nbd, *drive, "--config", "a.raw=/dev/null", "-o", "x"), 2, b"config a.raw: extract makes another file"),
            ((*nbd, *drive, "--config", "a.qcow2.partial=/dev/null", "-o", "x"), 2, b"a.qcow2.partial"),
            ((*nbd, *drive, "--config", "vmstate.bin=/dev/null", "-o", "x"), 2, b"vmstate.bin"),
            ((*nbd, *drive, "--config", "b=/dev/null", "--config", "b=/dev/zero", "-o", "x"), 2, b"config b:"),
            ((*nbd, *drive, "-o", "x", "more"), 2, b"too many"), ((*nbd, *drive, "-o", folder / "no/x.vma"), 6, b"no/x.vma"),
            (("--nbd", "/dev/null", *drive, "-o", folder / "x.vma"), 1, b"/dev/null")):
        assert text in run("write", *words, status=status)[1], (words, text)
        assert not list(folder.iterdir()), list(folder.iterdir())


if __name__ == "__main__":
    if not all(shutil.which(program) for program in ("nbdcopy", "nbdinfo", "qemu-io", "qemu-img")):
        print("skipped: nbdcopy, nbdinfo, qemu-io and qemu-img are needed")
        sys.exit(SKIP)
    main([test_two_drives, test_into_a_command, test_json, test_incomplete, test_absent_is_zero, test_commit_while_connected,
          test_cancel, test_client_killed, test_written_twice, test_slow_removal, test_slow_target, test_full, test_refused], "vmb-write-")
