#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command of a run refused once, cut off once, interrupted by a signal once, left unanswered: always undone.

A new step is covered by itself: see vmtest/commands.py.
"""
import collections
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Run, Scenario, main, product, standard_drives
from vmtest.commands import commands_of_a_good_run


def scenario(version):
    return Scenario(version, drives=standard_drives(count=1, size=4 << 20, with_odd_ones=False))


def attempt(s, options, number, prepare, during=None, may_need_cleanup=False):
    """One run through a fresh proxy; returns its exit status. Whatever it was, QEMU must be as before."""
    os.path.exists(s.archive) and os.unlink(s.archive)
    rule = prepare(s.add_proxy())
    run = s.backup(*options)
    if during:
        during(run, rule)
    status = run.wait(60)
    assert status == 0 or rule.has_come(), f"step {number} never came: {run.report()}"
    try:
        if may_need_cleanup and says_cleanup(run):
            assert status != 0, "left-overs, and yet it says that all is well"
            s.cleanup()
        s.must_be_untouched(rounds=16)
        assert status in (0, 3) or not os.path.exists(s.archive), "an archive although it failed"
        if status in (0, 3):
            s.must_be_exact(s.archive)
        assert status >= 0, "it crashed"
    except AssertionError as reason:
        raise AssertionError(f"status {status}, {reason}{run.report()}") from None
    finally:
        s.proxy.close()
    return status


def says_cleanup(run):
    return "vmabackup cleanup" in run.errors + "".join(run.lines)


def recover(s):
    """So that the next attempt does not stumble over what this one has left."""
    Run(["cleanup", s.vm.monitor], env=s.env).wait(30)
    if not s.vm.is_running():
        s.vm.qmp.cmd("cont")
    for capability in s.before.parts["capabilities"]:
        s.vm.qmp.cmd("migrate-set-capabilities", {"capabilities": [capability]})
    s.take_note()


def every_command(version, options, prepare, during=None, may_need_cleanup=False, stride=1):
    """All of them (or every so many), and only then the failures: from each the run after it starts anew."""
    product()
    statuses, failures = collections.Counter(), []
    with scenario(version) as s:
        for command, nth in commands_of_a_good_run(s, options)[::stride]:
            at = f"{command} number {nth}"
            try:
                statuses[attempt(s, options, at, lambda proxy: prepare(proxy, command, nth), during,
                                 may_need_cleanup)] += 1
            except AssertionError as reason:
                failures.append(f"at {at}: {reason}")
                recover(s)
    print(f"      {sum(statuses.values())} runs, exit statuses {dict(statuses)}")
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures)
    return statuses


def refused(version):
    """Where QEMU refuses to take something away, saying how to get rid of it is enough."""
    stride = 1 if os.environ.get("VMABACKUP_FULL") else 4
    for options in (["--no-vmstate"], []):
        every_command(version, options, lambda proxy, command, nth: proxy.fail(command, nth),
                      may_need_cleanup=True, stride=stride)


def interrupted(version):
    """SIGTERM while the command is on its way."""
    def interrupt(run, rule):
        rule.wait(30)
        run.signal(signal.SIGTERM)
        rule.release()
    statuses = every_command(version, [], lambda proxy, command, nth: proxy.hold(command, nth), interrupt)
    assert set(statuses) <= {143, 0}, statuses


def cut_off(version):
    """The monitor's connection breaks when the command comes by; the next connection works."""
    stride = 1 if os.environ.get("VMABACKUP_FULL") else 3
    every_command(version, ["--no-vmstate"], lambda proxy, command, nth: proxy.hang_up_at(command, nth), stride=stride)


def unanswered(version):
    """QEMU never gets it, in turn with: it does, but its answer is lost. Each takes a second to be noticed."""
    stride = 1 if os.environ.get("VMABACKUP_FULL") else 12
    every_command(version, ["--timeout", "1"], lambda proxy, command, nth: proxy.drop(command, nth),
                  may_need_cleanup=True, stride=stride)
    every_command(version, ["--timeout", "1"], lambda proxy, command, nth: proxy.drop_reply(command, nth),
                  may_need_cleanup=True, stride=stride + (stride > 1))


if __name__ == "__main__":
    main(refused, slow=(interrupted, cut_off, unanswered))
