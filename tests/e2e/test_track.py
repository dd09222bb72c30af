#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Only what has changed since the last backup is read: every snapshot is what the guest held at its instant all the same."""
import glob
import json
import os
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import QmpError, Scenario, Store, main, older_than, product, standard_drives
from vmtest.drives import MIB, Drive
from vmtest.env import engine
from vmtest.pattern import first_difference
from vmtest.restore import prove

CHUNK = 128 << 10


def node_of(drive):
    return drive.name if drive.style == "drive" else f"node-{drive.name}"


class Tracked(Scenario):
    """A guest and a store. At rest it does not run: what changes, write() changes, and each snapshot is compared at once."""

    def __init__(self, version, is_at_rest=True, chunk=CHUNK, drives=None, **options):
        drives = drives or standard_drives()
        if engine() == "pull" and older_than(version, "10.0"):
            for drive in drives:
                drive.bus = "virtio" if drive.bus == "iothread" else drive.bus  # else none is pulled
        super().__init__(version, drives, **({"rounds": 0, "extra": ("-S",)} if is_at_rest else {}), **options)
        self.store = Store(self.path("store"), chunk=chunk)

    def counted(self):
        return [d for d in self.drives if d.is_counted_on()]

    def write(self, seed, drives=None, n=6):
        """In some places, some of them discards."""
        dice = random.Random(seed)
        for drive in drives or self.counted():
            for _ in range(n):
                at, length = dice.randrange(0, drive.size - 65536, 512), 512 * dice.randrange(1, 100)
                what = dice.choice((f"write -P {dice.randrange(1, 255)}", "write -z", "discard"))
                self.io(drive, f"{what} {at} {length}")
            self.io(drive, "flush")  # QEMU's own view is what others shall read

    def save(self, *options, status=0, output=None):
        """One backup; its snapshot is what the drives hold."""
        run = self.backup("--no-vmstate", *options, output=(output or self.store).dir)
        run.must_succeed(status=status)
        if not self.vm.is_running():
            self.must_hold(output or self.store)
        return run

    def contents(self):
        """{drive: bytes} of what they hold now."""
        return {name: open(path, "rb").read() for name, path in self.copy_images().items()}

    def must_hold(self, store, wanted=None):
        images, _ = store.unpack(store.latest(), self.path("unpacked"))
        for name, content in (wanted or self.contents()).items():
            at = first_difference(content, open(images[name], "rb").read())
            assert at is None, f"{name} differs from its image at byte {at}"

    def bitmaps(self, are_witnesses=False):
        """{drive: its bitmaps of ours, or their witnesses}; what is frozen for a run belongs to no drive."""
        nodes = {n["node-name"]: [b["name"] for b in n.get("dirty-bitmaps", []) if b["name"].endswith("-end") == are_witnesses]
                 for n in self.vm.qmp.cmd("query-named-block-nodes")}
        assert not [b for names in nodes.values() for b in names if "changed" in b], nodes
        found = {}
        for entry in self.vm.qmp.cmd("query-block"):
            for drive in self.counted():
                if entry["device"] == drive.name or entry.get("inserted", {}).get("node-name") == node_of(drive):
                    found[drive.name] = [without_image(b) for b in nodes[entry["inserted"]["node-name"]]]
        return found

    def bitmap_on(self, node, run):
        """As arguments of commands."""
        (found,) = [b["name"] for n in self.vm.qmp.cmd("query-named-block-nodes") if n["node-name"] == node
                    for b in n.get("dirty-bitmaps", []) if b["name"].startswith(bitmap_of(run)) and not b["name"].endswith("-end")]
        return {"node": node, "name": found}

    def must_count(self, run, others={}):
        """Each drive has one bitmap: this run's, or that of another."""
        expected = {d.name: [bitmap_of(others.get(d.name, run))] for d in self.counted()}
        assert self.bitmaps() == expected, (self.bitmaps(), expected)
        assert self.bitmaps(are_witnesses=True) == expected, (self.bitmaps(are_witnesses=True), expected)


def bitmap_of(run):
    """Without what it says of the drive's image: see qemu/tracking.h."""
    return f"vmb-{run.find(ev='hello')['job']}"


def without_image(name):
    return re.sub("^(vmb-[0-9a-f]{8})-[0-9a-f]{8}$", r"\1", name.removesuffix("-end"))


def must_tell(run, is_late=False, **sentences):
    """Of drives, how the sentence in the plan begins; `all`: of those that are not named. is_late: it came to something else."""
    plan = {d["id"]: d for d in run.find(ev="plan")["devices"] if d["included"] and d["kind"] == "drive"}
    assert plan
    for name, device in plan.items() if sentences else ():
        wanted = sentences.get(name, sentences.get("all", ""))
        assert device.get("track", "").startswith(wanted), (name, wanted, device)
        assert bool(device.get("incremental")) != wanted.startswith("reads"), device
        late = [e for e in run.events if e["ev"] == "log" and f"drive {name}: reads everything" in e["text"]]
        assert is_late or wanted.startswith("reads") or not late, late


def must_read_all_in_the_end(run, why):
    """Not known in the plan."""
    assert [e for e in run.events if e["ev"] == "log" and "reads everything" in e["text"] and why in e["text"]], run.report()


