#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits: what is said while it runs reaches QEMU; a budget of the whole backup is kept within 5 % over 10 s."""
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Drive, Scenario, main, of_push, older_than, product, standard_drives, wait_for
from vmtest.relay import CLUSTER, WRITE

MIB = 1 << 20
BUDGET = 8 * MIB
WINDOW_S = 10


def speeds(s):
    return [j["speed"] for j in sorted(s.jobs(), key=lambda j: j["device"])]


def limit_is_live(version):
    product()
    with Scenario(version, drives=standard_drives(count=2, size=192 << 20)) as s:
        run = s.backup("--limit", "4M", "--limit", "drive0=1M", "--no-vmstate")
        s.wait_copying(run)
        assert all(speed > 0 for speed in speeds(s))
        wait_for(lambda: run.device("disk1").get("limit_shared"), 10, "disk1 to be told its share")
        assert run.device("drive0")["limit"] == MIB and not run.device("drive0").get("limit_shared")
        assert run.device("disk1")["limit"] >= 2.9 * MIB
        run.say("limit drive0 +100%")
        new = run.wait_event(ev="limit", id="drive0", old=MIB)["new"]
        assert 1.9 * MIB <= new <= 2.1 * MIB, new
        wait_for(lambda: run.device("drive0").get("limit_wanted") == new, 5, "the new limit to be in force")
        run.say('{"id":7,"cmd":"limit","target":"all","bps":1048576}')
        run.wait_event(ev="reply", id=7, ok=True)
        wait_for(lambda: run.device("drive0").get("limit_shared"), 5, "drive0 to have no more than its share")
        run.say("limit nosuch 5M")
        run.wait_event(ev="reply", ok=False)
        run.say("pause drive0")
        wait_for(lambda: s.is_paused(run, "drive0"), 5, "a drive that is paused")
        run.say("resume drive0")
        run.say("limit all none")
        run.say("limit drive0 0")
        wait_for(lambda: not any(speeds(s)), 5, "QEMU to know of no limit")
        s.must_be_saved(run)
        s.must_be_untouched()


BY_SOCKET = "what is pulled comes by no socket where it could be counted; test_pull.py counts it in QEMU"


class Intake:
    """Counts what the product takes in, between it and QEMU: each cluster of data once, whoever brings it."""

    def __init__(self, s):
        self.proxy = s.add_proxy()
        self.proxy.relay(r"-(fl|tgt)-\d+$", nth=None)
        self._held, self._seen = set(), {}

    def bytes(self):
        for name, relay in list(self.proxy.relays.items()):
            drive, at = name.rsplit("-", 1)[1], self._seen.get(name, 0)
            fresh = relay.requests[at:]
            self._seen[name] = at + len(fresh)
            for kind, offset, length in fresh:
                if kind == WRITE:
                    self._held.update((drive, c) for c in range(offset // CLUSTER, -(-(offset + length) // CLUSTER)))
        return len(self._held) * CLUSTER

    def must_be_kept(self, what, meanwhile=()):
        """Over 10 s, in which meanwhile = [(second, function)] happens.

        A second's data may come all in its first half, and does no more when another drive goes on: so the window begins
        where a second of the product begins, which is before most of the data comes.
        """
        todo, samples, begin = list(meanwhile), [], time.monotonic()

        def is_over():
            passed = time.monotonic() - begin
            while todo and passed >= todo[0][0]:
                todo.pop(0)[1]()
            samples.append((passed, self.bytes()))
            return passed >= WINDOW_S + 1.2
        wait_for(is_over, WINDOW_S + 5, "the window to pass", step=0.05)
        def held(at):
            return next(amount for passed, amount in samples if passed >= at)

        def comes_after(start):
            return sum(held(start + second + 0.3) - held(start + second) for second in range(WINDOW_S))
        start = max((tenth / 10 for tenth in range(10)), key=comes_after)
        rate = (held(start + WINDOW_S) - held(start)) / WINDOW_S
        print(f"      {what}: {rate / BUDGET - 1:+.1%} of the budget")
        assert abs(rate / BUDGET - 1) <= 0.05, f"{what}: {rate / MIB:.2f} MiB/s instead of {BUDGET / MIB:.0f}"


@of_push(BY_SOCKET)
def budget_is_kept(version):
    """Three drives: the first ends early, the second is paused and resumed, the third is more than half holes."""
    product()
    drives = [Drive("drive0", size=32 * MIB, is_dense=True), Drive("disk1", size=96 * MIB, style="blockdev", is_dense=True, is_idle=True),
              Drive("disk2", size=320 * MIB, style="blockdev", bus="iothread", is_idle=True)]
    with Scenario(version, drives=drives) as s:
        intake = Intake(s)
        run = s.backup("--limit", str(BUDGET), "--no-vmstate")
        s.wait_copying(run)
        s.vm.wait_rounds(LAP)  # the guest's first writes to each cluster come at once, whatever the limit …
        before = intake.bytes()
        wait_for(lambda: intake.bytes() > before + 2 * BUDGET, 20, "the copy to go on")  # … and then the rest makes up for it
        intake.must_be_kept("one ends, one is paused", [(4, lambda: run.say("pause disk1"))])
        assert run.device("drive0")["state"] == "done"
        intake.must_be_kept("one is resumed", [(1, lambda: run.say("resume disk1"))])
        run.signal(signal.SIGINT)
        run.must_succeed(status=130)
        s.must_be_untouched()


def ram_is_limited(version):
    """A plain migration by its bandwidth; a background snapshot says why it cannot be."""
    product()
    with Scenario(version) as s:
        if not older_than(version, "9.0"):
            run = s.backup("--limit", "vmstate=1M")
            assert run.wait() == 2 and "cannot be slowed" in run.report()
            s.must_be_untouched()
            return
        run = s.backup("--limit", "vmstate=512K")
        limit = lambda: s.vm.qmp.cmd("query-migrate-parameters")["max-bandwidth"]
        wait_for(lambda: limit() == 512 << 10, 20, "the limit to reach QEMU")
        run.say("limit vmstate 8M")
        wait_for(lambda: limit() == 8 * MIB, 5, "the new limit to reach QEMU")
        run.say("limit vmstate none")
        s.must_be_saved(run)
        s.must_be_untouched()


if __name__ == "__main__":
    main(limit_is_live, slow=(budget_is_kept, ram_is_limited))
