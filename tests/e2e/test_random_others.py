#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Backups of a working guest while another tool does what tools do to its QEMU, at random moments and in random order.

    test_random_others.py                a few seeds
    test_random_others.py --long         40 seeds of 5 backups on each QEMU
    test_random_others.py --seed 17      that one; it tells all that was done
    test_random_others.py --seed 17 alone  the same without backups: is QEMU at fault?

The guest checks what it reads and counts on. What must hold after each backup: no I/O error, no lost write, QEMU alive and
answering, the guest running, nothing of ours left after `cleanup`; an archive that was called good is what the drives held at
one instant within the run, with RAM a guest that goes on from there. In the end the images hold the guest's last round.
"""
import contextlib
import copy
import dataclasses
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Asker, Drive, Scenario, check_images, main, option, product, wait_for
from vmtest.judge import GOOD, Verdict
from vmtest.others import Others
from vmtest.restore import must_go_on

MIB = 1 << 20
N_BACKUPS = 5  # of a seed
N_QUICK = 3    # in the ordinary suite
RUN_S, OTHERS_S = 90, 180
STATUSES = (0, 1, 3)  # 5, that QEMU is gone, or 7, that there is another backup of ours, would be wrong
LIMITS = ["4M", "10M", "25M", "none"]


def drives():
    return [Drive("drive0", size=8 * MIB, is_dense=True),
            Drive("disk1", size=8 * MIB, format="qcow2", style="blockdev", bus="iothread", is_dense=True),
            Drive("disk2", size=6 * MIB, format="qcow2", style="blockdev", bus="scsi", is_dense=True),
            Drive("disk3", size=4 * MIB, style="blockdev", is_dense=True),
            Drive("extra", size=4 * MIB, format="qcow2", style="blockdev", bus="scsi", is_idle=True, is_dense=True)]


class Deed(threading.Thread):
    """What the others do during one backup: so many things, one after the other, each at a moment of its own."""

    def __init__(self, others, chance):
        super().__init__(daemon=True)
        self.others, self.trouble, self.did = others, None, []
        self.moments = [chance.uniform(0, 2.5) for _ in range(chance.choice([1, 1, 2, 3]))]
        self.start()

    def run(self):
        try:
            for moment in self.moments:
                time.sleep(moment)
                self.did.append(self.others.act())
        except Exception:  # told by the thread that waits for it
            self.trouble = traceback.format_exc()

    def must_end(self):
        self.join(OTHERS_S)
        assert not self.is_alive(), f"the others do not come to an end: {self.did}"
        assert not self.trouble, f"the others met trouble: {self.trouble}"


def is_vmb(name):
    return name.startswith("vmb-")


def left_over(qmp):
    """What QEMU has of ours."""
    return [n["node-name"] for n in qmp.cmd("query-named-block-nodes", {"flat": True}) if is_vmb(n["node-name"])] + \
        [j["id"] for j in qmp.cmd("query-jobs") if is_vmb(j["id"])] + \
        [e["id"] for e in qmp.cmd("query-block-exports") if is_vmb(e["id"])]


def exact_across_reset(before, after, images):
    """The guest starts its drives anew in order: those that it has come to are in round 0."""
    counted = [d for d in before if d.is_counted_on() and d.name in images]
    anew = set()
    for drive in counted:
        with open(images[drive.name], "rb") as image:
            image.seek(512)
            if not struct.unpack("<I", image.read(4))[0] & 0xFFFFFF:
                anew.add(drive.name)
    if len(anew) == len(counted):
        return check_images(after, images)
    if anew:
        check_images(after, {name: path for name, path in images.items() if name in anew})
    return check_images(before, {name: path for name, path in images.items() if name not in anew})


class Session:
    """One seed: a guest, its backups, and the others."""

    def __init__(self, s, asker, seed, has_backups):
        self.s, self.asker, self.has_backups = s, asker, has_backups
        self.chance = random.Random(f"others {seed}")
        self.began, self.timeline = time.monotonic(), []
        self.others = Others(s.vm, "other", s, random.Random(f"others' own {seed}"), self.log)
        self.figures = []  # (status, what others did) of each backup
        s.take_note()

    def log(self, text):
        self.timeline.append(f"{time.monotonic() - self.began:8.3f} {text}")

    def lines(self):
        """How often the guest has told that it lives; it counts from 0 after a reset."""
        self.s.vm.rounds()  # has found nothing wrong
        return self.s.vm.output().count("C ")

    def must_run(self):
        status = self.s.vm.qmp.cmd("query-status")["status"]
        assert status == "running", f"the guest is {status}, and nobody else has stopped it"
        goal = self.lines() + 2
        wait_for(lambda: self.lines() >= goal, 60, "the guest to go on")

    # One backup -----------------------------------------------------------------------------------------------

    def trial(self, number):
        for drive in self.s.vm.drives:
            drive.smaller = ()
        before, resets = copy.deepcopy(self.s.vm.drives), self.others.resets
        since = self.s.vm.round_now()
        deed = Deed(self.others, self.chance)
        run, archive = self.backup(number)
        status = self.wait(run)
        deed.must_end()
        self.asker.must_be_alive()
        self.figures.append((status, deed.did))
        if run and status in GOOD:
            self.must_be_good(run, status, archive, (before, since, resets), deed)
        self.must_be_clean(run)
        self.must_run()
        self.judge_copies(before, resets)

    def backup(self, number):
        archive = self.s.path(f"{number}.vma")
        limit, has_ram = self.chance.choice(LIMITS), self.chance.random() < 0.4
        options = [] if limit == "none" else ["--limit", limit]
        options += [] if has_ram else ["--no-vmstate"]
        time.sleep(self.chance.uniform(0, 2))
        self.log(f"backup {number}: {' '.join(options)}")
        return (self.s.backup(*options, output=archive) if self.has_backups else None), archive

    def wait(self, run):
        if not run:
            return None
        until = time.monotonic() + RUN_S
        while run.process.poll() is None:
            self.asker.must_be_alive()
            assert time.monotonic() < until, f"no end after {RUN_S} s: {run.report()}"
            time.sleep(0.02)
        status = run.wait()
        texts = [e["text"] for e in run.events if e.get("ev") in ("error", "result")]
        self.log(f"backup has ended: exit status {status}: {'; '.join(texts)}")
        assert status in STATUSES, f"exit status {status}: {run.report()}"
        return status

    def must_be_good(self, run, status, archive, at_start, deed):
        before, since, resets = at_start
        offered = [d for d in before if d.is_counted_on()]
        verdict = Verdict(self.s, run, status, archive, offered)
        instant = self.must_be_exact(verdict, before, resets)
        now = self.s.vm.round_now()
        if instant is not None and resets == self.others.resets:
            assert since <= instant <= now, f"the archive is of round {instant}, and the run lasted from {since} to {now}"
        is_whole = not verdict.own and {d.name for d in before} <= set(verdict.images)  # RAM goes on with all its devices only
        if verdict.vmstate and is_whole and not any(name == "unplug" for name, _ in deed.did):
            self.prove_ram(verdict, instant if resets == self.others.resets else None)
        shutil.rmtree(self.s.path("unpacked"))
        os.unlink(archive)

    def must_be_exact(self, verdict, before, resets):
        """Sizes, and what sectors of earlier lives hold, may be those of before the run or of now."""
        now = self.s.vm.drives
        if resets == self.others.resets:
            return verdict.must_be_exact(now)
        grown = [dataclasses.replace(old, smaller=new.smaller, size=new.size, booted_size=old.booted_size or old.size)
                 for old, new in zip(before, now)]
        with contextlib.suppress(AssertionError):
            return verdict.must_be_exact(grown)
        with contextlib.suppress(AssertionError):
            return exact_across_reset(grown, now, verdict.images)
        return verdict.must_be_exact(now)

    def prove_ram(self, verdict, instant):
        there = [d for d in self.s.vm.drives if d.is_counted_on() or d.name in verdict.images]
        with self.s.at_rest():
            must_go_on(self.s, there, verdict.images, verdict.vmstate, instant)
        self.log("the RAM goes on from there")

    def must_be_clean(self, run):
        if run:
            done = self.s.cleanup()
            self.log(f"cleanup: {' '.join(done.errors.split())}")
        left = left_over(self.s.vm.qmp)
        assert not left, f"left in QEMU after cleanup: {left}"
        self.others.tidy()
        wait_for(lambda: self.s.vm.sockets() <= self.s.sockets, 10, f"{self.s.sockets} sockets, as before")

    def judge_copies(self, before, resets):
        """What the others have saved is exact, too."""
        for name, path, format_ in self.others.copies:
            drive = next(d for d in self.s.vm.drives if d.name == name)
            flat = f"{path}.flat"
            subprocess.run([self.s.qemu_img, "convert", "-f", format_, "-O", "raw", path, flat], check=True)
            if resets == self.others.resets and drive.is_counted_on():
                self.figures[-1][1].append(("copy", check_images(self.s.vm.drives, {name: flat})))
            os.unlink(path)
            os.unlink(flat)
        self.others.copies.clear()

    # The end --------------------------------------------------------------------------------------------------

    def must_end_well(self):
        """The images, read by the paths that the others know, hold all that the guest has written."""
        told = self.s.vm.rounds()
        assert self.s.vm.stop() == 0, f"QEMU has ended with {self.s.vm.process.returncode}: {self.s.vm.log.read_text()[-2000:]}"
        images = {}
        for disk in self.others.disks:
            images[disk.drive.name] = self.s.path(f"{disk.drive.name}.end")
            subprocess.run([self.s.qemu_img, "convert", "-f", disk.top.format, "-O", "raw", disk.top.path,
                            images[disk.drive.name]], check=True)
        last = check_images(self.s.vm.drives, images)
        assert last >= told, f"the images are of round {last}, and the guest has told of {told}"


def session(version, seed, n=N_BACKUPS, has_backups=True):
    product()
    with Scenario(version, drives=drives(), rounds=16, monitors=("asked", "other")) as s, \
            Asker(s.vm, "asked") as asker:
        it = Session(s, asker, seed, has_backups)
        try:
            for number in range(n):
                it.trial(number)
            it.must_end_well()
        except BaseException:
            print(f"      seed {seed}, QEMU {version}: --seed {seed} repeats it. What was done:\n" + "\n".join(it.timeline))
            raise
        if option("seed", None) is not None:
            print("\n".join(it.timeline))
        return it.figures


def tell(seed, figures):
    did = [f"{name}{'' if outcome == 'done' or name == 'copy' else ' (refused)'}" for _, done in figures for name, outcome in done]
    print(f"      seed {seed}: exit statuses {[status for status, _ in figures]}; {', '.join(did)}", flush=True)


def seeds(usual):
    """--seed names one, --n says how many."""
    return range(1, 1 + option("n", usual)) if option("seed", None) is None else [option("seed", None)]


def others_at_work(version):
    for seed in seeds(1):
        tell(seed, session(version, seed, N_QUICK if option("seed", None) is None else N_BACKUPS))


def others_at_work_for_long(version):
    statuses, failed = [], []
    for seed in seeds(40):
        try:
            figures = session(version, seed)
            statuses += [status for status, _ in figures]
            tell(seed, figures)
        except Exception:  # the other seeds are still worth running
            failed.append(seed)
            traceback.print_exc()
    print(f"      {len(statuses)} backups of seeds that went well: exit statuses "
          f"{ {status: statuses.count(status) for status in sorted(set(statuses))} }")
    assert not failed, f"seeds {failed}"


def others_alone(version):
    """Without backups: what fails here is QEMU's fault, or the test's."""
    for seed in seeds(10):
        tell(seed, session(version, seed, has_backups=False))


if __name__ == "__main__":
    main(others_at_work, newest=(others_at_work,), long=(others_at_work_for_long, others_alone))