def backups_of_a_guest_that_writes(version):
    """The second and third read what has changed, also while the guest overtakes them."""
    product()
    with Tracked(version, is_at_rest=False) as s:
        must_tell(s.save(), all="reads everything: no backup")
        for _ in range(2):
            s.vm.wait_rounds(30)
            run = s.backup("--no-vmstate", "--limit", "2M", output=s.store.dir)
            s.wait_copying(run)
            s.vm.wait_rounds(20)
            run.say("limit all 0")
            run.must_succeed()
            must_tell(run, all="changed since")
            s.must_count(run)
        assert len(s.store.snapshots()) == 3
        for at in s.store.snapshots():
            images, _ = s.store.unpack(at, s.path("unpacked"))
            with s.at_rest():
                prove(s, s.drives, images, None)
        s.must_be_untouched()


def with_ram(version):
    """By whichever way this QEMU saves it."""
    product()
    with Tracked(version, is_at_rest=False) as s:
        for turn in range(3):
            run = s.backup(output=s.store.dir)
            run.must_succeed()
            must_tell(run, all="changed since" if turn else "reads everything")
            s.must_count(run)
            s.vm.wait_rounds(20)
        images, vmstate = s.store.unpack(s.store.latest(), s.path("unpacked"))
        with s.at_rest():
            prove(s, s.drives, images, vmstate)
        s.must_be_untouched()


def save_and_ask(s, *options):
    """The run, what QEMU's jobs have read in it, and all that QEMU has."""
    s.vm.qmp.pump(0.1)
    s.vm.qmp.events.clear()
    before = s.vm.bytes_read()
    run = s.backup("--no-vmstate", *options, output=s.store.dir)
    run.must_succeed()
    amount = s.vm.bytes_read() - before
    s.vm.qmp.pump(0.1)
    s.must_hold(s.store)
    return run, [e["data"]["offset"] for e in s.vm.qmp.events if e["event"] == "BLOCK_JOB_COMPLETED"], amount


def only_changes_are_read(version):
    """By what QEMU's jobs, or QEMU for us, have read: of an unchanged drive its last chunk."""
    product()
    with Tracked(version) as s:
        s.save()
        for turn in range(5):
            if turn:
                s.write(turn)
            run, jobs, amount = save_and_ask(s)
            must_tell(run, all="changed since" if turn else "nothing has changed")
            assert turn or not run.find(ev="result").get("new_bytes"), run.report()
            most = (13 if turn else 1) * CHUNK  # the end: see end_mark.h
            pulled = [d.name for d in s.counted() if d.name in run.pulled()]
            assert len(jobs) == len(s.counted()) - len(pulled), (jobs, run.report())
            assert all(0 < offset <= most and not offset % 512 for offset in jobs), jobs
            assert amount <= most * len(s.counted()) + MIB, amount
        s.must_be_untouched()


def bitmaps_that_are_gone(version):
    """By hand, by another size, by an overlay: everything is read, and counted again from then on."""
    product()
    with Tracked(version) as s:
        first = s.save()
        s.write(1)
        s.vm.qmp.cmd("block-dirty-bitmap-remove", s.bitmap_on("node-disk1", first))
        s.vm.qmp.cmd("block-dirty-bitmap-disable", s.bitmap_on("node-disk2", first))
        s.write(2)
        run = s.save()
        must_tell(run, disk1="reads everything: its bitmap is gone", disk2="reads everything: its bitmap has been switched off",
                  all="changed since")
        s.must_count(run)
        s.write(3)
        must_tell(s.save(), all="changed since")
        s.vm.qmp.cmd("block_resize", {"node-name": "node-disk1", "size": 18 * MIB})
        s.drives[1].size = 18 * MIB
        s.write(4)
        run = s.save()
        must_tell(run, disk1="reads everything: it has another size than then: 18.0M, not 16.0M", all="changed since")
        s.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": "node-disk2", "snapshot-file": s.path("overlay"), "snapshot-node-name": "over",
                                                "format": "qcow2"})
        run = s.backup("--no-vmstate", output=s.store.dir)
        run.must_succeed()
        must_tell(run, disk2="reads everything: its bitmap is gone", all="nothing has changed")
        s.must_hold(s.store)
        run = s.backup("--no-vmstate", output=s.store.dir)
        run.must_succeed()
        must_tell(run, all="nothing has changed")


def chunks_of_zeros(version):
    """What was data and is zeros now comes in one go, by the job and by the filter: it must not be taken for unchanged."""
    product()
    for chunk in (64 << 10, MIB):
        with Tracked(version, chunk=chunk) as s:
            disk1 = next(d for d in s.counted() if d.name == "disk1")
            s.io(disk1, "write -P 77 0 16M")
            s.io(disk1, "flush")
            s.save()
            s.io(disk1, "write -P 78 0 4M")
            s.io(disk1, "write -z 8M 8M")
            s.io(disk1, "flush")
            wanted = s.contents()
            run = s.backup("--no-vmstate", "--limit", "300K", output=s.store.dir)
            s.wait_copying(run)
            s.io(disk1, "write -P 99 12M 4M")
            run.say("limit all 0")
            run.must_succeed()
            must_tell(run, disk1="changed since")
            s.must_hold(s.store, wanted)


def another_node_meanwhile(version):
    """Somebody's snapshot after the bitmap has begun: everything is read, and the bitmap, which is on the old node, does not stay."""
    product()
    with Tracked(version) as s:
        s.save()
        s.write(1)
        s.add_proxy().watch("human-monitor-command", then=lambda: s.vm.qmp.cmd(
            "blockdev-snapshot-sync", {"node-name": "node-disk1", "snapshot-file": s.path("overlay"), "snapshot-node-name": "over",
                                       "format": "qcow2"}))
        run = s.backup("--no-vmstate", output=s.store.dir)
        run.must_succeed()
        s.proxy.close()
        s.proxy = None
        must_read_all_in_the_end(run, "drive disk1: reads everything: its node or size has changed")
        s.must_hold(s.store)
        left = [without_image(b["name"]) for n in s.vm.qmp.cmd("query-named-block-nodes") for b in n.get("dirty-bitmaps", [])
                if n["node-name"] in ("node-disk1", "over")]
        assert bitmap_of(run) not in left, left
        run = s.backup("--no-vmstate", output=s.store.dir)
        run.must_succeed()
        must_tell(run, disk1="reads everything", all="nothing has changed")
        s.must_hold(s.store)


