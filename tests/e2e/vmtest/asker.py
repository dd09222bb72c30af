# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks QEMU how it does, ten times a second, on a monitor of its own: whoever is not answered stands still.

    vm = s.guest(drives, monitors=("asked",))
    with Asker(vm, "asked") as asker:
        ...
        asker.must_be_alive()              # no question open for longer than a stall may last
    asker.must_be_within(1.0, noise)
"""
import os
import threading
import time

from .qmp import Qmp, QmpError

STEP_S = 0.1
LASTING_S = 15  # an answer that took as long is a stall that lasts: whoever waits for more has waited in vain


def bound_s(usual=1.0):
    """How long an answer may take. VMABACKUP_BOUND: for machines that others keep busy."""
    return float(os.environ.get("VMABACKUP_BOUND", usual))


class Asker:
    def __init__(self, vm, monitor, command="query-status"):
        self._vm, self._command = vm, command
        self._qmp = Qmp(vm.monitor_path(monitor))
        self._began = time.monotonic()
        self._asked_at = None  # while a question is open
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.answers = []  # (when, seconds it took)
        self.trouble = None
        self.states = []  # (when, run state): each change
        self.refused = 0  # requests of jobs that were answered by an error

    def __enter__(self):
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join(LASTING_S + 1)
        self._qmp.close()

    def _ask(self):
        while not self._is_over.wait(STEP_S):
            self._asked_at = time.monotonic()
            try:
                status = self._qmp.cmd(self._command, timeout=LASTING_S).get("status")
            except (OSError, QmpError) as reason:
                self.trouble = f"{self._command} asked {self._asked_at - self._began:.1f} s after the start: {reason!r}"
                return
            self._note(status)

    def _note(self, status):
        now, asked = time.monotonic(), self._asked_at
        self.answers.append((asked - self._began, now - asked))
        self._asked_at = None
        if not self.states or self.states[-1][1] != status:
            self.states.append((now - self._began, status))
        while self._qmp.events:
            self.refused += self._qmp.events.popleft()["event"] == "BLOCK_JOB_ERROR"

    def worst(self):
        """(seconds of the slowest answer, when it was asked)."""
        return max(((took, when) for when, took in list(self.answers)), default=(0, 0))

    def must_be_alive(self):
        asked_at = self._asked_at
        waits = time.monotonic() - asked_at if asked_at else 0
        if self.trouble:
            self._vm.must_live(5)  # a core takes its time
        if self.trouble or waits > LASTING_S:
            raise AssertionError(f"{self.trouble or f'no answer for {waits:.1f} s'}\n{self.picture()}")

    def must_be_within(self, bound, noise):
        self.must_be_alive()
        worst, when = self.worst()
        noise.must_be_within(bound, worst, f"worst of {len(self.answers)} answers, {when:.1f} s after the start")

    def picture(self):
        """What the threads of a QEMU that stands wait for, and what it has open."""
        proc = f"/proc/{self._vm.process.pid}"
        lines = [f"{task} {_read(f'{proc}/task/{task}/comm')}: {_read(f'{proc}/task/{task}/wchan')}"
                 for task in _names(f"{proc}/task")]
        sockets = [f"{fd} {link}" for fd, link in sorted(self._vm.descriptors().items()) if "anon_inode" not in link]
        return "\n".join(["threads of QEMU:"] + lines + ["what it has open:"] + sockets)


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []  # it has ended


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as reason:
        return reason.strerror
