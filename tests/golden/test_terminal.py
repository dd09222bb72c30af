#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console and its terminal, without a guest: given back as it was whatever ends the program, quiet when nothing
moves, useful on any terminal, and never waited for."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

build = pathlib.Path(os.environ.get("VMABACKUP_BUILD", "build/dev"))
console = str(build / "vmabackup-tui")
here = pathlib.Path(__file__).resolve().parent


class Terminal:
    """A program on a pseudo-terminal of its own, as a shell's job."""

    def __init__(self, *arguments, size=(80, 24), env=None):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(*size, tell=False)
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        clean = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "XDG_RUNTIME_DIR")}
        clean.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, **(env or {}))
        self.process = subprocess.Popen([console, *arguments], stdin=slave, stdout=slave, stderr=slave, env=clean,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, width, height, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def read(self, seconds=0.0):
        """What comes within that time."""
        got, deadline = b"", time.monotonic() + seconds
        while select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                got += os.read(self.master, 65536)
            except OSError:
                break
            if not seconds:
                break
        self.seen += got
        return got

    def wait_for(self, text, seconds=10):
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen[-2000:]!r}"
            self.read(0.05)

    def worker(self):
        """The process that draws: of a run of its own the child, which has a stand-in."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def wait(self, seconds=10):
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on; last: {self.seen[-300:]!r}"
            self.read(0.05)
        self.read(0.2)
        return self.process.returncode

    def must_be_as_before(self, what):
        deadline = time.monotonic() + 5
        while (termios.tcgetattr(self.slave) != self.before or b"\x1b[?1049l" not in self.seen) and time.monotonic() < deadline:
            self.read(0.05)
        assert termios.tcgetattr(self.slave) == self.before, f"{what}: the terminal is left as it was not"
        assert b"\x1b[?1049l" in self.seen, f"{what}: still in the alternate screen"

    def must_be_cooked(self):
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is left as it was not"

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def recording(folder, speed_s=0.0, is_whole=False):
    """A run in the middle of its course, told at once; with speed_s it goes on, a tick each so many seconds."""
    path = os.path.join(folder, "run.ndjson")
    rows = [{"id": f"scsi{i}", "kind": "drive", "size": (i + 1) << 36, "included": True, "state": "run",
             "done": (i + 1) << 34, "rate": 118 << 20} for i in range(5)]
    lines = [{"ev": "hello", "job": "b7c1f00d"}, {"ev": "guest", "name": "web-01", "state": "running", "qemu": "8.2.2"},
             {"ev": "plan", "sink": "/b/web-01.vma", "devices": rows}, {"ev": "phase", "phase": "copy", "pause_ms": 38}]
    start = 1795346966
    for n in range(40 if speed_s else 1):
        moved = [dict(row, done=row["done"] + (n << 26), rate=row["rate"] + (n % 7 << 20)) for row in rows]
        lines.append({"ev": "progress", "phase": "copy", "total": 15 << 36, "done": (15 << 34) + (n << 28),
                      "in_rate": (412 + n % 5) << 20, "elapsed_ms": 1000 * n, "devices": moved, "at": n * speed_s})
    if is_whole:
        lines += [{"ev": "phase", "phase": "done"}, {"ev": "result", "exit": 1, "text": "the run is over"}]
    with open(path, "w", encoding="utf-8") as out:
        for line in lines:
            stamp = time.gmtime(start + int(line.get("at", 0)))
            line["ts"] = time.strftime("%Y-%m-%dT%H:%M:%S", stamp) + f".{int(line.pop('at', 0) % 1 * 1000):03}Z"
            out.write(json.dumps(line) + "\n")
    return path


def test_given_back(folder):
    """By a signal, in a replay and in a run of its own (there the child draws). SIGINT is Ctrl-C, a key."""
    replay = ["--replay", recording(folder)]
    own = ["-o", os.path.join(folder, "x.vma"), os.path.join(folder, "nobody-listens")]
    for arguments, shows, after_int in ((replay, "web-01", 0), (own, "nobody-listens", 5)):
        for name, status in (("TERM", 143), ("HUP", 129), ("INT", after_int), ("QUIT", None), ("SEGV", None),
                             ("ABRT", None)):
            number = getattr(signal, f"SIG{name}")
            with Terminal(*arguments) as t:
                t.wait_for(shows)
                assert termios.tcgetattr(t.slave) != t.before, "not raw: this proves nothing"
                os.kill(t.worker(), number)
                got = t.wait()
                t.must_be_as_before(f"SIG{name} {shows}")
                assert got != 0 if status is None else got == status, f"SIG{name} {shows}: status {got}"
    with Terminal(*arguments) as t:  # the stand-in alone dies
        t.wait_for(shows)
        t.process.kill()
        t.must_be_as_before("SIGKILL of the stand-in")


def test_outcome_stays(folder):
    with Terminal("--replay", recording(folder)) as t:
        t.wait_for("scsi4")
        os.write(t.master, b"q")
        assert t.wait() == 0
        after = t.seen[t.seen.rindex(b"\x1b[?1049l"):].decode()
        assert "end of the replay" in after, after


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_budgets(folder):
    """Bytes as they arrive at the terminal: at first, at each tick, and when nothing changes."""
    for size, first_max, tick_max in (((80, 24), 10000, 500), ((120, 36), 10000, 1200)):
        with Terminal("--replay", recording(folder, 0.5), size=size) as t:
            t.wait_for("scsi4")
            first = len(t.seen) + len(t.read(0.2))
            assert first <= first_max, f"{size}: the first paint takes {first} bytes"
            t.read(0.5)
            ticked, spent = len(t.read(3.0)), 3.0
            assert 0 < ticked / spent / 2 <= tick_max, f"{size}: {ticked / spent / 2:.0f} bytes for a tick"
    with Terminal("--replay", recording(folder, is_whole=True)) as t:
        t.wait_for("scsi4")
        t.read(1.0)
        used = cpu_s(t.worker())
        assert not t.read(3.0), "it sends though nothing changes"
        assert cpu_s(t.worker()) - used <= 0.015, "it is busy though nothing changes"


def test_any_terminal(folder):
    replay = recording(folder)
    cases = [
        ({"TERM": "dumb"}, (80, 24), "connected web-01"),
        ({"ACCESSIBLE": "1"}, (80, 24), "connected web-01"),
        ({"TERM": "no-such-terminal"}, (80, 24), "connected web-01"),
        ({"TERM": "xterm-no-such"}, (80, 24), "scsi4"),
        ({"TERM": "tmux-no-such"}, (80, 24), "scsi4"),
        ({"LC_ALL": "C"}, (80, 24), "####"),
        ({"TERM": "linux"}, (80, 24), "\u2588"),
        ({"TERM": "vt100"}, (80, 24), "scsi4"),
        ({}, (20, 3), "25"),
        ({}, (200, 60), "scsi4"),
    ]
    for env, size, shows in cases:
        with Terminal("--replay", replay, env=env, size=size) as t:
            t.wait_for(shows)
            assert env.get("LC_ALL") != "C" or all(byte < 128 for byte in t.seen), "not ASCII"
            t.process.terminate()
            t.wait()
    for env in ({"NO_COLOR": "1"}, {}):
        with Terminal("--replay", replay, env=env) as t:
            t.wait_for("scsi4")
            assert bool(re.search(rb"\x1b\[3\dm", t.seen)) != bool(env), f"colours with {env}: {t.seen[:500]!r}"
    done = subprocess.run([console, "--replay", replay], capture_output=True, text=True, check=False)
    assert "connected web-01" in done.stdout, done.stdout


class Monitor:
    """Counts who comes; nobody must, where nothing was asked for."""

    def __init__(self, path):
        self.path, self.socket = path, socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        self.socket.setblocking(False)

    def has_been_asked(self):
        try:
            self.socket.accept()[0].close()
            return True
        except BlockingIOError:
            return False


def test_no_screen_no_backup(folder):
    """Without a screen nobody has seen the plan: only who says so begins a backup."""
    monitor = Monitor(os.path.join(folder, "monitor"))
    target = os.path.join(folder, "x.vma")
    own = ["--timeout", "1", "-o", target, monitor.path]
    for env, says in (({"TERM": "no-such-terminal"}, "neither it nor one like it is known here; set TERM"),
                      ({"TERM": "dumb"}, "TERM is dumb"), ({"TERM": ""}, "TERM is not set"),
                      ({"ACCESSIBLE": "1"}, "ACCESSIBLE is set")):
        with Terminal(*own, env=env) as t:
            assert t.wait() == 2, f"{env}: {t.seen!r}"
            said = t.seen.decode()
            assert says in said and "--plain" in said and said.count("\n") == 1, f"{env}: {said!r}"
            t.must_be_cooked()
        with Terminal("--start", *own, env=env) as t:  # asked for: it gets as far as the monitor
            assert t.wait() == 5 and monitor.has_been_asked(), f"{env}: {t.seen!r}"
    with Terminal("-o", "-", monitor.path) as t:
        assert t.wait() == 2 and b"standard output" in t.seen, t.seen
    done = subprocess.run([console, *own], capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)
    assert done.returncode == 2 and "no terminal" in done.stderr and "--plain" in done.stderr, done
    assert not monitor.has_been_asked(), "QEMU was asked although nothing was to begin"
    assert sorted(os.listdir(folder)) == ["monitor"], os.listdir(folder)
    for word in ("--plain", "--json", "--start"):
        done = subprocess.run([console, word, *own], capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)
        assert done.returncode == 5 and monitor.has_been_asked(), f"{word}: {done}"


def test_kin_of_a_terminal(folder):
    """A type that is not installed here is drawn as its nearest kin, and the plan waits for B."""
    monitor = Monitor(os.path.join(folder, "monitor"))
    target = os.path.join(folder, "x.vma")
    with Terminal("-o", target, monitor.path, env={"TERM": "xterm-no-such"}) as t:
        t.wait_for("TERM=xterm-no-such is not known here: drawn as xterm-256color")
        t.process.terminate()
        t.wait()
        t.must_be_as_before("a stand-in")
    assert not os.path.exists(target)


def test_held_monitor(folder):
    """Another program has the monitor: the console says so soon, offers others, and takes the greeting when it comes."""
    monitor = Monitor(os.path.join(folder, "monitor"))
    monitor.socket.settimeout(10)
    with Terminal("-o", os.path.join(folder, "x.vma"), monitor.path) as t:
        client, _ = monitor.socket.accept()
        t.wait_for("greeting,")  # curses writes word by word
        t.wait_for("Other path")
        client.sendall(b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}}, "capabilities": []}}\r\n')
        client.settimeout(10)
        assert b"qmp_capabilities" in client.recv(4096)
        os.write(t.master, b"q")
        assert t.wait() == 5
        t.must_be_as_before("a held monitor")


def test_wide_signs(folder):
    """A terminal that says it shows our signs two columns wide gets others."""
    with Terminal("--replay", recording(folder)) as t:
        t.wait_for("\x1b[c")
        os.write(t.master, b"\x1b[1;7R\x1b[1;5R\x1b[?6c")
        t.wait_for("scsi4")
        drawn = t.seen[t.seen.index(b"\x1b[?1049h"):]
        assert all(byte < 128 for byte in drawn), "signs that break the layout"


def test_configuration(folder):
    home = os.path.join(folder, "config")
    os.makedirs(os.path.join(home, "vmabackup"))
    path = os.path.join(home, "vmabackup/config")
    env = {"XDG_CONFIG_HOME": home}
    with open(path, "w", encoding="utf-8") as out:
        out.write("[screen]\ntheme=mono\n[keys]\nlog=p\n")
    done = subprocess.run([console, "--replay", "x"], env=dict(os.environ, **env), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and "config:4: log: p is taken by" in done.stderr, done.stderr
    with open(path, "w", encoding="utf-8") as out:
        out.write("[screen]\ntitle=true\n[keys]\nquit=X\n")
    with Terminal("--replay", recording(folder), env=env) as t:
        t.wait_for("scsi4")
        t.wait_for("\x1b]2;25% web-01")
        os.write(t.master, b"X")
        assert t.wait() == 0
        assert t.seen.rstrip().endswith(b"end of the replay") and b"\x1b[23;2t" in t.seen


def test_mouse(folder):
    """A press on a row and on the key bar: each is where it is seen."""
    with Terminal("--mouse", "--replay", recording(folder)) as t:
        t.wait_for("scsi4")
        for line, row in ((9, 2), (11, 4)):
            for _ in range(2):  # the second one opens what the first has selected
                os.write(t.master, b"\x1b[<0;20;%dM\x1b[<0;20;%dm" % (line, line))
            t.wait_for(f"scsi{row - 1}  ({row} of 5)")
            os.write(t.master, b"\x1b")
            t.read(0.2)
        os.write(t.master, b"\x1b[<0;79;24M\x1b[<0;79;24m")  # q Quit
        assert t.wait() == 0
        t.must_be_as_before("the mouse")


def test_theme_reloaded(folder):
    """t reads the files anew: who works on a theme sees it at once; a mistake says where, and changes nothing."""
    path = os.path.join(folder, "night.theme")
    def write(colour):
        pathlib.Path(path).write_text(f"[theme]\nformat=1\n[roles]\nbar-fill={colour}\n", encoding="utf-8")
    write(201)
    with Terminal("--theme", path, "--replay", recording(folder)) as t:
        t.wait_for("\x1b[38;5;201m")
        write(77)
        os.write(t.master, b"t")
        t.wait_for("\x1b[38;5;77m")
        write("gren")
        t.read(0.4)  # a dialog is deaf at first
        os.write(t.master, b"\x1b")
        t.read(0.4)
        os.write(t.master, b"t")
        t.wait_for("unknown colour 'gren'")


def ask(path):
    """How long one answer of a run's control socket takes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        stream = s.makefile("rwb", buffering=0)
        start = time.monotonic()
        stream.write(b'{"id":5,"cmd":"status"}\n')
        while b'"ev":"reply"' not in stream.readline():
            pass
        return time.monotonic() - start