def overlay_and_back(version):
    """What lies under an overlay is open for reading only: its bitmap stays, and counts what is committed to it later."""
    product()
    with Tracked(version) as s:
        counter = s.bitmap_on("node-disk1", s.save())["name"]
        s.write(1)
        s.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": "node-disk1", "snapshot-file": s.path("overlay"), "snapshot-node-name": "over",
                                                "format": "qcow2"})
        said = "".join(s.cleanup("--untrack").lines)
        assert f"{counter} of node node-disk1 stays: its image is open for reading only" in said, said
        s.io(s.drives[1], "write -P 5 3M 1M")
        s.vm.qmp.cmd("block-commit", {"job-id": "commit", "device": "over", "auto-finalize": True})
        s.vm.qmp.wait_event("BLOCK_JOB_READY", 30)
        s.vm.qmp.cmd("job-complete", {"id": "commit"})
        s.vm.qmp.wait_event("BLOCK_JOB_COMPLETED", 30)
        must_tell(s.save(), disk1="changed since", all="reads everything")


def guest_waits_for_little(version):
    """Of all that is said about bitmaps, while the guest stands still only what it must stand still for."""
    product()
    with Tracked(version, is_at_rest=False) as s:
        for turn in range(2):
            proxy = s.add_proxy()
            s.backup("--no-vmstate", output=s.store.dir).must_succeed()
            names = proxy.names()
            window = names[names.index("stop"):names.index("cont")]
            n = len(s.counted()) * turn
            assert "human-monitor-command" in names and "human-monitor-command" not in window, names
            assert window.count("block-dirty-bitmap-add") == window.count("block-dirty-bitmap-merge") == n, window
            s.proxy.close()
            s.proxy = None


def runs_that_fail(version):
    """Cancelled, refused, killed: what the last good one counts from is there, and no more; the next reads by that."""
    product()
    with Tracked(version) as s:
        good = s.save()
        for turn, how in enumerate(("cancel", "fail", "kill", "cancel", "kill")):
            s.write(turn, n=30)
            if how == "fail":
                s.add_proxy().fail("blockdev-backup", nth=None)
                s.proxy.fail("block-export-add", nth=None, where=lambda m: "-exp-" in m["arguments"]["id"])
            run = s.backup("--no-vmstate", "--limit", "256K", output=s.store.dir)
            if how != "fail":
                s.wait_copying(run)
            if how == "cancel":
                run.say("cancel-all guest")
            elif how == "kill":
                run.kill()
                assert "remove dirty bitmap" in "".join(s.cleanup("--dry-run").lines)
                s.cleanup()
            if how != "kill":
                assert run.wait() in (1, 4), run.report()
            if s.proxy:
                s.proxy.close()
                s.proxy = None
            s.must_count(good)
            s.write(turn + 100)
            good = s.save()
            must_tell(good, all="changed since")
            s.must_count(good)
        s.must_be_untouched()


def killed_when_it_is_saved(version):
    """Before the earlier bitmaps are gone: both may be believed, a cleanup keeps them, and the next run counts from the newer."""
    product()
    with Tracked(version) as s:
        for turn in range(2):
            old = s.save("--no-vmstate")
            s.write(turn)
            hold = s.add_proxy().hold("block-dirty-bitmap-remove", nth=1, where=lambda m: without_image(m["arguments"]["name"]) == bitmap_of(old))
            new = s.backup("--no-vmstate", output=s.store.dir)
            hold.wait(30)
            new.kill()
            if turn:
                s.cleanup()
            s.proxy.close()
            s.proxy = None
            assert all(set(names) <= {bitmap_of(old), bitmap_of(new)} and bitmap_of(new) in names for names in s.bitmaps().values()), s.bitmaps()
            s.must_hold(s.store)
            s.write(turn + 10)
            run = s.save()
            must_tell(run, all="changed since")
            s.must_count(run)
            s.cleanup("--untrack")
        s.must_be_untouched()


def faults_at(s, faults, *options):
    """Whatever becomes of a command: nothing is left that was frozen, and the next backup is right, as this one if it is saved."""
    s.save(*options)
    for turn, (command, nth, kind) in enumerate(faults):
        s.write(turn)
        proxy = s.add_proxy()
        {"refused": proxy.fail, "lost before": proxy.hang_up_at, "no answer": proxy.drop_reply, "not done": proxy.drop}[kind](command, nth=nth)
        before = len(s.store.snapshots())
        run = s.backup("--no-vmstate", "--timeout", "2", *options, output=s.store.dir)
        status = run.wait(60)
        assert status == 0 if kind == "refused" else status in (0, 1, 3, 5), (command, nth, kind, run.report())
        assert len(s.store.snapshots()) - before == (status in (0, 3)), (command, nth, kind, run.report())
        if status == 0:
            s.must_hold(s.store)
        proxy.close()
        s.proxy = None
        s.cleanup()
        s.bitmaps()
        s.write(turn + 100)
        s.must_count(s.save(*options))
    s.must_be_untouched()


