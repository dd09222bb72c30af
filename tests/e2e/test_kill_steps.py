#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of the program at every command of a run, before QEMU gets it and when QEMU has answered.

One guest lives through all of it. After each death it writes on, no write of it is slow, there is no archive, and
cleanup brings QEMU back to what it was. VMABACKUP_FULL=1: both moments at every command, with and without RAM.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, product, standard_drives, wait_for
from vmtest.commands import commands_of_a_good_run

N_DRIVES = 2
BOUND_S = N_DRIVES * max(2, 10 // N_DRIVES) + 1  # the filter's timeout for each drive, and one second


def must_write_on(s, since):
    """Whatever has become of its drives, it goes on writing to all of them; returns the slowest write."""
    if s.vm.is_running():
        s.vm.wait_rounds(16, seconds=BOUND_S + 10)
    return s.vm.worst_write(since)


def kill_at(s, options, command, nth, is_answered):
    """Returns the guest's slowest write from then on; None when the run ended before that command: some are polls."""
    proxy = s.add_proxy()
    rule = proxy.hold_reply(command, nth) if is_answered else proxy.hold(command, nth)
    run = s.backup(*options)
    wait_for(lambda: rule.has_come() or run.process.poll() is not None, 30, f"{command} number {nth}")
    if not rule.has_come():
        proxy.close()
        os.unlink(s.archive)
        return None
    since = s.vm.round_now()
    run.kill()
    try:
        worst = must_write_on(s, since)
        assert not os.path.exists(s.archive), "there is an archive"
        s.cleanup()
        s.must_be_untouched(rounds=16)
        worst = max(worst, s.vm.worst_write(since))
        assert worst < BOUND_S, f"a write of the guest took {worst:.1f} s"
        return worst
    finally:
        proxy.close()


def kill_at_every_command(version, options, moments):
    product()
    worst, failures, runs, missed = 0, [], 0, 0
    with Scenario(version, drives=standard_drives(N_DRIVES, size=4 << 20, with_odd_ones=False)) as s:
        for index, (command, nth) in enumerate(commands_of_a_good_run(s, options)):
            for is_answered in moments(index):
                runs += 1
                try:
                    slowest = kill_at(s, options, command, nth, is_answered)
                    missed += slowest is None
                    worst = max(worst, slowest or 0)
                except AssertionError as reason:
                    when = "after" if is_answered else "before"
                    failures.append(f"{when} {command} number {nth}: {reason}")
                    recover(s)
    print(f"      {runs - missed} of {runs} runs killed, worst guest write {worst * 1000:.0f} ms")
    assert missed <= runs // 5, "too few were killed"
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures)


def recover(s):
    """So that the next one does not stumble over what this one has left; that the guest lives is required."""
    s.add_proxy()
    s.run("cleanup", s.proxy.path).wait(30)
    s.proxy.close()
    if not s.vm.is_running():
        s.vm.qmp.cmd("cont")
    wait_for(s.vm.is_running, 10, "the guest to run")
    s.take_note()


def killed_at_every_command(version):
    """At every second command: before it and after its answer in turn."""
    is_full = os.environ.get("VMABACKUP_FULL")
    kill_at_every_command(version, [], lambda index: (False, True) if is_full else [index % 4 == 2] * (index % 2 == 0))
    if is_full:
        kill_at_every_command(version, ["--no-vmstate"], lambda index: (False, True))


if __name__ == "__main__":
    main(slow=(killed_at_every_command,))
