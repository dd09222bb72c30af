#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster stalled half-way on the job's export while the guest writes it, then the connection cut, then retried.

The filter's complete copy has to win over the job's torn one, whichever began first.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, of_push, product, standard_drives, wait_for
from vmtest.pattern import written_clusters
from vmtest.relay import CLUSTER, WRITE


def cluster_with_data(drive, seen):
    """One that has not come yet, holds data and is written to by the guest: a WRITE on both exports is to come."""
    base = open(drive.base, "rb").read()
    return next(c for c in sorted(written_clusters(drive.size))
                if c not in seen and base[c * CLUSTER:c * CLUSTER + CLUSTER].strip(b"\0"))


TORN = "what is pulled comes by no connection of which a part could be cut off"


@of_push(TORN)
def torn_cluster_is_exact(version):
    """Nothing else may change in QEMU's block graph while the cluster hangs: that would wait for it, and QMP with it.

    So both jobs are there before, and the second one is slow enough to be there afterwards.
    """
    product()
    for vmstate in (["--no-vmstate"], []):
        with Scenario(version, drives=standard_drives(count=2)) as s:
            proxy = s.add_proxy()
            proxy.relay(r"-tgt-0$")
            proxy.relay(r"-fl-0$")
            run = s.backup("--limit", "256K", *vmstate)
            wait_for(lambda: len(s.wait_copying(run)) == 2, 20, "both jobs")
            wait_for(lambda: s.vm.qmp.cmd("query-migrate").get("status") in (None, "completed"), 20, "the RAM")
            torn = next(r for n, r in proxy.relays.items() if "-tgt-0" in n)
            kept = next(r for n, r in proxy.relays.items() if "-fl-0" in n)
            seen = {offset // CLUSTER for _, offset, _ in torn.requests + kept.requests}
            reached = max(offset // CLUSTER for _, offset, _ in torn.requests)
            cluster = cluster_with_data(s.drives[0], seen | set(range(reached + 8)))
            torn.stall_write(cluster, after=30000)
            run.say("limit drive0 0")
            assert torn.stalled.wait(30), "the cluster did not come"
            assert (torn.export, kept.export) == ("d0", "f0")
            wait_for(lambda: (WRITE, cluster * CLUSTER, CLUSTER) in kept.requests, 60, "the guest to write there")
            assert run.process.poll() is None
            torn.cut()
            run.say("limit all 0")
            s.must_be_saved(run, restore=False)
            assert next(r for n, r in proxy.relays.items() if "-tgt-0" in n) is not torn, "there was no second connection"
            s.must_be_untouched()


@of_push(TORN)
def torn_cluster_then_cut_at_once(version):
    """The same, but the guest does not write there: the retry has to bring it."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        proxy = s.add_proxy()
        cluster = cluster_with_data(s.drives[0], set(range(20)))

        def cut_when_stalled(relay):
            relay.stall_write(cluster, after=1)
            relay.when_stalled = relay.cut
        proxy.relay(r"-tgt-0$", cut_when_stalled)
        s.must_be_saved(s.backup("--no-vmstate"))
        s.must_be_untouched()


if __name__ == "__main__":
    main(torn_cluster_then_cut_at_once, slow=(torn_cluster_is_exact,))