FAULTS = [(command, nth, kind) for command, n in (("block-dirty-bitmap-add", 8), ("block-dirty-bitmap-merge", 6), ("block-dirty-bitmap-remove", 8),
                                                  ("query-named-block-nodes", 6))
          for nth in range(1, n + 1) for kind in ("refused", "lost before", "no answer", "not done")
          if not (command.startswith("query") and kind == "refused")]


def some_faults(version):
    product()
    with Tracked(version, drives=standard_drives(count=2)) as s:
        faults_at(s, random.Random(version).sample(FAULTS, 6))


def all_faults(version):
    product()
    with Tracked(version, drives=standard_drives(count=2)) as s:
        faults_at(s, FAULTS)


def a_drive_that_is_lost(version):
    """It goes on counting from the backup that has it; the others count from this one."""
    product()
    with Tracked(version) as s:
        first = s.save()
        s.write(1, n=40)
        run = s.backup("--no-vmstate", "--limit", "256K", output=s.store.dir)
        s.wait_copying(run)
        run.say("cancel disk2 yes")
        run.wait_event(ev="drive", id="disk2", state="cancelled")
        run.say("limit all 0")
        run.must_succeed(status=3)
        s.must_count(run, {"disk2": first})
        s.write(2)
        run = s.save()
        must_tell(run, all="changed since")
        s.must_count(run)


def drives_that_are_taken_again(version):
    """One goes on at the same instant, one at a later one: by the same account."""
    product()
    with Tracked(version) as s:
        s.save()
        for turn in range(2):
            s.write(turn, n=40)
            run = s.backup("--no-vmstate", "--limit", "256K", "--retries", "0", output=s.store.dir)
            s.wait_copying(run)
            run.say("cancel disk2 yes")
            run.wait_event(ev="drive", id="disk2", state="cancelled")
            saved = [d["id"] for d in run.find(ev="plan")["devices"] if d["included"]]
            s.end_copy(saved.index("disk1"))
            run.wait_event(ev="drive", id="disk1", state="fail")
            held = s.contents()
            s.write(turn + 10, n=3)
            held["disk2"] = s.contents()["disk2"]
            run.say("retry disk1")
            run.say("retry disk2")
            run.wait_event(ev="drive", id="disk2", state="run", instant_own=True)
            run.say("limit all 0")
            run.must_succeed(status=3)  # of a later instant
            s.must_hold(s.store, held)
            s.must_count(run)
            s.write(turn + 20)
            run = s.save()
            must_tell(run, all="changed since")
            s.must_count(run)
        s.must_be_untouched()


def refused_bitmaps(version):
    """QEMU takes none, or one and no more: a full read, and no failure."""
    product()
    with Tracked(version) as s:
        s.save()
        n = len(s.counted())  # merges: two a drive for the ends of the bitmap and its witness, one to freeze
        for turn, (command, nth) in enumerate((("block-dirty-bitmap-add", 1), ("block-dirty-bitmap-add", 2), ("block-dirty-bitmap-merge", 1),
                                               ("block-dirty-bitmap-merge", 2), ("block-dirty-bitmap-merge", 2 * n + 1),
                                               ("block-dirty-bitmap-remove", 1), ("block-dirty-bitmap-add", None), ("query-named-block-nodes", None))):
            s.write(turn)
            s.add_proxy().fail(command, nth=nth, where=None if command != "query-named-block-nodes" else lambda m: False)
            run = s.save()
            s.proxy.close()
            s.proxy = None
            if command == "block-dirty-bitmap-merge" and nth <= 2:
                assert [e for e in run.events if e["ev"] == "log" and "the next backup reads everything" in e["text"]], run.report()
                s.write(turn + 100)
                must_tell(s.save(), drive0="reads everything: it was made smaller since, or its bitmap cannot tell", all="changed since")
            elif command == "block-dirty-bitmap-merge":
                must_read_all_in_the_end(run, "no, says the proxy")
            s.cleanup("--untrack")
            s.save()


def restarted(version):
    """A qcow2 keeps its bitmap over QEMU's end, if that was an orderly one; of a raw image nobody knows."""
    product()
    with Tracked(version) as s:
        s.save()
        s.write(1)
        s.vm.stop()
        s.vm = s.start(s.drives, extra=("-S",))
        s.write(2)
        run = s.save()
        must_tell(run, disk1="changed since", drive3="changed since", all="reads everything: its bitmap is gone")
        s.must_count(run)
        s.write(3)
        s.vm.kill()
        s.vm = s.start(s.drives, extra=("-S",))
        run = s.save()
        must_tell(run, all="reads everything")
        s.write(4)
        must_tell(s.save(), all="changed since")


