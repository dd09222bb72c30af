# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest, what it was like before, one backup of it, and the questions to ask afterwards.

    with Scenario("7.2") as s:
        run = s.backup("--no-vmstate")
        s.must_be_saved(run)                # status 0, archive strict and exact, restored guest sound
        s.must_be_untouched()               # QEMU as before, guest goes on
"""
import contextlib
import os
import re
import signal
import subprocess

from .drives import standard_drives
from .env import engine, wait_for
from .lab import Lab
from .proxy import Proxy
from .restore import prove, unpack
from .run import Run
from .state import QemuState


class Scenario(Lab):
    """drives: as in Lab.guest(); rounds: how long the guest has run before anything happens."""

    def __init__(self, version, drives=None, rounds=60, **options):
        super().__init__(version)
        os.mkdir(self.path("run"))
        self.env = {"XDG_RUNTIME_DIR": self.path("run"), "XDG_STATE_HOME": self.path("state")}
        try:
            self.drives = drives or standard_drives()
            self.vm = self.guest(self.drives, **options)
            if rounds:  # else it need not even run
                self.vm.wait_rounds(rounds)
            self.take_note()
        except BaseException:
            self.__exit__()
            raise
        self.archive = self.path("a.vma")
        self.proxy = None
        self.runs = []

    def take_note(self):
        """From here on "before" is now."""
        self.before = QemuState(self.vm.qmp)
        self.sockets = self.vm.sockets()

    def add_proxy(self):
        """A fresh one, in the place of an earlier one that was closed."""
        if os.path.exists(self.path("proxy")):
            os.unlink(self.path("proxy"))
        self.proxy = Proxy(self.path("proxy"), self.vm.monitor)
        self.at_end(self.proxy.close)
        return self.proxy

    def run(self, *arguments, **options):
        """The product with these arguments."""
        run = Run(arguments, env={**self.env, **options.pop("env", {})}, **options)
        run.guest = self.vm
        self.runs.append(run)
        self.at_end(run.kill)
        return run

    def backup(self, *arguments, output=None, **options):
        """vmabackup backup in the background, through the proxy if there is one; by engine()."""
        monitor = self.proxy.path if self.proxy else self.vm.monitor
        given = [] if engine() == "push" or "--engine" in arguments else ["--engine", engine()]
        return self.run("backup", "--json", "-o", output or self.archive, *given, *arguments, monitor, **options)

    def cleanup(self, *arguments, status=0):
        """vmabackup cleanup, on the monitor that the run had: its journal is found by that."""
        run = self.run("cleanup", *arguments, self.proxy.path if self.proxy else self.vm.monitor)
        got = run.wait(30)
        assert got == status, f"cleanup: exit status {got} instead of {status}: {run.report()}"
        return run

    def io(self, drive, command):
        """As the guest's device does it; qemu-io itself talks to QEMU's standard output."""
        device = drive.name if drive.style == "drive" else next(
            f"-d {e['qdev']}" for e in self.vm.qmp.cmd("query-block") if drive.name in e.get("qdev", "").split("/"))
        said = self.vm.qmp.cmd("human-monitor-command", {"command-line": f'qemu-io {device} "{command}"'})
        assert not said.strip(), said

    # Moments ---------------------------------------------------------------------------------------------------

    def jobs(self):
        """Those of engine push."""
        return self.vm.qmp.cmd("query-block-jobs")

    def copies(self):
        """What reads drives in QEMU for either engine, by id: jobs, and exports to the program's memory (not its pins)."""
        exports = [e["id"] for e in self.vm.qmp.cmd("query-block-exports") if "-exp-" in e["id"]]
        return [j["device"] for j in self.jobs()] + exports

    def end_copy(self, index):
        """Somebody else ends what reads this drive."""
        copy = next(c for c in self.copies() if re.search(rf"-(job|exp)-{index}$", c))
        if "-job-" in copy:
            self.vm.qmp.cmd("job-cancel", {"id": copy})
        else:
            self.vm.qmp.cmd("block-export-del", {"id": copy})

    def wait_copying(self, run, bytes_done=1):
        """Until there is something that reads each drive and some bytes have moved; returns copies()."""
        def is_copying():
            assert run.process.poll() is None, f"it has ended: {run.report()}"
            copies = self.copies()
            done = sum(j["offset"] for j in self.jobs()) + sum(run.done(name) for name in run.pulled())
            return copies and run.find(ev="phase", phase="copy") and done >= bytes_done and copies
        return wait_for(is_copying, 40, "drives that are read")

    def is_paused(self, run, name):
        """Does nothing of this drive move, for its own sake or the target's?"""
        if name in run.pulled():
            return bool(run.device(name).get("paused_by"))
        index = [d.name for d in self.drives].index(name)
        return any(j["paused"] for j in self.jobs() if j["device"].endswith(f"-job-{index}"))

    def copy_images(self):
        """{drive: flat copy} of what the drives hold now; the guest has to stand still."""
        assert not self.vm.is_running()
        copies = {}
        for drive in self.drives:
            if drive.is_counted_on():
                copies[drive.name] = self.path(f"{drive.name}.copy")
                subprocess.run([self.qemu_img, "convert", "-U", "-f", drive.format, "-O", "raw", drive.path,
                                copies[drive.name]], check=True)
        return copies

    def held_for_the_killed(self):
        """Sockets that QEMU keeps of runs that were killed, or had to leave their exports, two for each: until cleanup closes
        "<export>-socket" and "<export>-held"; then this goes."""
        return sum(2 * len(run.pulled()) for run in self.runs
                   if run.process.returncode == -signal.SIGKILL or "vmabackup cleanup" in "".join(run.lines))

    # Judgements ------------------------------------------------------------------------------------------------

    def must_be_saved(self, run, status=0, archive=None, restore=True, seconds=60):
        """It ended well and what it wrote is exact; returns ({drive: flat image}, RAM stream)."""
        run.must_succeed(seconds, status)
        images, vmstate = self.must_be_exact(archive or self.archive)
        if restore and vmstate:
            with self.at_rest():
                prove(self, self.drives, images, vmstate)
        return images, vmstate

    @contextlib.contextmanager
    def at_rest(self):
        """The guest leaves the processors to others."""
        was_running = self.vm.is_running()
        if was_running:
            self.vm.qmp.cmd("stop")
        yield
        if was_running:
            self.vm.qmp.cmd("cont")

    def must_be_exact(self, archive):
        images, vmstate = unpack(archive, self.path("unpacked"))
        expected = {d.name for d in self.drives if d.is_counted_on()}
        assert expected <= set(images), f"the archive holds {sorted(images)}, not {sorted(expected)}"
        prove(self, self.drives, images, None)
        return images, vmstate

    def must_have_failed(self, run, status, seconds=60):
        """It ended with this status, said why in one line, and left no archive under its final name."""
        got = run.wait(seconds)
        assert got == status, f"exit status {got} instead of {status}: {run.report()}"
        assert not os.path.exists(self.archive), "there is an archive although it failed"
        assert run.errors.strip() or run.find(ev="result"), "it failed without a word"

    def must_be_untouched(self, rounds=40, ignore=(), seconds=10):
        """QEMU is as it was, nothing of ours is open, and the guest goes on counting."""
        found = None

        def is_as_before():
            nonlocal found
            found = self.before.differences(QemuState(self.vm.qmp), ignore)
            return not found and self.vm.sockets() <= self.sockets + self.held_for_the_killed()
        try:
            wait_for(is_as_before, seconds, "QEMU to be as it was")
        except AssertionError as reason:
            raise AssertionError(f"{reason}:\n  " + "\n  ".join(found or [f"{self.vm.sockets()} sockets are open "
                                                                         f"instead of {self.sockets}"])) from None
        if rounds and self.before.parts["status"]["running"]:
            self.vm.wait_rounds(rounds)
