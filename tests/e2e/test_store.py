#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Backups into a store: what casync unpacks of a snapshot is what the guest held at its instant, however the run went."""
import fcntl
import json
import os
import pathlib
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Scenario, Skip, Store, main, product, standard_drives, wait_for
from vmtest.pattern import first_difference
from vmtest.restore import prove

MIB = 1 << 20


def must_be_exact(s, store, ram=False, drives=None):
    """The newest snapshot; returns its images."""
    images, vmstate = store.unpack(store.latest(), s.path("unpacked"))
    assert bool(vmstate) == ram, store.latest()
    assert set(images) >= {d.name for d in drives or s.drives if d.is_counted_on()}, sorted(images)
    with s.at_rest():
        prove(s, drives or s.drives, images, vmstate)
    store.must_be_clean()
    return images


def result_of(run):
    return run.find(ev="result")


def backups_of_a_guest_that_writes(version):
    """Two, with RAM; the guest overtakes the copy, so that its writes begin chunks that the job ends."""
    product()
    with Scenario(version, rounds=40) as s:
        store = Store(s.path("store"))
        for turn in range(2):
            run = s.backup("--limit", "4M", output=store.dir)
            s.wait_copying(run)
            s.vm.wait_rounds(30)
            run.say("limit all 0")
            run.must_succeed()
            assert result_of(run)["sink"] == store.latest(), run.report()
            must_be_exact(s, store, ram=True)
        assert len(store.snapshots()) == 2
        kept = json.load(open(f"{store.latest()}/vmabackup.json"))
        assert kept["guest"] == "guest" and len(kept["drives"]) == 4, kept
        assert "finished OK" in open(f"{store.dir}/guest/backup.log").read()
        s.must_be_untouched()


def snapshot_equals_the_stopped_images(version):
    """Copied while our "cont" is held."""
    product()
    with Scenario(version) as s:
        store = Store(s.path("store"), chunk=128 << 10)
        hold = s.add_proxy().hold("cont")
        run = s.backup("--no-vmstate", output=store.dir)
        hold.wait(30)
        copies = s.copy_images()
        hold.release()
        s.vm.wait_rounds(20)
        run.must_succeed()
        images = must_be_exact(s, store)
        for name, copy in copies.items():
            at = first_difference(open(copy, "rb").read(), open(images[name], "rb").read())
            assert at is None, f"{name} differs from the stopped drive at byte {at}"
        s.must_be_untouched()


def unchanged_drives_cost_nothing(version):
    """The guest stands still: the second snapshot is whole, and new in it are some bytes."""
    product()
    with Scenario(version) as s:
        store = Store(s.path("store"))
        with s.at_rest():
            first = s.backup("--no-vmstate", output=store.dir)
            first.must_succeed()
            before = store.bytes_of_chunks()
            second = s.backup("--no-vmstate", output=store.dir)
            second.must_succeed()
        assert result_of(first)["new_bytes"] > MIB, first.report()
        assert not result_of(second).get("new_bytes"), second.report()
        assert "new 0 of" in result_of(second)["text"], second.report()
        assert store.bytes_of_chunks() == before
        must_be_exact(s, store)
        with s.at_rest():
            for old in store.snapshots():
                prove(s, s.drives, store.unpack(old, s.path("again"))[0], None)
        s.must_be_untouched()


def cancelled_and_retried_drives(version):
    """One is cancelled, and is not there; one is ended by somebody else, and retried; all others are exact."""
    product()
    with Scenario(version, drives=standard_drives(count=3)) as s:
        store = Store(s.path("store"))
        run = s.backup("--no-vmstate", "--limit", "512K", output=store.dir)
        wait_for(lambda: len(s.wait_copying(run)) == 3, 20, "three drives that are read")
        run.say("cancel disk2 yes")
        run.wait_event(ev="drive", id="disk2", state="cancelled")
        s.end_copy(1)
        run.wait_event(ev="drive", id="disk1", state="fail")
        run.say("retry disk1")
        run.wait_event(ev="reply", ok=True)
        run.say("limit all 0")
        run.must_succeed(status=3)
        images = must_be_exact(s, store, drives=[d for d in s.drives if d.name != "disk2"])
        assert "disk2" not in images
        s.must_be_untouched()


