# SPDX-License-Identifier: GPL-2.0-or-later
"""Another tool at work on the same QEMU: snapshots, mirrors, commits, streams, resizes, pauses, resets, backups, hot-plug, savevm.

    others = Others(vm, "other", lab, chance, log)
    others.act()        one thing that the seed chooses, to its end; returns what it was and how it went
    others.tidy()       what could not be done meanwhile: nodes that were in use, a drive to be plugged in again

It knows its nodes by itself, as a manager of virtual machines does, and never asks QEMU where a drive's nodes are.
That QEMU refuses something is no fault: it is logged. A job that does not end is one.
"""
import contextlib
import dataclasses
import subprocess
import time

from .pattern import SLOTS, slot_lba
from .qmp import Qmp, QmpError

JOB_S = 60
STEP_S = 0.03


@dataclasses.dataclass
class Node:
    name: str
    path: str
    format: str
    file: str = ""  # the node of its file, where that has a name


class Disk:
    """A drive of the guest's: its nodes from the bottom to the top."""

    def __init__(self, drive, qdev, node):
        self.drive, self.qdev = drive, qdev
        self.chain = [Node(node, drive.path, drive.format, "" if drive.style == "drive" else f"file-{drive.name}")]
        self.is_there = True

    @property
    def top(self):
        return self.chain[-1]