def another_image(version):
    """Two drives change theirs, or a node gets another file, or another part of one: no bitmap knows of that. Some take theirs along."""
    product()
    drives = [Drive(name, size=8 * MIB, format=kind, style="blockdev", bus="scsi", is_dense=True)
              for name, kind in (("disk0", "qcow2"), ("disk1", "qcow2"), ("disk2", "raw"), ("disk3", "raw"))]
    with Tracked(version, drives=drives) as s:
        s.save()
        for a, b in ((0, 1), (2, 3)):
            for drive in drives[a], drives[b]:
                s.vm.qmp.cmd("device_del", {"id": drive.name})
            s.vm.qmp.wait_event("DEVICE_DELETED", device=drives[b].name)
            for drive, other in (drives[a], drives[b]), (drives[b], drives[a]):
                s.vm.qmp.cmd("device_add", {"driver": "scsi-hd", "bus": "scsi0.0", "id": drive.name, "drive": node_of(other)})
            drives[a].path, drives[b].path = drives[b].path, drives[a].path
        must_tell(s.save(), all="reads everything: its image is another one")
        must_tell(s.save(), all="nothing has changed")
        s.vm.stop()
        drives[0].path, drives[1].path = drives[1].path, drives[0].path
        s.vm = s.start(s.drives, extra=("-S",))
        must_tell(s.save(), disk2="reads everything: its bitmap is gone", disk3="reads everything: its bitmap is gone",
                  all="reads everything: its image is another one")
        must_tell(s.save(), all="nothing has changed")
        with open(drives[2].path, "rb") as image:
            whole = image.read()
        pathlib.Path(s.path("two")).write_bytes(whole[::-1] + whole)
        s.vm.qmp.cmd("blockdev-add", {"driver": "file", "node-name": "two", "filename": s.path("two")})
        for at in (0, 8 * MIB, 0):
            s.vm.qmp.cmd("blockdev-reopen", {"options": [{"driver": "raw", "node-name": "node-disk2", "file": "two", "offset": at, "size": 8 * MIB}]})
            run = s.backup("--no-vmstate", output=s.store.dir)
            run.must_succeed()
            must_tell(run, disk2="reads everything: its image is another one", all="nothing has changed")
            s.must_hold(s.store, {"disk2": whole if at else whole[::-1]})


def below_a_filter(version):
    """An image that changes below a throttle node: no bitmap is begun, all is read."""
    product()
    with Tracked(version, drives=[Drive("disk0", size=8 * MIB, format="qcow2", style="blockdev", bus="scsi", is_dense=True)]) as s:
        s.vm.qmp.cmd("object-add", {"qom-type": "throttle-group", "id": "group"})
        s.vm.qmp.cmd("blockdev-add", {"driver": "throttle", "node-name": "throttle", "throttle-group": "group", "file": "node-disk0"})
        s.vm.qmp.cmd("qom-set", {"path": s.vm.qmp.cmd("query-block")[0]["qdev"], "property": "drive", "value": "throttle"})
        for command in ("snapshot-save", "snapshot-load"):
            s.vm.qmp.cmd(command, {"job-id": "job", "tag": "tag", "devices": ["node-disk0"], "vmstate": "node-disk0"})
            assert s.vm.qmp.wait_job("job") is None
            s.save()
            s.write(command)
            run = s.save()
        must_tell(run, disk0="reads everything: no bitmap tells what changes below a filter (throttle)")
        assert not any(n.get("dirty-bitmaps") for n in s.vm.qmp.cmd("query-named-block-nodes"))


def another_file_meanwhile(version):
    """After the plan: what has been frozen is not believed."""
    product()
    drives = [Drive("disk0", size=8 * MIB, style="blockdev", bus="scsi", is_dense=True)]
    with Tracked(version, drives=drives) as s:
        s.save()
        pathlib.Path(s.path("new")).write_bytes(pathlib.Path(drives[0].path).read_bytes()[::-1])
        s.vm.qmp.cmd("blockdev-add", {"driver": "file", "node-name": "new", "filename": s.path("new")})
        s.add_proxy().watch("human-monitor-command", then=lambda: s.vm.qmp.cmd(
            "blockdev-reopen", {"options": [{"driver": "raw", "node-name": "node-disk0", "file": "new"}]}))
        drives[0].path = s.path("new")
        run = s.save()
        s.proxy.close()
        s.proxy = None
        must_tell(run, is_late=True, disk0="nothing has changed")
        must_read_all_in_the_end(run, "its image has changed since the plan")
        must_tell(s.save(), disk0="reads everything")
        must_tell(s.save(), disk0="nothing has changed")


def shared_with_others(version):
    """What another guest writes to it, here by another node, is in no bitmap: none is begun, all is read."""
    product()
    with Tracked(version, drives=[Drive("disk0", size=8 * MIB, style="blockdev", bus="scsi", is_dense=True)]) as s:
        s.vm.qmp.cmd("device_del", {"id": "disk0"})
        s.vm.qmp.wait_event("DEVICE_DELETED", device="disk0")
        s.vm.qmp.cmd("device_add", {"driver": "scsi-hd", "bus": "scsi0.0", "id": "disk0", "drive": "node-disk0", "share-rw": True})
        s.vm.qmp.cmd("blockdev-add", {"driver": "file", "node-name": "other", "filename": s.drives[0].path})
        for at in range(3):
            said = s.vm.qmp.cmd("human-monitor-command", {"command-line": f'qemu-io other "write -q -P {at + 1} {at}M 1M"'})
            assert not said.strip(), said
            run = s.save()
        must_tell(run, disk0="reads everything: other guests may write to it (share-rw)")
        assert not any(n.get("dirty-bitmaps") for n in s.vm.qmp.cmd("query-named-block-nodes"))


def internal_snapshots(version):
    """qemu-img's repair throws them away where the image has a bitmap, so it gets none."""
    product()
    with Tracked(version, drives=[Drive("disk0", size=8 * MIB, format="qcow2", style="blockdev", bus="scsi", is_dense=True)]) as s:
        def qemu_img(*arguments):
            return subprocess.run([s.qemu_img, *arguments, s.drives[0].path], check=True, capture_output=True, text=True).stdout
        s.vm.stop()
        qemu_img("snapshot", "-c", "tag")
        s.vm = s.start(s.drives, extra=("-S",))
        s.save()
        s.write(1)
        must_tell(s.save(), disk0="changed since")
        s.vm.stop()
        assert "No errors were found" in qemu_img("check", "-r", "all")
        assert "tag" in qemu_img("snapshot", "-l")
        s.vm = s.start(s.drives, extra=("-S",))
        must_tell(s.save(), disk0="reads everything: its bitmap is gone")


