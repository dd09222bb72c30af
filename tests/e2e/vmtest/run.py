# SPDX-License-Identifier: GPL-2.0-or-later
"""A run of the product: its events as they come, its standard input, its end."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import threading
import time

from .env import product


def peak_kib(pid):
    """The most memory that a process has had resident."""
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


class Run:
    """vmabackup backup --json … in the background. .events is the list of decoded lines so far."""

    def __init__(self, arguments, program="vmabackup", env=None, stdout=subprocess.PIPE, cwd=None,
                 preexec=None):
        self.events = []
        self.lines = []
        self.errors = ""
        self.guest = None  # that it saves: asked how it stands when the run hangs
        full = dict(os.environ, **(env or {}))
        self.process = subprocess.Popen([product(program)] + [str(a) for a in arguments], env=full, cwd=cwd,
                                        preexec_fn=preexec, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE, text=True)
        self._threads = [threading.Thread(target=self._read_errors, daemon=True)]
        if stdout == subprocess.PIPE:
            self._threads.append(threading.Thread(target=self._read_events, daemon=True))
        for thread in self._threads:
            thread.start()

    def _read_events(self):
        for line in self.process.stdout:
            self.lines.append(line)
            try:
                self.events.append(json.loads(line))
            except ValueError:
                pass

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors += line

    def say(self, line):
        """A command on standard input."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            raise AssertionError(f"cannot say {line!r} to it any more: {self.report()}") from None

    def find(self, **items):
        """The first event that has all these items."""
        return next((e for e in list(self.events) if items.items() <= e.items()), None)

    def pulled(self):
        """The drives that its plan reads by exports to its own memory."""
        plan = self.find(ev="plan") or {"devices": []}
        return [d["id"] for d in plan["devices"] if d["included"] and d.get("engine") == "pull"]

    def device(self, name):
        """What the last progress event tells of a drive."""
        told = next((e for e in reversed(list(self.events)) if e.get("ev") == "progress"), {"devices": []})
        return next((d for d in told["devices"] if d["id"] == name), {})

    def done(self, name):
        return self.device(name).get("done", 0)

    def wait_event(self, seconds=30, **items):
        deadline = time.monotonic() + seconds
        while True:
            event = self.find(**items)
            if event:
                return event
            if self.process.poll() is not None and not self._threads[-1].is_alive():
                raise AssertionError(f"ended with {self.process.returncode} before {items}: {self.report()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s in vain for {items}: {self.report()}")
            time.sleep(0.02)

    def wait(self, seconds=50):
        """The exit status (negative: killed by that signal)."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            guest = self.guest.standing() if self.guest else ""  # before the kill: that may free it
            self.kill()
            raise AssertionError(f"did not end within {seconds} s: {self.report()}{guest}") from None
        self._close()
        return status

    def _close(self):
        """A test of a hundred runs would have too many files open."""
        for thread in self._threads:
            thread.join(5)
            if thread.is_alive():  # a child of the run holds its end
                return
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                with contextlib.suppress(OSError):  # what was said and never read
                    pipe.close()

    def must_succeed(self, seconds=50, status=0):
        got = self.wait(seconds)
        assert got == status, f"exit status {got} instead of {status}: {self.report()}"

    def report(self):
        """What it has said: of its progress only how it stands now."""
        told = [line for line in self.lines if '"ev":"progress"' not in line]
        progress = [line for line in self.lines if '"ev":"progress"' in line][-1:]
        return f"\n--- standard error\n{self.errors[-3000:]}\n--- last events\n{''.join(told[-20:] + progress)}"

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._close()
