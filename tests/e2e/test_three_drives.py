#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Three drives: one cancelled at half, one whose read fails once and is retried, one untouched.

The archive is accepted by the strict reader, holds exactly the two that survived, and each equals what it was while our
"cont" was held.
"""
import dataclasses
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, Store, engine, main, product, standard_drives, wait_for
from vmtest.drives import fill_base
from vmtest.pattern import first_difference, written_clusters
from vmtest.relay import CLUSTER
from vmtest.restore import unpack

LIMIT = "4M"


def cluster_left_alone(drive):
    """The last one with data; the guest neither writes nor reads there, so that the fault waits for the copy."""
    taken = written_clusters(drive.size) | {0}
    with tempfile.NamedTemporaryFile() as image:
        fill_base(image.name, drive.size, f"{drive.name} 0")  # as the guest's image will be made
        base = image.read()
    return next(c for c in reversed(range(drive.size // CLUSTER))
                if c not in taken and base[c * CLUSTER:c * CLUSTER + CLUSTER].strip(b"\0"))


class SlowDrive(Drive):
    """Its faults come when all jobs are long under way: of a job that is paused at the moment of an error, as jobs are while
    others start, QEMU forgets the error and copies the cluster anew (backup_loop), and this one fails only once."""

    def _fault_node(self):
        group = {"qom-type": "throttle-group", "id": f"slow-{self.name}", "limits": {"bps-total": 4 << 20}}
        slow = {"driver": "throttle", "node-name": f"slow-{self.name}", "throttle-group": group["id"],
                "file": f"file-{self.name}"}
        rules = [{"event": "none", "errno": 5, **rule} for rule in self.faults]
        faulty = {"driver": "blkdebug", "node-name": f"faulty-{self.name}", "image": slow["node-name"],
                  "inject-error": rules}
        return ["-object", json.dumps(group), "-blockdev", json.dumps(slow), "-blockdev", json.dumps(faulty)]


def drives_with_a_fault():
    cancelled, untouched, third = standard_drives(count=3, size=32 << 20, with_odd_ones=False)
    fault = {"iotype": "read", "sector": cluster_left_alone(third) * 128 + 5, "once": True}
    faults = (fault,) if engine() == "push" else (fault, fault)  # pull asks for each cluster of a request once more
    return cancelled, untouched, SlowDrive(**{**dataclasses.asdict(third), "faults": faults})


def limits(*drives):
    return [word for drive in drives for word in ("--limit", f"{drive.name}={LIMIT}")]


def cancel_at_half(s, run, drive):
    def is_half_done():
        events = [e for e in list(run.events) if e["ev"] == "progress"]
        return events and next(d["done"] for d in events[-1]["devices"] if d["id"] == drive.name) >= drive.size // 2
    wait_for(is_half_done, 40, f"half of {drive.name}")
    run.say(f"cancel {drive.name} yes")
    run.wait_event(ev="drive", id=drive.name, state="cancelled")


def three_fates(version, archive="a.vma", into_store=False):
    """On the first version the operator retries, on the other the program does so by itself; that one has the RAM, too."""
    product()
    is_asked = version == "7.2"
    options = ["--no-vmstate", "--retries", "0"] if is_asked else []
    cancelled, untouched, faulty = drives_with_a_fault()
    with Scenario(version, drives=[cancelled, untouched, faulty]) as s:
        store = Store(s.path("store")) if into_store else None
        s.archive = store.dir if store else s.path(archive)
        hold = s.add_proxy().hold("cont")
        run = s.backup(*limits(cancelled, untouched), *options)
        hold.wait(30)
        copies = s.copy_images()
        hold.release()
        if is_asked:
            run.wait_event(ev="drive", id=faulty.name, state="fail")
            run.say(f"retry {faulty.name}")
        else:
            run.wait_event(ev="drive", id=faulty.name, state="retry")
        cancel_at_half(s, run, cancelled)
        run.say("limit all 0")
        run.must_succeed(status=3)
        assert run.find(ev="result")["missing"] == [cancelled.name], run.report()
        images, vmstate = (store.unpack(store.latest(), s.path("unpacked")) if store
                           else unpack(s.archive, s.path("unpacked")))
        assert set(images) == {untouched.name, faulty.name}, sorted(images)
        assert bool(vmstate) != is_asked
        for name, image in images.items():
            at = first_difference(open(copies[name], "rb").read(), open(image, "rb").read())
            assert at is None, f"{name} differs from the stopped drive at byte {at}"
        s.must_be_untouched()


def three_fates_packed(version):
    """The same in a compressed archive: what was cancelled is skipped by whoever unpacks it."""
    three_fates(version, archive="a.vma.zst")


def three_fates_stored(version):
    """The same in a store: the snapshot is without what was cancelled."""
    three_fates(version, into_store=True)


if __name__ == "__main__":
    main(three_fates, slow=(three_fates_packed, three_fates_stored))