def what_is_missing_is_told(version):
    """A backup that lacks a drive does not look like a whole one, and prune keeps the last whole one beside it."""
    product()
    with Scenario(version) as s:
        store = Store(s.path("store"))
        s.backup("--no-vmstate", output=store.dir).must_succeed()
        lost = next(d.name for d in s.drives if d.is_counted_on())
        run = s.backup("--no-vmstate", "--track", "no", "--limit", "1M", output=store.dir)
        s.wait_copying(run)
        run.say(f"cancel {lost} yes")
        run.say("limit all 0")
        assert run.wait(60) == 3, run.report()
        listed = json.loads(subprocess.run([product(), "list", "--json", store.dir], check=True, capture_output=True).stdout)
        assert [one["missing"] for one in listed["snapshots"]] == [[], [lost]], listed
        said = subprocess.run([product(), "verify", store.latest()], capture_output=True, text=True, check=False)
        assert said.returncode == 3 and f"incomplete: {lost}" in said.stderr, said
        first, second = store.snapshots()
        subprocess.run([product(), "prune", "--keep-last", "1", store.dir], check=True)
        assert store.snapshots() == [first, second]


def cancelled_runs_leave_nothing(version):
    """In mid-copy."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        store = Store(s.path("store"))
        run = s.backup("--no-vmstate", "--limit", "1M", output=store.dir)
        s.wait_copying(run)
        run.say("cancel-all guest")
        assert run.wait() == 4, run.report()
        store.must_be_clean()
        assert not store.snapshots()
        s.must_be_untouched()


def killed_runs_do_no_harm(version):
    """Wherever: no snapshot shows, and the next run takes away what is left."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        store = Store(s.path("store"))
        for after in (0, MIB, 6 * MIB):
            run = s.backup("--no-vmstate", "--limit", "8M", output=store.dir)
            s.wait_copying(run, max(after, 1))
            run.kill()
            assert store.partials() and not store.snapshots()
            s.cleanup()
        run = s.backup("--no-vmstate", output=store.dir)
        run.must_succeed()
        must_be_exact(s, store)
        s.must_be_untouched(rounds=LAP)


def mount_small(s, mib):
    """A file system that is soon full; None where that cannot be had."""
    folder, image = s.path("small"), s.path("small.img")
    os.mkdir(folder)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder],
                                           capture_output=True).returncode:
        return None
    s.at_end(lambda: subprocess.run(["umount", folder], check=True))
    return folder


def full_store_waits(version):
    """No room: it waits, and goes on when there is some; the guest does not notice."""
    product()
    with Scenario(version, drives=standard_drives(count=3)) as s:
        folder = mount_small(s, 14)
        if not folder:
            raise Skip("no file system can be mounted here")
        store = Store(os.path.join(folder, "store"))
        ballast = pathlib.Path(folder, "ballast")
        ballast.write_bytes(b"x" * (8 * MIB))
        run = s.backup("--no-vmstate", output=store.dir)
        run.wait_event(ev="log", level="warning", text="target is full: waiting up to 10 min")
        s.vm.wait_rounds(30)
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
        run.must_succeed()
        must_be_exact(s, store)
        s.must_be_untouched()


def two_guests_into_one_store(version):
    """At once."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as a, Scenario(version, drives=standard_drives(count=2), seed=7, name="other") as b:
        store = Store(a.path("store"))
        runs = [(s, s.backup("--no-vmstate", "--limit", "4M", output=store.dir)) for s in (a, b)]
        for s, run in runs:
            s.wait_copying(run)
        for _, run in runs:
            run.say("limit all 0")
        for s, run in runs:
            run.must_succeed()
        for s, guest in ((a, "guest"), (b, "other")):
            images, _ = store.unpack(store.latest(guest), s.path("unpacked"))
            prove(s, s.drives, images, None)
            s.must_be_untouched()
        store.must_be_clean()


def store_being_collected(version):
    """Somebody has it for himself, and does not let go: exit 7, and the guest is not touched."""
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        store = Store(s.path("store"))
        with open(os.path.join(store.dir, "lock"), "w") as lock:
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqixxxx", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
            run = s.backup("--no-vmstate", output=store.dir)
            assert run.wait() == 7, run.report()
        assert "its unused chunks are being removed; try again later" in result_of(run)["text"], run.report()
        s.backup("--no-vmstate", output=store.dir).must_succeed()
        s.must_be_untouched()


def targets_that_are_none(version):
    """A folder that is no store, and options that do not go with one."""
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        store, folder = Store(s.path("store")), s.path("folder")
        os.mkdir(folder)
        for arguments, output, status, word in (([], folder, 6, "A new store: vmabackup store init"),
                                                (["--level", "0"], store.dir, 2, "always packed"),
                                                (["--keep-partial"], store.dir, 2, "--keep-partial")):
            run = s.backup(*arguments, output=output)
            assert run.wait() == status and word in run.errors, run.report()
        s.must_be_untouched()


if __name__ == "__main__":
    main(snapshot_equals_the_stopped_images, cancelled_and_retried_drives, targets_that_are_none, what_is_missing_is_told,
         slow=(backups_of_a_guest_that_writes, unchanged_drives_cost_nothing, cancelled_runs_leave_nothing,
               killed_runs_do_no_harm, full_store_waits, two_guests_into_one_store, store_being_collected),
         both=[backups_of_a_guest_that_writes])
