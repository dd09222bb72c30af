#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One drive of several meets its fate: its job is cancelled by somebody else, it is unplugged, it is retried."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, Skip, main, older_than, product, standard_drives, wait_for


def cancelled_by_somebody_else_then_retried(version):
    """It fails with a clear line; the retry goes on at the same instant, and all is well in the end. (disk1 is pushed.)"""
    product()
    with Scenario(version, drives=standard_drives(count=3)) as s:
        run = s.backup("--no-vmstate", "--limit", "512K")
        wait_for(lambda: len(s.wait_copying(run)) == 3, 20, "three drives that are read")
        s.end_copy(1)
        run.wait_event(ev="drive", id="disk1", state="fail")
        error = run.wait_event(ev="error")
        assert "cancelled by somebody else" in error["text"] and "retry disk1" in error["hint"], error
        run.say("retry disk1")
        run.wait_event(ev="reply", ok=True)
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched()


def cancelled_by_somebody_else_for_good(version):
    """Nobody retries it: the archive is without it, and says so."""
    product()
    with Scenario(version, drives=standard_drives(count=3)) as s:
        run = s.backup("--no-vmstate", "--limit", "512K", "--retries", "0")  # a lost export is retried by itself
        wait_for(lambda: len(s.wait_copying(run)) == 3, 20, "three drives that are read")
        s.end_copy(2)
        run.wait_event(ev="drive", id="disk2", state="fail")
        run.say("limit all 0")
        run.must_succeed(status=3)
        result = run.find(ev="result")
        assert result["missing"] == ["disk2"] and "disk2" in result["text"], result
        s.must_be_untouched()


def unplugged_in_mid_run(version):
    """The drive's node stays until its job is done: it is saved, and nothing is put back into a device that is gone."""
    product()
    with Scenario(version, drives=standard_drives(count=4)) as s:
        run = s.backup("--no-vmstate", "--limit", "512K")
        wait_for(lambda: len(s.wait_copying(run)) == 4, 20, "four drives that are read")
        s.vm.qmp.cmd("stop")  # a guest whose drive vanishes while it counts on it would say BAD
        s.vm.qmp.cmd("device_del", {"id": "disk2"})
        wait_for(lambda: all(d["qdev"] != "disk2" for d in s.vm.qmp.cmd("query-block") if "qdev" in d), 20, "it to be gone")
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched(rounds=0, ignore=("drives", "status"))


def ram_that_qemu_cannot_move(version):
    """Its images cannot be opened again, as where a daemon's have relative names: the drives are saved without the RAM."""
    product()
    if not older_than(version, "9.0"):
        raise Skip("only a plain migration opens the images again")
    with Scenario(version, drives=standard_drives(count=2, with_odd_ones=False)) as s:
        for drive in s.drives:
            os.rename(drive.path, f"{drive.path}.elsewhere")
        run = s.backup("--strict")
        s.must_have_failed(run, status=1)
        s.must_be_untouched(rounds=8)
        run = s.backup()
        s.must_be_saved(run, status=3)
        assert run.find(ev="result")["missing"] == ["vmstate"], run.report()
        assert any("RAM is left out: guest could not go on after it" in (e.get("text") or "") for e in run.events), run.report()
        s.must_be_untouched(rounds=8)


if __name__ == "__main__":
    main(cancelled_by_somebody_else_then_retried, cancelled_by_somebody_else_for_good, ram_that_qemu_cannot_move, unplugged_in_mid_run)