def external_data_file(version):
    """Others may write to it while QEMU is off, and the qcow2 knows nothing of that."""
    product()
    with Tracked(version, drives=[Drive("disk0", size=8 * MIB, format="qcow2", style="blockdev", bus="scsi", is_dense=True)]) as s:
        s.vm.stop()
        drive = s.drives[0]
        subprocess.run([s.qemu_img, "convert", "-O", "qcow2", "-o", f"data_file={s.path('data')},data_file_raw=on", drive.base, drive.path], check=True)
        s.vm = s.start(s.drives, extra=("-S",))
        s.save()
        s.write(1)
        must_tell(s.save(), disk0="changed since")
        s.vm.stop()
        with open(s.path("data"), "r+b") as data:
            data.seek(3 * MIB)
            data.write(bytes(range(256)) * 256)
        s.vm = s.start(s.drives, extra=("-S",))
        must_tell(s.save(), disk0="reads everything: its bitmap is gone")


def shrunk_and_grown(version):
    """QEMU counts none of the zeros that a drive has then, and its size is as it was."""
    product()
    with Tracked(version) as s:
        s.save()
        nodes = [next(e["inserted"]["node-name"] for e in s.vm.qmp.cmd("query-block")
                      if d.name in (e["device"], *e.get("qdev", "").split("/"))) for d in s.counted()]
        for drive, node in list(zip(s.counted(), nodes))[:2]:
            for size in (drive.size // 1024 * 512, drive.size):
                s.vm.qmp.cmd("block_resize", {"node-name": node, "size": size})
        smaller = "reads everything: it was made smaller since"
        must_tell(s.save(), **{drive.name: smaller for drive in s.counted()[:2]})
        s.write(1)
        s.save()
        for drive, node in zip(s.counted(), nodes):  # and something is written to the end
            for size in (drive.size // 1024 * 512, drive.size):
                s.vm.qmp.cmd("block_resize", {"node-name": node, "size": size})
            s.io(drive, f"write -P 7 {drive.size - 512} 512")
            s.io(drive, "flush")
        must_tell(s.save(), all=smaller)
        s.write(2)
        must_tell(s.save(), all="changed since")
        s.must_be_untouched()


def shrunk_and_grown_meanwhile(version):
    """In mid-run, up to the instant: when the end of the new bitmap is set, or right before."""
    product()
    with Tracked(version, drives=standard_drives(count=1, with_odd_ones=False)) as s:
        s.save()
        for turn, command in enumerate(("blockdev-del", "block-dirty-bitmap-add")):
            s.write(turn, n=30)
            s.add_proxy().watch(command, where=lambda m: "-end-" in json.dumps(m), then=lambda: [
                s.vm.qmp.cmd("block_resize", {"device": "drive0", "size": size}) for size in (s.drives[0].size // 2, s.drives[0].size)])
            run = s.save()
            s.proxy.close()
            s.proxy = None
            must_tell(run, is_late=True, drive0="changed since")
            must_read_all_in_the_end(run, "drive drive0: reads everything: it was made smaller since")
            s.write(turn + 10)
            run = s.save()
            if command == "blockdev-del":  # which the new bitmap's witness has seen, too
                must_tell(run, drive0="reads everything: it was made smaller since")


def a_store_that_is_damaged(version):
    """What is not there cannot be kept: everything is read, and what was lost is there again."""
    product()
    with Tracked(version) as s:
        s.save()
        s.write(1)
        for path in glob.glob(f"{s.store.chunks}/*/*.cacnk")[::3]:
            os.rename(path, path.replace(".cacnk", ".bad"))
        must_read_all_in_the_end(s.save(), "is gone, or damaged")
        s.write(2)
        pathlib.Path(s.store.latest(), "damaged").touch()  # as a check of the store does
        must_tell(s.save(), all="reads everything: the backup that its bitmap counts from is damaged")
        s.write(3)
        must_tell(s.save(), all="changed since")
        s.must_be_untouched()


def two_stores(version):
    """Each has its own account; one that is not kept up to date loses nothing."""
    product()
    with Tracked(version) as s:
        other = Store(s.path("other"), chunk=256 << 10)
        s.save()
        run = s.save(output=other)
        must_tell(run, all="reads everything")
        for turn in range(2):
            s.write(turn)
            must_tell(s.save(), all="changed since")
            s.write(turn + 10)
            must_tell(s.save(output=other), all="changed since")
        assert all(len(names) == 2 for names in s.bitmaps().values()), s.bitmaps()
        for n in range(4):  # of runs that have left theirs, too
            s.vm.qmp.cmd("block-dirty-bitmap-add", {"node": "node-disk1", "name": f"vmb-0000000{n}"})
        s.vm.qmp.cmd("block-dirty-bitmap-add", {"node": "node-disk1", "name": "mine"})
        run = s.save()
        assert set(s.bitmaps()["disk1"]) == {"mine", bitmap_of(run)} and len(s.bitmaps()["disk2"]) == 2, s.bitmaps()


def told_and_removed(version):
    """info lists them, --track no leaves them out, --untrack removes them."""
    product()
    with Tracked(version) as s:
        run = s.save("--track", "no")
        must_tell(run)
        assert not any(s.bitmaps().values())
        run = s.save()
        s.write(1)
        info = s.run("info", "--json", "--store", s.store.dir, s.vm.monitor)
        assert info.wait() == 0, info.report()
        told = {d["id"]: d for d in json.loads("".join(info.lines))["devices"]}
        assert re.match(f"{bitmap_of(run)}-[0-9a-f]{{8}}, persistent: ~", told["disk1"]["tracked"]), told
        assert re.match(f"{bitmap_of(run)}-[0-9a-f]{{8}}: ~", told["drive0"]["tracked"]), told
        assert told["drive0"]["track"].startswith("changed since"), told
        plain = s.run("info", s.vm.monitor)
        assert plain.wait() == 0 and "TRACKED" in "".join(plain.lines), plain.report()
        s.cleanup()
        s.must_count(run)
        s.cleanup("--untrack")
        assert not any(s.bitmaps().values())
        s.must_be_untouched()


# Engine pull -------------------------------------------------------------------------------------------------------------

PULLED = ("--engine", "pull")
SLACK = MIB  # what QEMU reads besides: images' tables, the monitor


def dense_drives():
    """All read, they are 42 MiB and more."""
    return [Drive("drive0", size=4 * MIB), Drive("disk1", size=20 * MIB, style="blockdev", is_dense=True),
            Drive("disk2", size=22 * MIB + 5 * 512, format="qcow2", style="blockdev", bus="scsi", is_dense=True)]


def must_be_pulled(s, run, jobs):
    """All of them, in this run."""
    assert set(run.pulled()) >= {d.name for d in s.counted()} and not jobs, (jobs, run.report())
    assert not [e for e in run.events if "pushed" in str(e.get("text"))], run.report()


def dirty(run):
    """Bytes, as the plan says."""
    return sum(d.get("changed", 0) + CHUNK for d in run.find(ev="plan")["devices"] if d["included"] and d["kind"] == "drive")


def pulled_by_bitmap(version):
    """Whole chunks that have changed, and no others; the server that showed them is gone."""
    product()
    with Tracked(version, drives=dense_drives()) as s:
        run, jobs, _ = save_and_ask(s, *PULLED)
        must_be_pulled(s, run, jobs)
        for turn in range(4):
            if turn:
                s.write(turn)
            run, jobs, amount = save_and_ask(s, *PULLED)
            must_be_pulled(s, run, jobs)
            must_tell(run, all="changed since" if turn else "nothing has changed")
            s.must_count(run)
            print(f"      {amount / MIB:.2f} MiB read, {dirty(run) / MIB:.2f} had changed", flush=True)
            assert amount <= dirty(run) + SLACK, amount
        s.must_be_untouched()
        must_be_refused(s, "nbd-server-stop")


def must_be_refused(s, command):
    try:
        s.vm.qmp.cmd(command)
    except QmpError:
        return
    raise AssertionError(f"{command} was not refused")


def pulled_beside_an_iothread(version):
    """Before 10.0 QEMU might abort when a client leaves its NBD server: there all that is read by a bitmap is pushed."""
    product()
    drives = [*dense_drives()[:2], Drive("disk2", size=4 * MIB, style="blockdev", bus="iothread")]
    with Tracked(version, drives=drives) as s:
        proxy = s.add_proxy()
        s.save(*PULLED)
        s.write(1)
        run = s.save(*PULLED)
        must_tell(run, all="changed since")
        devices = {d["id"]: d for d in run.find(ev="plan")["devices"]}
        is_asked = not older_than(version, "10.0")
        assert run.pulled() == (["drive0", "disk1"] if is_asked else []), run.report()
        assert ("pushed" in str(devices["disk1"]["note"])) != is_asked and "pushed" in devices["disk2"]["note"], devices
        assert ("nbd-server-start" in proxy.names()) == is_asked, proxy.names()
        s.must_be_untouched()


def is_search(message):
    return message["arguments"].get("type") == "nbd"


def changes_that_are_not_shown(version):
    """QEMU refuses to be asked: each drive is pushed, by its bitmap."""
    product()
    with Tracked(version, drives=dense_drives()) as s:
        s.save(*PULLED)
        for turn, command in enumerate(("nbd-server-start", "block-export-add", "getfd")):
            where = {"block-export-add": is_search, "getfd": lambda m: m["arguments"]["fdname"].endswith("-map")}.get(command)
            s.write(turn)
            s.add_proxy().fail(command, nth=None, where=where)
            must_be_pushed(s)
            s.proxy.close()
            s.proxy = None
        s.write(10)
        s.vm.qmp.cmd("nbd-server-start", {"addr": {"type": "unix", "data": {"path": s.path("theirs")}}})  # somebody else's
        must_be_pushed(s)
        s.vm.qmp.cmd("nbd-server-stop")
        s.write(11)
        run, jobs, amount = save_and_ask(s, *PULLED)
        must_be_pulled(s, run, jobs)
        assert amount <= dirty(run) + SLACK, amount
        s.must_be_untouched()


def must_be_pushed(s):
    """Against the plan."""
    run, jobs, _ = save_and_ask(s, *PULLED)
    must_tell(run, all="changed since")
    for drive in s.counted():
        assert f"drive {drive.name} is pushed, not pulled: QEMU does not show what has changed" in run.report(), run.report()
    assert len(jobs) == len(s.counted()) and sum(jobs) <= dirty(run), (jobs, run.report())
    s.must_count(run)


def changes_that_are_shown_wrongly(version):
    """Not what QEMU has counted, or an export of ours that does not go: nothing of it is believed."""
    product()

    def one_chunk_more(message):
        for bitmap in [b for node in message["return"] for b in node.get("dirty-bitmaps", [])]:
            bitmap["count"] += CHUNK if "changed" in bitmap.get("name", "") else 0

    with Tracked(version, drives=dense_drives()) as s:
        s.save(*PULLED)
        s.write(1)
        s.add_proxy().alter_reply("query-named-block-nodes", one_chunk_more)
        run, jobs, amount = save_and_ask(s, *PULLED)
        must_read_all_in_the_end(run, "QEMU shows something else than it has counted")
        must_be_pulled(s, run, jobs)
        assert amount > 40 * MIB, amount
        s.must_count(run)
        s.proxy.close()
        s.write(2)
        is_refused = True
        s.add_proxy().fail("block-export-del", nth=None, where=lambda m: "-map-" in m["arguments"]["id"] and is_refused)
        s.proxy.drop_reply("block-export-add", nth=2)  # so it is asked to go, and what it would have told is not known
        run = s.backup("--no-vmstate", "--timeout", "2", *PULLED, output=s.store.dir)
        run.wait_event(ev="log", level="info", text="drive drive0: reads everything: QEMU does not show what has changed")
        is_refused = False
        run.must_succeed()
        s.must_hold(s.store)
        s.proxy.close()
        s.proxy = None
        s.cleanup()
        s.write(3)
        run = s.save(*PULLED)
        s.must_count(run)
        s.must_be_untouched()


def retried_by_bitmap(version):
    """At the same instant: what had come is not read again, and what has not changed neither."""
    product()
    with Tracked(version, drives=dense_drives()) as s:
        s.save(*PULLED)
        disk1 = s.drives[1]
        s.io(disk1, "write -P 7 1M 8M")
        s.io(disk1, "flush")
        before = s.vm.bytes_read()
        run = s.backup("--no-vmstate", *PULLED, "--limit", "disk1=8M", output=s.store.dir)
        s.wait_copying(run, 2 * MIB)
        s.end_copy(1)
        run.wait_event(ev="drive", id="disk1", state="retry")
        wanted = s.contents()
        s.io(disk1, "write -P 8 4M 8M")  # behind the instant
        run.say("limit disk1 0")
        run.must_succeed()
        amount = s.vm.bytes_read() - before
        assert not [e for e in run.events if e.get("instant_own")], run.report()
        s.must_hold(s.store, wanted)
        print(f"      {amount / MIB:.2f} MiB read", flush=True)
        assert amount <= (8 + 8) * MIB + 4 * MIB, amount  # what the filter reads for the write, and what was in flight
        s.must_count(run)
        run = s.save(*PULLED)
        must_tell(run, disk1="changed since")
        s.must_be_untouched()


SEARCH_FAULTS = [(command, nth, kind) for command, first in (("nbd-server-start", 1), ("block-export-add", 2), ("block-export-del", 1), ("nbd-server-stop", 1))
                 for nth in (first, first + 1) for kind in ("refused", "lost before", "no answer", "not done")]


def faults_of_the_search(version):
    """Of the commands by which QEMU is asked what has changed: no refusal is a failure, and nothing is kept that had changed."""
    product()
    with Tracked(version, drives=dense_drives()[:2]) as s:
        faults_at(s, random.Random(version).sample(SEARCH_FAULTS, 8), *PULLED)


def all_faults_of_the_search(version):
    product()
    with Tracked(version, drives=dense_drives()[:2]) as s:
        faults_at(s, SEARCH_FAULTS, *PULLED)


def killed_as_it_is_asked(version):
    """The bitmap belongs to an export then: a cleanup takes that away first, and all goes on from the last backup."""
    product()
    with Tracked(version, drives=dense_drives()) as s:
        good = s.save(*PULLED)
        for turn, (command, is_answered) in enumerate((("block-export-add", True), ("block-export-add", False), ("block-export-del", False))):
            s.write(turn)
            proxy = s.add_proxy()
            where = is_search if command == "block-export-add" and not is_answered else None
            rule = (proxy.hold_reply if is_answered else proxy.hold)(command, nth=2 if is_answered else 1, where=where)
            run = s.backup("--no-vmstate", *PULLED, output=s.store.dir)
            rule.wait(30)
            run.kill()
            s.cleanup()
            proxy.close()
            s.proxy = None
            s.must_count(good)
            s.write(turn + 10)
            good = s.save(*PULLED)
            must_tell(good, all="changed since")
            s.must_count(good)
        s.must_be_untouched()
        must_be_refused(s, "nbd-server-stop")


if __name__ == "__main__":
    main(only_changes_are_read, chunks_of_zeros, guest_waits_for_little, runs_that_fail, restarted, another_image,
         another_file_meanwhile, shrunk_and_grown, shrunk_and_grown_meanwhile, told_and_removed, pulled_by_bitmap, changes_that_are_not_shown,
         slow=(backups_of_a_guest_that_writes, with_ram, bitmaps_that_are_gone, another_node_meanwhile, overlay_and_back, killed_when_it_is_saved, some_faults,
               a_drive_that_is_lost, drives_that_are_taken_again, refused_bitmaps, a_store_that_is_damaged, two_stores,
               below_a_filter, shared_with_others, internal_snapshots, external_data_file, pulled_beside_an_iothread, changes_that_are_shown_wrongly, retried_by_bitmap, killed_as_it_is_asked, faults_of_the_search),
         long=(all_faults, all_faults_of_the_search),
         both=(backups_of_a_guest_that_writes, with_ram, bitmaps_that_are_gone, pulled_by_bitmap, pulled_beside_an_iothread))