class Others:
    def __init__(self, vm, monitor, lab, chance, log):
        self.vm, self.lab, self.chance, self._log = vm, lab, chance, log
        self.qmp = Qmp(vm.monitor_path(monitor), timeout=JOB_S)
        self.disks = [self._disk(drive) for drive in vm.drives]
        self.orphans = []  # nodes that are to be deleted
        self.copies = []  # (drive, path) of backups that are whole
        self.resets = 0
        self._count = 0
        self._actions = [self.snapshot_by_device, self.snapshot_by_node, self.mirror, self.commit_active, self.commit_middle,
                         self.stream, self.grow, self.pause, self.reset, self.backup_job, self.drive_backup, self.pull_job,
                         self.pull_filter, self.unplug, self.save_snapshot]

    def _disk(self, drive):
        entry = next(e for e in self.qmp.cmd("query-block") if e["device"] == drive.name or
                     f"/{drive.name}/" in f"/{e.get('qdev')}/")
        return Disk(drive, entry["qdev"], entry["inserted"]["node-name"])

    # What is done -------------------------------------------------------------------------------------------------

    def act(self, name=None):
        actions = [a for a in self._actions if name in (None, a.__name__)]
        action = self.chance.choice(actions)
        disk = self.chance.choice([d for d in self.disks if d.is_there and action.__name__ not in self._spared(d)])
        what = f"{action.__name__} (of {disk.drive.name})"
        self._log(f"others: {what}")
        try:
            action(disk)
            outcome = "done"
        except QmpError as reason:
            outcome = f"refused: {reason}"
        self._log(f"others: {what}: {outcome}")
        return action.__name__, outcome

    def _spared(self, disk):
        """What harms this guest by itself. A BIOS takes "capacity has changed" of a SCSI disk for an error, and QEMU 7.2
        aborts when a client leaves an export of a disk in an iothread."""
        return {"iothread": {"pull_job", "pull_filter"}, "scsi": {"grow"}}.get(disk.drive.bus, ())

    def tidy(self):
        """Once nobody else holds anything."""
        for disk in self.disks:
            if not disk.is_there:
                self._plug(disk)
        self._delete_orphans()
        assert not self.orphans, f"nodes that cannot be deleted: {self.orphans}"

    # Means --------------------------------------------------------------------------------------------------------

    def cmd(self, command, **arguments):
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        try:
            result = self.qmp.cmd(command, arguments or None)
        except QmpError as reason:
            self._log(f"        {command} {arguments}: {reason.desc}")
            raise
        self._log(f"        {command} {arguments}")
        return result

    def hold(self, most=1.5):
        """Between two commands of a thing, a while that the seed chooses: what others do falls into it."""
        time.sleep(self.chance.uniform(0, most))

    def _name(self, what):
        self._count += 1
        return f"oth-{what}-{self._count}"

    def _job(self, command, **arguments):
        job = self._name("job")
        self.cmd(command, job_id=job, auto_dismiss=False, **arguments)
        return job

    def _wait_job(self, job, *statuses):
        """Returns the status; a job that has ended is dismissed, and its error raised."""
        until = time.monotonic() + JOB_S
        while time.monotonic() < until:
            info = next(j for j in self.qmp.cmd("query-jobs") if j["id"] == job)
            if info["status"] == "concluded":
                self.cmd("job-dismiss", id=job)
                if "error" in info and "cancel" not in info["error"]:
                    raise QmpError(job, {"desc": info["error"]})
            if info["status"] in ("concluded", *statuses):
                return info["status"]
            time.sleep(STEP_S)
        raise AssertionError(f"{job} does not end: {info}")

    def _image(self, what, size, format_, backing=None):
        path = self.lab.path(f"{self._name(what)}.{format_}")
        below = ["-u", "-b", backing.path, "-F", backing.format] if backing else []
        subprocess.run([self.lab.qemu_img, "create", "-q", "-f", format_, *below, path, str(size)], check=True)
        return path

    def _add(self, what, path, format_, **more):
        node = Node(self._name(what), path, format_)
        self.cmd("blockdev-add", driver=format_, node_name=node.name, file={"driver": "file", "filename": path}, **more)
        return node

    def _delete(self, nodes):
        """From the top: a node goes only when none above it is left."""
        self.orphans += [name for node in nodes for name in (node.name, node.file) if name]
        self._delete_orphans()

    def _delete_orphans(self):
        there = {n["node-name"] for n in self.qmp.cmd("query-named-block-nodes", {"flat": True})}
        for name in self.orphans:
            # What came by -drive goes by itself when its drive has left it.
            if name in there and not name.startswith("#"):
                with contextlib.suppress(QmpError):
                    self.cmd("blockdev-del", node_name=name)
                    there.discard(name)
        self.orphans = [name for name in self.orphans if name in there]

    # Snapshots, and back ------------------------------------------------------------------------------------------

    def snapshot_by_device(self, disk):
        """By the name of the drive where it has one (-drive), else by that of the node."""
        path, node = self.lab.path(f"{self._name('over')}.qcow2"), self._name("over")
        which = {"device": disk.drive.name} if disk.drive.style == "drive" else {"node_name": disk.top.name}
        self.cmd("blockdev-snapshot-sync", **which, snapshot_file=path, format="qcow2", snapshot_node_name=node)
        disk.chain.append(Node(node, path, "qcow2"))

    def snapshot_by_node(self, disk):
        path = self._image("over", disk.drive.size, "qcow2", disk.top)
        over = self._add("over", path, "qcow2", backing=None)
        try:
            self.cmd("blockdev-snapshot", node=disk.top.name, overlay=over.name)
        except QmpError:
            self._delete([over])
            raise
        disk.chain.append(over)

    def _deepen(self, disk, depth):
        while len(disk.chain) < depth:
            self.snapshot_by_node(disk)
            self.hold(0.3)

    def _finish_ready(self, job):
        """Pivots, mostly."""
        self._wait_job(job, "ready")
        self.hold()
        is_wanted = self.chance.random() < 0.8
        self.cmd("job-complete" if is_wanted else "job-cancel", id=job)
        self._wait_job(job)
        return is_wanted

    def mirror(self, disk):
        format_ = self.chance.choice(["raw", "qcow2"])
        target = self._add("mirror", self._image("mirror", disk.drive.size, format_), format_)
        did_pivot = False
        try:
            did_pivot = self._finish_ready(self._job("blockdev-mirror", device=disk.top.name, target=target.name, sync="full"))
        finally:
            left = disk.chain[::-1] if did_pivot else [target]
            if did_pivot:
                disk.chain = [target]
            self._delete(left)

    def commit_active(self, disk):
        self._deepen(disk, 2)
        job = self._job("block-commit", device=disk.top.name, base_node=disk.chain[0].name)
        if self._finish_ready(job):
            left, disk.chain = disk.chain[:0:-1], disk.chain[:1]
            self._delete(left)

    def commit_middle(self, disk):
        self._deepen(disk, 3)
        self._wait_job(self._job("block-commit", device=disk.top.name, top_node=disk.chain[-2].name,
                                 base_node=disk.chain[0].name))
        left, disk.chain = disk.chain[-2:0:-1], [disk.chain[0], disk.top]
        self._delete(left)

    def stream(self, disk):
        self._deepen(disk, 2)
        self._wait_job(self._job("block-stream", device=disk.top.name))
        left, disk.chain = disk.chain[-2::-1], [disk.top]
        self._delete(left)

    def save_snapshot(self, disk):
        """savevm as a job, in the drives that can hold it; it is deleted again."""
        nodes = [d.top.name for d in self.disks if d.is_there and d.top.format == "qcow2"]
        if not nodes:
            return
        tag = self._name("tag")
        for command, more in (("snapshot-save", {"vmstate": nodes[0]}), ("snapshot-delete", {})):
            job = self._name("job")
            self.cmd(command, job_id=job, tag=tag, devices=nodes, **more)
            self._wait_job(job)
            self.hold(0.3)

    # The guest ----------------------------------------------------------------------------------------------------

    def grow(self, disk):
        size = disk.drive.size + self.chance.choice([1, 16, 40]) * 65536
        self.cmd("block_resize", node_name=disk.top.name, size=size)
        drive = disk.drive
        drive.booted_size = drive.booted_size or drive.size
        drive.smaller, drive.size = (*drive.smaller, drive.size), size

    def pause(self, _disk):
        self.cmd("stop")
        self.hold()
        self.cmd("cont")

    def reset(self, _disk):
        self.cmd("system_reset")
        self.resets += 1
        for drive in (d.drive for d in self.disks if d.drive.is_counted_on()):
            sectors = (drive.booted_size or drive.size) // 512
            drive.former |= {slot_lba(sectors, number) for number in range(SLOTS)} | {1}
            drive.booted_size = drive.size

    def unplug(self, disk):
        """Only what the guest does not count on; it is plugged in again, at once or once its nodes are free."""
        disk = next(d for d in self.disks if d.drive.is_idle)
        if not disk.is_there:
            return
        self.cmd("device_del", id=disk.drive.name)
        until = time.monotonic() + JOB_S
        while any(f"/{disk.drive.name}/" in f"/{e.get('qdev')}/" for e in self.qmp.cmd("query-block")):
            assert time.monotonic() < until, f"{disk.drive.name} is not unplugged"
            time.sleep(STEP_S)
        disk.is_there = False
        self._delete(disk.chain[::-1])
        self.hold()
        if not self.orphans:
            self._plug(disk)

    def _plug(self, disk):
        self._delete_orphans()
        assert not self.orphans, f"nodes of a drive that was unplugged cannot be deleted: {self.orphans}"
        top = disk.top
        disk.chain = [self._add("hot", top.path, top.format)]
        self.cmd("device_add", driver="scsi-hd", bus="scsi0.0", drive=disk.top.name, id=disk.drive.name)
        disk.is_there = True

    # Backups of others --------------------------------------------------------------------------------------------

    def _copied(self, disk, path, format_):
        self.copies.append((disk.drive.name, path, format_))

    def backup_job(self, disk):
        target = self._add("copy", self._image("copy", disk.drive.size, "raw"), "raw")
        try:
            self._wait_job(self._job("blockdev-backup", device=disk.top.name, target=target.name, sync="full",
                                     speed=self.chance.choice([0, 8 << 20])))
            self._copied(disk, target.path, "raw")
        finally:
            self._delete([target])

    def drive_backup(self, disk):
        path = self.lab.path(f"{self._name('copy')}.qcow2")
        self._wait_job(self._job("drive-backup", device=disk.top.name, target=path, format="qcow2", sync="full"))
        self._copied(disk, path, "qcow2")

    def _read_export(self, disk, node):
        """By a client, as another tool pulls."""
        server, export = self.lab.path(self._name("nbd")), self._name("exp")
        path = self.lab.path(f"{self._name('copy')}.raw")
        self.cmd("nbd-server-start", addr={"type": "unix", "data": {"path": server}})
        try:
            self.cmd("block-export-add", type="nbd", id=export, node_name=node, name="pull")
            self.hold()
            done = subprocess.run([self.lab.qemu_img, "convert", "-f", "raw", "-O", "raw", f"nbd+unix:///pull?socket={server}",
                                   path], capture_output=True, text=True, check=False, timeout=JOB_S)
            self._log(f"        pulled: exit status {done.returncode} {done.stderr.strip()}")
            self.cmd("block-export-del", id=export)
            until = time.monotonic() + JOB_S
            while any(e["id"] == export for e in self.qmp.cmd("query-block-exports")):
                assert time.monotonic() < until, f"{export} does not end"
                time.sleep(STEP_S)
            if not done.returncode:
                self._copied(disk, path, "raw")
        finally:
            self.cmd("nbd-server-stop")

    def pull_job(self, disk):
        """As libvirt does: a job keeps old clusters in an overlay, which is exported."""
        path = self._image("fleece", disk.drive.size, "qcow2", disk.top)
        fleece = self._add("fleece", path, "qcow2", backing=disk.top.name)
        try:
            job = self._job("blockdev-backup", device=disk.top.name, target=fleece.name, sync="none")
            try:
                self._read_export(disk, fleece.name)
            finally:
                self.cmd("job-cancel", id=job)
                with contextlib.suppress(QmpError):
                    self._wait_job(job)
        finally:
            self._delete([fleece])

    def pull_filter(self, disk):
        """As QEMU's manual has it: a filter of their own, put in by qom-set, and taken out again."""
        fleece = self._add("fleece", self._image("fleece", disk.drive.size, "qcow2"), "qcow2")
        added = [fleece]
        try:
            cbw, snap = (Node(self._name(what), "", "") for what in ("cbw", "snap"))
            self.cmd("blockdev-add", driver="copy-before-write", node_name=cbw.name, file=disk.top.name, target=fleece.name)
            added.insert(0, cbw)
            self.cmd("qom-set", path=disk.qdev, property="drive", value=cbw.name)
            try:
                self.cmd("blockdev-add", driver="snapshot-access", node_name=snap.name, file=cbw.name)
                try:
                    self._read_export(disk, snap.name)
                finally:
                    self._delete([snap])
            finally:
                self._take_out(disk, cbw)
        finally:
            self._delete(added)

    def _take_out(self, disk, cbw):
        """QEMU aborts when a device is given the node it has."""
        shown = next(e["inserted"]["node-name"] for e in self.qmp.cmd("query-block") if e.get("qdev") == disk.qdev)
        self._log(f"        {disk.qdev} has {shown}")
        if shown == cbw.name:
            self.cmd("qom-set", path=disk.qdev, property="drive", value=disk.top.name)
