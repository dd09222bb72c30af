# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that lives for days, its store, and for every snapshot a copy of what the drives held at that instant.

    with Days("7.2", seed=1) as s:
        s.write()
        s.back_up("--no-vmstate")       # compared with the drives at once, by casync
        s.restart(kill=True)
        ...
        s.must_all_hold()               # every snapshot, by casync and by our reader

The truth is taken while "cont" is held: the guest stands still, and QEMU has flushed its images by then.
"""
import contextlib
import filecmp
import json
import os
import random
import shutil
import subprocess

from .drives import MIB, Drive
from .env import wait_for
from .pattern import SLOTS, first_difference, slot_lba
from .qmp import QmpError
from .scenario import Scenario
from .store import Store

CHUNK = 128 << 10


def drives_of_days():
    """Of those that are idle every byte is ours, whole chunks of zeros too; disk1 and disk4 can change places."""
    return [
        Drive("drive0", size=24 * MIB),
        Drive("disk1", size=32 * MIB, format="qcow2", style="blockdev", bus="iothread", is_trimmed=True),
        Drive("disk2", size=12 * MIB + 3 * 512, style="blockdev", bus="scsi", is_trimmed=True),
        Drive("drive3", size=16 * MIB, format="qcow2"),
        Drive("disk4", size=32 * MIB, format="qcow2", style="blockdev", bus="scsi", is_idle=True, is_trimmed=True),
        Drive("disk5", size=8 * MIB, style="blockdev", is_idle=True, is_trimmed=True),
    ]


def _is_background(message):
    return "background-snapshot" in str(message)


class Days(Scenario):
    def __init__(self, version, seed):
        self.dice = random.Random(seed)
        super().__init__(version, drives=drives_of_days(), rounds=8, pace=1, seed=seed)
        self.store = Store(self.path("store"), chunk=CHUNK)
        self.truths = {}  # snapshot -> folder of the drives' contents at its instant
        self.incomplete = set()  # snapshots without a drive that was lost
        self.incremental = 0  # drives that were read by a bitmap, of all days
        self._copies = 0
        self._note_sizes()

    def drive(self, name):
        return next(d for d in self.drives if d.name == name)

    def node(self, drive):
        """That its device stands on."""
        return next(e["inserted"]["node-name"] for e in self.vm.qmp.cmd("query-block")
                    if e["device"] == drive.name or drive.name in e.get("qdev", "").split("/"))

    def _new_folder(self, kind):
        self._copies += 1
        folder = self.path(f"{kind}-{self._copies}")
        os.mkdir(folder)
        return folder

    # What the guest does ---------------------------------------------------------------------------------------

    def _is_counted_on(self, drive, at, length):
        """Would the guest meet another sector than it wrote?"""
        own = {0, 1, 2} | {slot_lba(drive.booted_size // 512, n) for n in range(SLOTS)}
        return drive.is_counted_on() and any(at // 512 <= lba < (at + length) // 512 for lba in own)

    def _place(self, drive):
        """(offset, length): one sector, some, or whole chunks."""
        kind = self.dice.randrange(3)
        unit = CHUNK if kind == 2 else 512
        length = unit * (1 if kind == 0 else self.dice.randrange(1, 5) if kind == 2 else self.dice.randrange(1, 300))
        at = self.dice.randrange(0, (drive.size - length) // unit + 1) * unit
        return None if self._is_counted_on(drive, at, length) else (at, length)

    def write(self, n=5, names=None):
        """Beside what the guest writes by itself: data, zeros, discards. It stands still: QEMU 7.2 aborts else, where there is an iothread."""
        with self.at_rest():
            for drive in [self.drive(name) for name in names] if names else self.drives:
                self._write(drive, n)

    def write_meanwhile(self, n=5):
        """The same while a backup copies."""
        for drive in self.drives:
            if "iothread" not in drive.bus:
                self._write(drive, n)

    def _write(self, drive, n):
        for at, length in filter(None, (self._place(drive) for _ in range(n))):
            what = self.dice.choice((f"write -P {self.dice.randrange(1, 255)}", "write -z", "write -z -u", "discard"))
            self.io(drive, f"{what} {at} {length}")

    # Backups ---------------------------------------------------------------------------------------------------

    def take_truth(self):
        folder = self._new_folder("truth")
        for drive in self.drives:
            subprocess.run([self.qemu_img, "convert", "-U", "-f", drive.format, "-O", "raw", drive.path, f"{folder}/{drive.name}.raw"], check=True)
        return folder

    def begin(self, *options, ram="no"):
        """(run, truth) of a backup past its instant. ram: "no", "background" (as the product does it) or "plain"."""
        proxy = self.proxy or self.add_proxy()
        if ram == "plain":
            proxy.fail("migrate-set-capabilities", nth=None, where=_is_background, desc="no userfaultfd")
        hold = proxy.hold("cont")
        run = self.backup(*([] if ram != "no" else ["--no-vmstate"]), *options, output=self.store.dir)
        wait_for(lambda: hold.has_come() or run.process.poll() is not None, 60, "the guest to stand still")
        assert hold.has_come(), run.report()
        truth = self.take_truth()
        hold.release()
        return run, truth

    def back_up(self, *options, ram="no", during=None, status=0, lost=()):
        """A backup that is saved, but for the drives `lost`. during(): while it copies."""
        self.take_note()
        before = set(self.store.snapshots())
        run, truth = self.begin(*options, *(["--limit", "2M"] if during else []), ram=ram)
        if during:
            during()
            self._hurry(run)
        run.must_succeed(120, status)
        self.drop_proxy()
        for name in lost:
            os.unlink(f"{truth}/{name}.raw")
        assert not before & {self.store.latest()} and run.find(ev="result")["sink"] == self.store.latest(), run.report()
        self.truths[self.store.latest()] = truth
        if lost:
            self.incomplete.add(self.store.latest())
        self.must_hold(self.store.latest(), self.by_casync, ram=ram != "no")
        self.must_be_untouched(rounds=2)
        self.incremental += sum(bool(d.get("incremental")) for d in run.find(ev="plan")["devices"])
        return run

    def back_up_at_rest(self, *options):
        """Somebody else has paused the guest: it stays so."""
        with self.at_rest():
            truth = self.take_truth()
            run = self.backup("--no-vmstate", *options, output=self.store.dir)
            run.must_succeed(120)
            assert not self.vm.is_running()
        self.truths[self.store.latest()] = truth
        self.must_hold(self.store.latest(), self.by_casync)
        return run

    @staticmethod
    def _hurry(run):
        try:
            run.say("limit all 0")
        except AssertionError:
            assert run.process.poll() is not None  # it has ended

    def drop_proxy(self):
        if self.proxy:
            self.proxy.close()
            self.proxy = None

    def lose(self, how):
        """A backup that is killed, cancelled or refused in the midst of copying: no snapshot."""
        before = self.store.snapshots()
        if how == "refused":
            self.add_proxy().fail("blockdev-backup", nth=None)
        run, truth = self.begin("--limit", "100K")
        if how == "cancelled":
            run.say("cancel-all guest")
        elif how == "killed":
            self.wait_copying(run)
            run.kill()
            self.cleanup()
        if how != "killed":
            assert run.wait() in (1, 4), run.report()
        self.drop_proxy()
        shutil.rmtree(truth)
        assert self.store.snapshots() == before, run.report()

    def kill_at(self, command, nth=1):
        """kill -9 when it sends this. What is saved by then is whole."""
        before, proxy = set(self.store.snapshots()), self.add_proxy()
        hold, cont = proxy.hold(command, nth=nth), proxy.hold("cont")
        run = self.backup("--no-vmstate", output=self.store.dir)

        def is_over():
            return hold.has_come() or run.process.poll() is not None
        wait_for(lambda: is_over() or cont.has_come(), 60, f"cont, {command} or the end")
        if not is_over():
            truth = self.take_truth()
            cont.release()
            wait_for(is_over, 60, f"{command} or the end")
        run.kill()
        for rule in (hold, cont):  # of what cleanup says nothing is held
            rule.release()
        self.cleanup()
        self.drop_proxy()
        wait_for(self.vm.is_running, 10, "the guest to go on")
        for snapshot in set(self.store.snapshots()) - before:
            self.truths[snapshot] = truth
            self.must_hold(snapshot, self.by_casync)

    # What happens to it ----------------------------------------------------------------------------------------

    def _note_sizes(self):
        for drive in self.drives:
            told = subprocess.run([self.qemu_img, "info", "-U", "--output=json", "-f", drive.format, drive.path], check=True, capture_output=True)
            drive.size = drive.booted_size = json.loads(told.stdout)["virtual-size"]

    def restart(self, kill=False, meanwhile=None):
        """Of QEMU; the guest begins anew."""
        if kill:
            self.vm.kill()
        else:
            self.vm.stop()
        if meanwhile:
            meanwhile()
        self._note_sizes()
        self.vm = self.start(self.drives)
        self.vm.wait_rounds(4)

    def keep_images(self):
        """While QEMU is off: {drive: (copy, format)}."""
        folder, kept = self._new_folder("images"), {}
        for drive in self.drives:
            kept[drive.name] = shutil.copy(drive.path, folder), drive.format
        return kept

    def bring_back(self, kept, names):
        """While QEMU is off: these drives' images are as they were then."""
        for name in names:
            copy, form = kept[name]
            shutil.copy(copy, self.drive(name).path)
            self.drive(name).format = form

    def swap(self, one, other):
        """While QEMU is off: each drive has the other's image."""
        a, b = self.drive(one), self.drive(other)
        a.path, a.format, b.path, b.format = b.path, b.format, a.path, a.format

    def resize(self, drive, size):
        resize = "block_resize", {"node-name": self.node(drive), "size": size}
        try:
            self.vm.qmp.cmd(*resize)
        except QmpError as reason:
            if "inconsistent" not in reason.desc:
                raise
            self.cleanup("--untrack")  # QEMU was killed, and since then no backup has counted
            self.vm.qmp.cmd(*resize)
        drive.size = size

    def overlay(self, drive):
        """Somebody's snapshot."""
        path = self.path(f"{drive.name}.over{self._copies}.{len(self.truths)}")
        self.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": self.node(drive), "snapshot-file": path, "format": "qcow2",
                                                   "snapshot-node-name": f"over-{os.path.basename(path)}"[-31:]})
        drive.path, drive.format = path, "qcow2"

    def _files_of(self, drive):
        """Of its image, the topmost first."""
        told = subprocess.run([self.qemu_img, "info", "-U", "--output=json", "--backing-chain", "-f", drive.format, drive.path], check=True,
                              capture_output=True)
        return [(image["filename"], image["format"]) for image in json.loads(told.stdout)]

    def commit(self, drive):
        """Into the lowest image, which is the drive's again. False: it has no overlay, or another drive stands on that, too."""
        files = self._files_of(drive)
        if len(files) < 2 or any(files[-1] in self._files_of(other) for other in self.drives if other != drive):
            return False
        self.vm.qmp.pump()
        self.vm.qmp.events.clear()  # of the backups' jobs
        top = self.node(drive)
        self.vm.qmp.cmd("block-commit", {"job-id": "commit", "device": top})
        self.vm.qmp.wait_event("BLOCK_JOB_READY", 60)
        self.vm.qmp.cmd("job-complete", {"id": "commit"})
        self.vm.qmp.wait_event("BLOCK_JOB_COMPLETED", 60)
        with contextlib.suppress(QmpError):  # it stays only where it was on the command line
            self.vm.qmp.cmd("blockdev-del", {"node-name": top})
        drive.path, drive.format = files[-1]
        return True

    def bitmaps(self, drive):
        node = self.node(drive)
        return [b["name"] for n in self.vm.qmp.cmd("query-named-block-nodes") if n["node-name"] == node
                for b in n.get("dirty-bitmaps", []) if b.get("name", "").startswith("vmb-")]

    def spoil_bitmaps(self, drive, command="block-dirty-bitmap-remove"):
        for name in self.bitmaps(drive):
            self.vm.qmp.cmd(command, {"node": self.node(drive), "name": name})

    def back_up_with_a_bad_sector(self):
        """disk2 cannot be read in one place, which has changed: it is lost, the others are saved."""
        place = 5 * MIB + 4096
        with self.at_rest():
            self.io(self.drive("disk2"), f"write -P 99 {place} 512")
        self.vm.qmp.cmd("blockdev-add", {"driver": "blkdebug", "node-name": "faulty", "image": "file-disk2", "discard": "unmap", "inject-error": [
            {"event": "none", "iotype": "read", "errno": 5, "sector": place // 512}]})
        node = {"driver": "raw", "node-name": "node-disk2", "discard": "unmap"}
        self.vm.qmp.cmd("blockdev-reopen", {"options": [{**node, "file": "faulty"}]})
        run = self.back_up("--retries", "0", status=3, lost=["disk2"])
        self.vm.qmp.cmd("blockdev-reopen", {"options": [{**node, "file": "file-disk2"}]})
        self.vm.qmp.cmd("blockdev-del", {"node-name": "faulty"})
        return run

    # The store -------------------------------------------------------------------------------------------------

    def must_run(self, *arguments, status=0):
        run = self.run(*arguments)
        got = run.wait(120)
        assert got == status, f"{arguments}: exit status {got}: {run.report()}"
        return "".join(run.lines)

    def prune(self, keep, pinned=()):
        for snapshot in pinned:
            self.must_run("store", "pin", snapshot)
        all_others = [s for s in self.store.snapshots() if s not in pinned]
        whole = [s for s in all_others if s not in self.incomplete]  # whose places the others do not take
        wanted = sorted({*pinned, *all_others[-keep:], *whole[-keep:]})
        self.must_run("prune", "--keep-last", str(keep), self.store.dir)
        assert self.store.snapshots() == wanted, (self.store.snapshots(), wanted)
        for snapshot in set(self.truths) - set(wanted):
            shutil.rmtree(self.truths.pop(snapshot))
        for snapshot in pinned:
            self.must_run("store", "unpin", snapshot)

    def check(self, status=0):
        return self.must_run("store", "check", self.store.dir, status=status)

    def flip_byte(self, drive):
        """In the middle of a chunk of the newest snapshot, which this idle drive still holds."""
        chunk = self.store.chunks_of(self.store.latest(), drive.name)
        path = self.dice.choice(chunk)
        content = bytearray(open(path, "rb").read())
        content[len(content) // 2] ^= 1
        os.chmod(path, 0o644)
        open(path, "wb").write(content)

    # Judgements ------------------------------------------------------------------------------------------------

    def by_casync(self, snapshot):
        return self.store.unpack(snapshot, self.path("unpacked"))

    def by_us(self, snapshot):
        folder = self.path("extracted")
        shutil.rmtree(folder, ignore_errors=True)
        self.must_run("extract", "-C", folder, snapshot)
        images = {n[:-4]: f"{folder}/{n}" for n in os.listdir(folder) if n.endswith(".raw")}
        vmstate = f"{folder}/vmstate.bin"
        return images, vmstate if os.path.exists(vmstate) else None

    def must_hold(self, snapshot, reader, ram=None):
        images, vmstate = reader(snapshot)
        truth = {n[:-4]: f"{self.truths[snapshot]}/{n}" for n in os.listdir(self.truths[snapshot])}
        assert set(images) == set(truth), (snapshot, sorted(images), sorted(truth))
        assert ram is None or ram == bool(vmstate), (snapshot, vmstate)
        for name, image in images.items():
            if not filecmp.cmp(image, truth[name], shallow=False):
                sizes = os.path.getsize(image), os.path.getsize(truth[name])
                at = first_difference(open(truth[name], "rb").read(), open(image, "rb").read())
                raise AssertionError(f"{snapshot}: {name} differs from the drive at byte {at} (chunk {at // CHUNK}), sizes {sizes}, {reader.__name__}")
        return images, vmstate

    def must_all_hold(self):
        """By both readers, and they agree on the RAM."""
        assert self.store.snapshots() == sorted(self.truths), (self.store.snapshots(), sorted(self.truths))
        with self.at_rest():
            for snapshot in self.store.snapshots():
                _, ours = self.must_hold(snapshot, self.by_us)
                _, casyncs = self.must_hold(snapshot, self.by_casync, bool(ours))
                assert not ours or filecmp.cmp(ours, casyncs, shallow=False), snapshot
        self.store.must_be_clean()
