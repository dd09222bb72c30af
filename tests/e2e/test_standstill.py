#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The program stands still (stopped, swapped out) for longer than QEMU's filters wait for it."""
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, product, wait_for
from vmtest.pattern import check_alone
from vmtest.restore import unpack

FILTERS_WAIT_S = 2  # with so many drives


def stand_still(run, seconds):
    """Stopped for so long; nothing can be waited for but the clock."""
    os.kill(run.process.pid, signal.SIGSTOP)
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > end, seconds + 5, "the time to pass")
    os.kill(run.process.pid, signal.SIGCONT)


def images_that_nobody_wrote_stand(version):
    """The guest was paused by its user meanwhile: no filter has waited, the run goes on to a good end."""
    product()
    with Scenario(version) as s:
        run = s.backup("--no-vmstate", "--limit", "512K")
        s.wait_copying(run)
        s.vm.qmp.cmd("stop")
        stand_still(run, FILTERS_WAIT_S + 2)
        s.vm.qmp.cmd("cont")
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched()


def images_that_broke_are_taken_again(version):
    """The guest writes all the time: QEMU gives its frozen images up, the guest goes on, new instants are taken."""
    product()
    with Scenario(version) as s:
        run = s.backup("--no-vmstate", "--limit", "512K")
        s.wait_copying(run)
        stand_still(run, FILTERS_WAIT_S + 4)
        run.wait_event(ev="drive", state="retry")
        run.say("limit all 0")
        run.must_succeed(status=3)
        images, _ = unpack(s.archive, s.path("unpacked"))
        rounds = {d.name: check_alone(s.drives, d.name, images[d.name]) for d in s.drives if d.is_counted_on()}
        instants = {e["instant_us"] for e in run.events if e["ev"] == "drive" and e["state"] == "done"}
        assert len(instants) > 1 and max(rounds.values()) - min(rounds.values()) > 1, f"{rounds} of {instants}"
        result = run.find(ev="result")
        assert "later instant" in result["text"], result
        s.must_be_untouched()


if __name__ == "__main__":
    main(images_that_broke_are_taken_again, slow=(images_that_nobody_wrote_stand,))
