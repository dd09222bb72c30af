#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal that stops reading for 5 s makes neither the loop later nor the copy slower than a run without a screen."""
import datetime
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import sys
import termios
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Noise, Scenario, main, product, wait_for

FROZEN_S = 5
NULL = ["-blockdev", f"driver=null-co,node-name=null,size={256 << 30},read-zeroes=off",
        "-device", "scsi-hd,bus=scsi0.0,drive=null,id=endless"]


class Terminal:
    """A terminal that is read, until it is not."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.is_read = True
        self.seen = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            if not self.is_read:
                time.sleep(0.02)
            elif select.select([self.master], [], [], 0.1)[0]:
                self.seen = self.seen[-65536:] + os.read(self.master, 65536)

    def preexec(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY)
        for fd in range(3):
            os.dup2(self.slave, fd)

    def freeze(self, run, seconds):
        """Not read for so long; everything is drawn anew again and again, so that it fills up."""
        self.is_read = False
        deadline, n = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            n += 1
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40 + n % 9, 150, 0, 0))
            run.signal(signal.SIGWINCH)
            time.sleep(0.1)
        assert not select.select([], [self.slave], [], 0)[1], "it has room: this shows nothing"
        self.is_read, self.seen = True, b""


def lines_of(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines(keepends=True) if line.endswith("\n")]


def measure(s, terminal):
    """(bytes a second within the time, the loop's 99th percentile in ms), of one run that is ended then."""
    record = s.path(f"{time.monotonic_ns()}.ndjson")
    arguments = ["--no-vmstate", "--drive", "endless", "-o", "|cat > /dev/null", "--record", record, s.vm.monitor]
    if terminal:
        env = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        run = s.run("--start", *arguments, program="vmabackup-tui", env=env, preexec=terminal.preexec)
    else:
        run = s.run("backup", *arguments)

    def told():
        return [e for e in lines_of(record) if e["ev"] == "progress" and e["phase"] == "copy" and e["done"] > 0]
    wait_for(lambda: os.path.exists(record) and told(), 20, "the copy")
    begin = len(told())
    if terminal:
        wait_for(lambda: b"endless" in terminal.seen, 5, "the screen")
        terminal.freeze(run, FROZEN_S)
        wait_for(lambda: b"endless" in terminal.seen, 5, "the screen, when it is read again")
    else:
        time.sleep(FROZEN_S / 2)
    ticks = told()[begin:]
    run.signal(signal.SIGTERM)
    assert run.wait() == 143, run.report()
    first, last = ticks[0], ticks[-1]
    at = [datetime.datetime.fromisoformat(e["ts"].rstrip("Z")) for e in (first, last)]
    return (last["done"] - first["done"]) / (at[1] - at[0]).total_seconds(), last["loop_p99_ms"]


def costs_nothing(version):
    """Measured against runs before and after; a machine that others use may spoil a try or two all the same."""
    product()
    with Scenario(version, drives=[Drive("drive0", size=4 << 20)], extra=NULL) as s:
        for left in reversed(range(3)):
            with Noise() as noise:
                before = measure(s, None)
                frozen_rate, frozen_late = measure(s, Terminal())
                after = measure(s, None)
            rate, late = min(before[0], after[0]), max(before[1], after[1])
            print(f"      without a screen {rate / 1e6:.0f} MB/s, loop p99 {late:.1f} ms; before a frozen terminal "
                  f"{frozen_rate / 1e6:.0f} MB/s, {frozen_late:.1f} ms")
            try:
                assert frozen_rate > 0.7 * rate, "the copy was slower"
                noise.must_be_within(max(2 * late / 1000, 0.050), frozen_late / 1000, "the loop", percent=99)
                break
            except AssertionError:
                if not left:
                    raise
        s.must_be_untouched()


if __name__ == "__main__":
    main(slow=(costs_nothing,))
