#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A run outlives its terminal, lost or given back; other terminals find it, show it, steer it and leave it again."""
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, product, standard_drives, wait_for
from vmtest.tmux import Terminal

MIB = 1 << 20


def console(s, *arguments):
    return Terminal([product("vmabackup-tui"), *arguments], env=s.env)


def vmabackup(s, *arguments):
    """What it says on standard output."""
    return subprocess.run([product(), *arguments], env=dict(os.environ, **s.env), capture_output=True, text=True,
                          timeout=20, check=True).stdout


def lost_and_found(version):
    """The terminal goes; two others come, one of them to look only; each sees what the other and a cron job do."""
    with Scenario(version, drives=standard_drives(count=2, size=64 * MIB)) as s:
        with console(s, "--start", "--limit", "8M", "-o", s.archive, s.vm.monitor) as lost:
            lost.wait(r"▶ run +drive0")
        run = vmabackup(s, "runs").split()[0]
        with console(s, "--attach", run) as at, console(s, "--attach", s.vm.monitor, "--readonly") as looks_on:
            at.wait(r"▶ run +drive0")
            at.type("g", "j", "s")
            at.wait("speed limit: drive0")
            at.fill("1M")
            at.type("Enter")
            at.wait(r"▸▶ run +drive0 .* =?1\.0M")
            looks_on.wait(r"run +drive0 .* =?1\.0M")
            vmabackup(s, "limit", run, "drive0", "2M")
            for t in (at, looks_on):
                t.wait(r"run +drive0 .* =?2\.0M")
            looks_on.type("g", "j", "p")
            looks_on.wait("read-only: Pause is refused")
            at.type("p")
            for t in (at, looks_on):
                t.wait("‖ pause drive0")
            at.type("q")
            assert "the backup goes on" in at.must_end(0)
            vmabackup(s, "limit", run, "none")
            vmabackup(s, "limit", run, "drive0", "none")
            vmabackup(s, "resume", run)
            looks_on.wait("Exit status will be 0", seconds=60)
            looks_on.type("q")
            looks_on.must_end(0)
        assert not vmabackup(s, "runs"), "it is still there"
        s.must_be_exact(s.archive)
        s.must_be_untouched()


def given_back(version):
    """The operator detaches; who comes by lines instead of a screen may leave the run alone, or end it."""
    with Scenario(version, drives=standard_drives(count=2, size=64 * MIB)) as s:
        with console(s, "--start", "--limit", "2M", "-o", s.archive, s.vm.monitor) as t:
            t.wait(r"▶ run +drive0")
            t.type("q")
            t.wait_and_type("d", r"the backup goes on")
            told = re.sub(r"\s+", " ", t.must_end(0))
            run = re.search(r"vmabackup-tui --attach (\w{8})", told).group(1)
        looks_on = s.run("--attach", run, "--plain", program="vmabackup-tui")
        wait_for(lambda: looks_on.lines, 10, "its first line")
        looks_on.signal(signal.SIGINT)
        assert looks_on.wait() == 130, looks_on.report()
        at = s.run("--attach", run, "--json", program="vmabackup-tui")
        at.wait_event(ev="progress")
        at.say("cancel-all guest")
        at.wait_event(ev="result", status="cancelled")
        assert at.wait() == 4, at.report()
        assert not vmabackup(s, "runs"), "it is still there"
        s.must_be_untouched()


if __name__ == "__main__":
    main(lost_and_found, given_back)
