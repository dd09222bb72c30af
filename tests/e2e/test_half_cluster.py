#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster stalled half-way on the job's export while the guest writes it, then the connection cut, then retried.

The filter's complete copy has to win over the job's torn one, whichever began first.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, product, standard_drives, wait_for
from vmtest.pattern import written_clusters
from vmtest.relay import CLUSTER, WRITE


def cluster_with_data(drive, first):
    """The first cluster that holds data and a slot of the guest: it comes as a WRITE, and the guest writes it soon."""
    base = open(drive.base, "rb").read()
    return next(c for c in sorted(written_clusters(drive.size))
                if c >= first and base[c * CLUSTER:c * CLUSTER + CLUSTER].strip(b"\0"))


def torn_cluster_is_exact(version):
    product()
    for vmstate in (["--no-vmstate"], []):
        with Scenario(version, drives=standard_drives(count=2)) as s:
            cluster = cluster_with_data(s.drives[0], 40)
            proxy = s.add_proxy()
            proxy.relay(r"-tgt-0$", lambda relay: relay.stall_write(cluster, after=30000))
            proxy.relay(r"-fl-0$")
            run = s.backup(*vmstate)
            torn = wait_for(lambda: next((r for n, r in list(proxy.relays.items()) if "-tgt-0" in n), None), 30,
                            "the job's connection")
            assert torn.stalled.wait(30), "the cluster did not come"
            kept = next(r for n, r in proxy.relays.items() if "-fl-0" in n)
            assert (torn.export, kept.export) == ("d0", "f0")
            wait_for(lambda: (WRITE, cluster * CLUSTER, CLUSTER) in kept.requests, 60, "the guest to write there")
            assert run.process.poll() is None
            torn.cut()
            s.must_be_saved(run, restore=False)
            assert [n for n in proxy.relays if "-tgt-0" in n], "a new connection"
            s.must_be_untouched()


def torn_cluster_then_cut_at_once(version):
    """The same, but the guest does not write there: the retry has to bring it."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        proxy = s.add_proxy()
        cluster = cluster_with_data(s.drives[0], 20)

        def cut_when_stalled(relay):
            relay.stall_write(cluster, after=1)
            relay.when_stalled = relay.cut
        proxy.relay(r"-tgt-0$", cut_when_stalled)
        s.must_be_saved(s.backup("--no-vmstate"))
        s.must_be_untouched()


if __name__ == "__main__":
    main(torn_cluster_is_exact, torn_cluster_then_cut_at_once)
