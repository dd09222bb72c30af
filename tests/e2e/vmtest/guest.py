# SPDX-License-Identifier: GPL-2.0-or-later
"""A running QEMU with the counting guest in it."""
import contextlib
import ctypes
import os
import pathlib
import re
import signal
import struct
import subprocess
import time

from .env import qemu_binary, wait_for
from .qmp import Qmp

# Where tests/guest/guest.S keeps what it measures.
ROUND, TICKS, TIMES, TIMES_KEPT, PM_TIMER_HZ = 0x107FF0, 0x700, 0x60000, 16384, 3579545


def _end_with_parent():
    """A test that is killed (by its time limit) takes its guests with it: they would slow down all others."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Guest:
    """Starts QEMU. .monitor is the path of the monitor for the product, .qmp the test's own connection.

    incoming: a RAM stream to start from; the guest then waits, paused, for resume(). monitors: names of more of them.
    """

    def __init__(self, version, folder, drives, name="guest", ram_mib=32, incoming=None, monitors=(), extra=()):
        folder = pathlib.Path(folder)
        self.version, self.drives = version, drives
        self._folder, self._name = folder, name
        self.monitor = self.monitor_path("qmp")
        self.serial = folder / f"{name}.serial"
        self.log = folder / f"{name}.log"
        test_monitor = self.monitor_path("test")
        command = [qemu_binary(version), "-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "tcg",
                   "-m", str(ram_mib), "-display", "none", "-vga", "none", "-nic", "none", "-name", name,
                   "-object", "iothread,id=io0", "-device", "virtio-scsi-pci,id=scsi0",
                   "-serial", f"file:{self.serial}"]
        if any(drive.bus == "scsi-iothread" for drive in drives):
            command += ["-object", "iothread,id=io1", "-device", "virtio-scsi-pci,id=scsi1,iothread=io1"]
        for path in [self.monitor, test_monitor] + [self.monitor_path(m) for m in monitors]:
            key = os.path.basename(path).replace(".", "-")
            command += ["-chardev", f"socket,id={key},path={path},server=on,wait=off",
                        "-mon", f"chardev={key},mode=control"]
        for index, drive in enumerate(drives):
            command += drive.arguments(index + 1)
        if incoming:
            command += ["-S", "-incoming", f"exec:cat '{incoming}'"]
        self.process = subprocess.Popen(command + list(extra), stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
                                        stderr=subprocess.STDOUT, preexec_fn=_end_with_parent)
        try:
            wait_for(lambda: self._is_up(test_monitor), 20, "QEMU to listen on its monitor")
            self.qmp = wait_for(lambda: self._connect(test_monitor), 20, "QEMU to answer on its monitor")
        except BaseException:
            self.kill()
            raise

    def monitor_path(self, monitor):
        return str(self._folder / f"{self._name}.{monitor}")

    def _is_up(self, path):
        self.must_live()
        return os.path.exists(path) and os.path.exists(self.monitor)

    @staticmethod
    def _connect(path):
        try:
            return Qmp(path)
        except ConnectionRefusedError:
            return None  # QEMU has made the path, but does not listen yet

    def must_live(self, seconds=0):
        """Fails with QEMU's last words when it has ended, or ends within so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            ended = self.process.wait(seconds)
            raise AssertionError(f"QEMU ended with {ended}: {self.log.read_text()[-2000:]}")

    def output(self):
        """Whole lines only: the last one may be on its way."""
        text = self.serial.read_text(errors="replace") if self.serial.exists() else ""
        return text[:text.rfind("\n") + 1]

    def rounds(self):
        """The last round the guest has told of; fails when it has found a disagreement."""
        text = self.output()
        if "BAD" in text:
            raise AssertionError(f"the guest says {text[text.index('BAD'):].splitlines()[0]}")
        self.must_live()
        told = [line for line in text.split("\n")[:-1] if line.startswith("C ")]
        return int(told[-1][2:], 16) if told else 0

    def first_round(self):
        told = [line for line in self.output().split("\n")[:-1] if line.startswith("C ")]
        return int(told[0][2:], 16) if told else None

    def wait_rounds(self, more, seconds=60):
        """Waits until the guest has done so many rounds more than now."""
        goal = self.rounds() + more
        return wait_for(lambda: self.rounds() >= goal and self.rounds(), seconds, f"round {goal} of the guest")

    # What the guest has measured: see the head of guest.S. --------------------------------------------------------

    def _memory(self, address, size):
        path = f"{self.serial}.memory"
        self.qmp.cmd("pmemsave", {"val": address, "size": size, "filename": path})
        return pathlib.Path(path).read_bytes()

    def round_now(self):
        """The round that the guest is in, at this moment; rounds() is up to 16 behind."""
        return struct.unpack("<I", self._memory(ROUND, 4))[0]

    def write_times(self, since):
        """The slowest write of each round from `since` up to now, in seconds, good to a microsecond or two.

        The guest's clock stands still while it is stopped, so that a write that waits for "cont" is not slow by that.
        """
        now = self.round_now()
        assert now - since < TIMES_KEPT, f"round {since} is forgotten in round {now}"
        tsc, pm_timer = struct.unpack("<II", self._memory(TICKS, 8))
        unit = 1024 * (pm_timer / PM_TIMER_HZ) / tsc
        times = struct.unpack(f"<{TIMES_KEPT}I", self._memory(TIMES, 4 * TIMES_KEPT))
        return [times[number % TIMES_KEPT] * unit for number in range(max(since, 1), now)]

    def worst_write(self, since):
        return max(self.write_times(since), default=0.0)

    # Its state ---------------------------------------------------------------------------------------------------

    def is_running(self):
        return self.qmp.cmd("query-status")["running"]

    def resume(self, seconds=30):
        """Waits for an incoming stream to be loaded, then lets the guest go."""
        wait_for(lambda: self.qmp.cmd("query-status")["status"] != "inmigrate", seconds, "the RAM to be loaded")
        self.qmp.cmd("cont")

    def descriptors(self):
        """{number: what it is} of all that QEMU holds open: left-overs show here and nowhere else."""
        folder, links = f"/proc/{self.process.pid}/fd", {}
        for name in os.listdir(folder):
            try:
                links[int(name)] = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                pass  # closed meanwhile
        return links

    def sockets(self):
        return sum(link.startswith("socket:") for link in self.descriptors().values())

    def bytes_read(self):
        """By QEMU so far, of its images and whatever else."""
        return int(re.search(r"rchar: (\d+)", pathlib.Path(f"/proc/{self.process.pid}/io").read_text()).group(1))

    def stop(self):
        """Ends QEMU in an orderly way, so that images are flushed and unlocked."""
        if self.process.poll() is None:
            try:
                self.qmp.begin("quit")
                self.process.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self.kill()
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def standing(self):
        """For a report: what QEMU answers, and in which system call each of its threads is."""
        lines = [f"--- QEMU {self.process.pid}, ended with {self.process.poll()}"]
        for command in ("query-status", "query-jobs", "query-block-exports"):
            try:
                lines.append(f"{command}: {self.qmp.cmd(command, timeout=3)}")
            except (OSError, AssertionError) as reason:
                lines.append(f"{command}: {reason!r}")
        lines.append(f"events: {[event['event'] for event in self.qmp.events][-20:]}")
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                lines.append(f"{(task / 'comm').read_text().strip()}: {(task / 'syscall').read_text().strip()[:40]}")
        return "\n".join(lines)

    def answers_within(self, seconds, command, arguments=None):
        """How long a command took on the test's monitor; fails when longer than allowed."""
        start = time.monotonic()
        self.qmp.cmd(command, arguments, timeout=max(seconds, 60))
        took = time.monotonic() - start
        assert took <= seconds, f"{command} took {took:.2f} s, allowed are {seconds} s"
        return took