def test_stalled(folder):
    """A terminal that takes nothing for 5 s holds nothing up."""
    os.environ["XDG_RUNTIME_DIR"] = folder
    with Terminal(os.path.join(folder, "nobody-listens")) as t:
        t.wait_for("nobody-listens")
        path = str(next(pathlib.Path(folder).glob("vmabackup/*.sock")))
        delays, deadline, n = [], time.monotonic() + 5, 0
        while time.monotonic() < deadline:
            n += 1
            fcntl.ioctl(t.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40 + n % 9, 150, 0, 0))
            os.kill(t.worker(), signal.SIGWINCH)  # everything is drawn anew, and nobody reads it
            delays.append(ask(path))
            time.sleep(0.03)
        delays.sort()
        # A loop that waited for the terminal would answer when it is read again, seconds later; a busy machine is late
        # now and then.
        assert delays[len(delays) // 2] < 0.05 and delays[-1] < 2, f"delays {delays[-5:]}"
        t.read(1.0)
        t.seen = b""
        t.resize(80, 24, tell=False)
        os.kill(t.worker(), signal.SIGWINCH)
        t.wait_for("nobody-listens")  # and afterwards it is all there again


def main():
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    for test in tests:
        if sys.argv[1:] and not any(a in test.__name__ for a in sys.argv[1:]):
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="vmt-") as folder:
            test(folder)
        print(f"ok    {test.__name__} {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
