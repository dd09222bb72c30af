#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else snapshots, mirrors, commits, streams or backs up a drive: begun before, during or after our backup, ended likewise.

Whatever it is, the guest loses no write (it checks all it ever wrote, and the image is checked when QEMU has ended), what is
called good holds one instant, and once the other has ended nothing of ours is left and the next backup is whole.
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, QmpError, Scenario, main, older_than, wait_for
from vmtest.pattern import check_alone
from vmtest.restore import unpack

MIB = 1 << 20
SIZE = 16 * MIB  # the guest writes to half of it: what others copy is not over by that
NO, YES = "refused by QEMU", "allowed by QEMU"


class Shared(Scenario):
    """Drive disk1 is worked on by others, disk0 by nobody."""

    def __init__(self, version, style="blockdev", format="qcow2", bus="virtio"):
        super().__init__(version, drives=[Drive("disk0", size=SIZE // 2, style="blockdev", is_dense=True),
                                          Drive("disk1", size=SIZE, style=style, format=format, bus=bus, is_dense=True)])
        self.qmp = self.vm.qmp
        self.image = self.drives[1].path  # where the drive's newest content is
        self.node = self.shown()          # the node that it had before our filter

    def shown(self):
        """disk1's node as query-block shows it now."""
        return next(d["inserted"]["node-name"] for d in self.qmp.cmd("query-block")
                    if "disk1" in (d["device"], *d.get("qdev", "").split("/")))

    def device(self):
        """What a tool that goes by the device says: the drive's id, where it has one."""
        return "disk1" if self.drives[1].style == "drive" else self.shown()

    def new_image(self, name, format="qcow2", backing=None):
        path = self.path(f"{name}.{format}")
        with_backing = ["-b", backing[0], "-F", backing[1]] if backing else []
        subprocess.run([self.qemu_img, "create", "-q", "-f", format, *with_backing, path, str(SIZE)], check=True)
        return path

    def add_image(self, name, format="qcow2", backing=None):
        path = self.new_image(name, format, backing)
        extra = {"backing": None} if backing else {}
        self.qmp.cmd("blockdev-add", {"driver": format, "node-name": name, **extra, "file": {"driver": "file", "filename": path}})
        return path

    def left(self):
        names = [n["node-name"] for n in self.qmp.cmd("query-named-block-nodes", {"flat": True})]
        names += [j["id"] for j in self.qmp.cmd("query-jobs")] + [e["id"] for e in self.qmp.cmd("query-block-exports")]
        return [n for n in names if n.startswith("vmb-")]


# What others do: begin() and end(). A QmpError of begin() is QEMU's own refusal. -------------------------------------------

class Other:
    style, format, bus = "blockdev", "qcow2", "virtio"

    def __init__(self, s):
        self.s, self.q = s, s.qmp

    def begin(self):
        raise NotImplementedError

    def end(self):
        pass

    def check(self):
        pass


class SnapshotByDevice(Other):
    style, format = "drive", "raw"

    def begin(self):
        self.q.cmd("blockdev-snapshot-sync", {"device": self.s.device(), "snapshot-file": self.s.path("ov"), "format": "qcow2"})
        self.s.image = self.s.path("ov")

    def check(self):
        info = subprocess.run([self.s.qemu_img, "info", "-U", self.s.path("ov")], capture_output=True, text=True, check=True)
        assert f"backing file format: {self.s.drives[1].format}\n" in info.stdout, info.stdout


class SnapshotByName(SnapshotByDevice):
    """With a name for the overlay, as managers do."""
    style, format = "blockdev", "qcow2"

    def begin(self):
        self.q.cmd("blockdev-snapshot-sync", {"node-name": self.s.shown(), "snapshot-file": self.s.path("ov"),
                                              "format": "qcow2", "snapshot-node-name": "ov"})
        self.s.image = self.s.path("ov")


class SnapshotByNode(Other):
    def begin(self):
        path = self.s.add_image("ov", backing=(self.s.drives[1].path, "qcow2"))
        self.q.cmd("blockdev-snapshot", {"node": self.s.node, "overlay": "ov"})
        self.s.image = path

    def check(self):
        assert self.s.shown() == "ov", self.s.shown()


class Job(Other):
    """Ends by completing; `job` is its id."""
    job = "m0"

    def complete(self):
        self.q.cmd("block-job-complete", {"device": self.job})
        self.q.wait_event("BLOCK_JOB_COMPLETED", device=self.job, timeout=30)

    def go_on(self):
        """Without a limit, until it is over."""
        if any(j["id"] == self.job for j in self.q.cmd("query-jobs")):
            self.q.cmd("block-job-set-speed", {"device": self.job, "speed": 0})
        wait_for(lambda: not any(j["id"] == self.job for j in self.q.cmd("query-jobs")), 30, "the other job to end")


class Mirror(Job):
    format = "raw"

    def begin(self):
        self.new = self.s.add_image("new", "raw")
        self.q.cmd("blockdev-mirror", {"job-id": "m0", "device": self.s.device(), "target": "new", "sync": "full"})
        self.q.wait_event("BLOCK_JOB_READY", timeout=30)

    def end(self):
        self.complete()
        self.s.image = self.new

    def check(self):
        assert self.s.shown() == "new", self.s.shown()


class CancelledMirror(Mirror):
    def end(self):
        self.q.cmd("block-job-cancel", {"device": "m0", "force": True})
        self.q.wait_event("BLOCK_JOB_CANCELLED", device="m0", timeout=30)

    def check(self):
        assert self.s.shown() == self.s.node, self.s.shown()


class OnAChain(Job):
    """The drive has an overlay with some writes in it."""

    def __init__(self, s):
        super().__init__(s)
        SnapshotByName(s).begin()
        s.vm.wait_rounds(16)
        s.node = "ov"


class Commit(OnAChain):
    def begin(self):
        self.q.cmd("block-commit", {"job-id": "m0", "device": "ov"})
        self.q.wait_event("BLOCK_JOB_READY", timeout=30)

    def end(self):
        self.complete()
        self.s.image = self.s.drives[1].path


class CommitBelow(OnAChain):
    """Of an image in the middle: it ends by itself."""

    def __init__(self, s):
        super().__init__(s)
        self.q.cmd("blockdev-snapshot-sync", {"node-name": "ov", "snapshot-file": s.path("top"), "format": "qcow2",
                                              "snapshot-node-name": "top"})
        s.image, s.node = s.path("top"), "top"

    def begin(self):
        self.q.cmd("block-commit", {"job-id": "m0", "device": self.s.shown(), "top-node": "ov", "base-node": "node-disk1",
                                    "speed": 65536})

    def end(self):
        self.go_on()


class Stream(OnAChain):
    def begin(self):
        self.q.cmd("block-stream", {"job-id": "m0", "device": "ov", "speed": 262144})

    def end(self):
        self.go_on()


class StreamThatIsOver(OnAChain):
    """Not dismissed yet. Who lists the nodes now makes QEMU crash."""

    def begin(self):
        self.q.cmd("block-stream", {"job-id": "m0", "device": "ov", "auto-dismiss": False})
        wait_for(lambda: any(j["id"] == "m0" and j["status"] == "concluded" for j in self.q.cmd("query-jobs")), 30, "the stream to end")

    def end(self):
        self.q.cmd("job-dismiss", {"id": "m0"})


class StreamNewer(Job):
    """A snapshot is taken, gets all that is below it, and the old image goes: by its owner, or by itself (-drive)."""

    def begin(self):
        path = self.s.add_image("ov", backing=(self.s.drives[1].path, "qcow2"))
        self.q.cmd("blockdev-snapshot", {"node": self.s.node, "overlay": "ov"})
        self.s.image = path
        self.q.cmd("block-stream", {"job-id": "m0", "device": "ov"})

    def end(self):
        self.go_on()
        if self.style == "blockdev":
            self.q.cmd("blockdev-del", {"node-name": self.s.node})

    def check(self):
        assert self.s.shown() == "ov", self.s.shown()


class StreamNewerOfDrive(StreamNewer):
    style = "drive"


class Backup(Job):
    def begin(self):
        self.copy = self.s.add_image("copy", "raw")
        self.q.cmd("blockdev-backup", {"job-id": "m0", "device": self.where(), "target": "copy", "sync": "full", "speed": 262144})

    def where(self):
        return self.s.shown()

    def end(self):
        self.go_on()
        check_alone(self.s.drives, "disk1", self.copy)


class BackupByNode(Backup):
    def where(self):
        return self.s.node


class StreamNewerOnIothread(StreamNewer):
    """QEMU 10.0 hangs when others change what stands on a drive of an iothread, unless we keep it from that."""
    bus = "iothread"


class BackupOnIothread(BackupByNode):
    bus = "iothread"


class BackupByDeviceOnIothread(Backup):
    bus = "iothread"


class SnapshotByDeviceOnIothread(SnapshotByDevice):
    bus = "iothread"


class MirrorOnIothread(Mirror):
    bus = "iothread"


class StreamOnScsiIothread(Stream):
    bus = "scsi-iothread"


class Filter(Other):
    """A backup that is pulled from a frozen image: a filter like ours, and its frozen image exported."""

    def begin(self):
        self.below = self.s.shown()
        self.qdev = next(d["qdev"] for d in self.q.cmd("query-block") if d.get("inserted", {}).get("node-name") == self.below)
        self.s.add_image("scratch")
        self.q.cmd("stop")
        self.q.cmd("blockdev-add", {"driver": "copy-before-write", "node-name": "cbw", "file": self.below, "target": "scratch",
                                    "discard": "unmap"})
        self.q.cmd("qom-set", {"path": self.qdev, "property": "drive", "value": "cbw"})
        self.q.cmd("blockdev-add", {"driver": "snapshot-access", "node-name": "frozen", "file": "cbw"})
        self.q.cmd("cont")

    def end(self):
        self.q.cmd("blockdev-del", {"node-name": "frozen"})
        self.q.cmd("qom-set", {"path": self.qdev, "property": "drive", "value": self.below})
        self.q.cmd("blockdev-del", {"node-name": "cbw"})


# One sequence ------------------------------------------------------------------------------------------------------------

def try_begin(other, may):
    """What QEMU itself allows here; it says so at once."""
    try:
        other.begin()
    except QmpError:
        assert may == NO
        return False
    assert may == YES, "QEMU allowed it"
    return True


def sequence(version, kind, begun, ended, status, may=YES, saved=("disk0", "disk1"), is_left=False):
    """status: of our backup, with the drives it has saved; is_left: of its filter, until the other has ended."""
    with Shared(version, kind.style, kind.format, kind.bus) as s:
        other = kind(s)
        is_on = begun == "before" and try_begin(other, may)
        if is_on and ended == "before":
            other.end()
        run = s.backup("--no-vmstate", "--limit", "8M")
        if begun == "during":
            run.wait_event(ev="phase", phase="copy")
            is_on = try_begin(other, may)
        if is_on and begun != "after" and ended == "during":
            run.wait_event(ev="phase", phase="copy")
            other.end()
        run.must_succeed(status=status)
        images, _ = unpack(s.archive, s.path("unpacked"))
        assert set(images) == set(saved), images
        for name in saved:
            check_alone(s.drives, name, images[name])
        assert bool(s.left()) == is_left, s.left()
        if begun == "after":
            is_on = try_begin(other, may)
        if is_on and ended == "after":
            other.end()
        s.cleanup()
        assert not s.left(), s.left()
        finish(s, other if is_on else None)


def finish(s, other):
    """The guest's own judgement, a whole backup, and the image, with all that the guest ever wrote, when QEMU has ended."""
    s.vm.wait_rounds(16)
    if other:
        other.check()
    s.archive = s.path("next.vma")
    s.must_be_saved(s.backup("--no-vmstate", output=s.archive))
    s.vm.stop()
    flat = s.path("flat")
    format = "raw" if s.image.endswith(".raw") else "qcow2"
    subprocess.run([s.qemu_img, "convert", "-f", format, "-O", "raw", s.image, flat], check=True)
    check_alone(s.drives, "disk1", flat)


def snapshot_over_a_lid(version):
    """QEMU 10.0 has a lid there: the frozen image is not cut off. The overlay is given the drive's image all the same."""
    has_lid = not older_than(version, "8.1") and older_than(version, "10.1")
    sequence(version, SnapshotByDeviceOnIothread, "during", "during", 0 if has_lid else 3)


ONE = ("disk0",)
COMMON = [
    # other            begun     ended     ours
    (SnapshotByDevice, "during", "during", 3),  # taken again: its frozen image was cut off
    (SnapshotByNode, "during", "during", 0),
    (Mirror, "before", "during", 3, YES, ONE),
    (StreamNewer, "during", "during", 0),
    (Backup, "during", "after", 3, YES, ("disk0", "disk1"), True),
    (Filter, "before", "after", 3, YES, ONE),
]
ON_IOTHREAD = [
    (StreamNewerOnIothread, "during", "during", 0),
    (BackupOnIothread, "during", "during", 0),
    (BackupByDeviceOnIothread, "during", "during", 0),
]
RARE_ON_IOTHREAD = [
    (BackupByDeviceOnIothread, "during", "after", 3, YES, ("disk0", "disk1"), True),
    (StreamOnScsiIothread, "during", "during", 0),
    (MirrorOnIothread, "during", "during", 0, NO),
]
RARE = [
    (Stream, "during", "after", 0),
    (StreamThatIsOver, "before", "during", 3, YES, ONE),
    (SnapshotByDevice, "before", "before", 0),
    (SnapshotByDevice, "after", "after", 0),
    (SnapshotByName, "during", "during", 3),
    (Mirror, "before", "before", 0),
    (Mirror, "before", "after", 3, YES, ONE),
    (Mirror, "during", "during", 0, NO),
    (Mirror, "after", "after", 0),
    (CancelledMirror, "before", "during", 3, YES, ONE),
    (Commit, "before", "during", 3, YES, ONE),
    (Commit, "before", "after", 3, YES, ONE),
    (Commit, "during", "during", 0, NO),
    (CommitBelow, "before", "after", 3, YES, ONE),
    (CommitBelow, "during", "during", 0, NO),
    (Stream, "before", "during", 3, YES, ONE),
    (Stream, "during", "during", 0),
    (StreamThatIsOver, "during", "during", 0),
    (StreamNewerOfDrive, "during", "during", 0),
    (Backup, "before", "during", 3, YES, ONE),
    (Backup, "before", "after", 3, YES, ONE),
    (Backup, "during", "during", 0),
    (BackupByNode, "during", "during", 0),
    (BackupByNode, "during", "after", 0),
    (Filter, "before", "during", 3, YES, ONE),
    (Filter, "during", "during", 0),
    (Filter, "during", "after", 3, YES, ("disk0", "disk1"), True),
]


def test_of(row):
    def test(version):
        sequence(version, *row)
    test.__name__ = f"{row[0].__name__}_{row[1]}_{row[2]}"
    return test


if __name__ == "__main__":
    hung = [test_of(row) for row in ON_IOTHREAD]
    main(*hung, *[test_of(row) for row in COMMON], newest=hung, slow=(snapshot_over_a_lid, *[test_of(row) for row in RARE + RARE_ON_IOTHREAD]))
