#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest and its store over many days, whatever happens to them: every snapshot is what the drives held at its instant."""
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_track import must_tell
from vmtest import Days, main, option, product
from vmtest.drives import MIB
from vmtest.restore import must_go_on

RAW = {name: "reads everything" for name in ("drive0", "disk2", "disk5")}


def must_start(s, snapshot):
    """Its RAM, on its drives."""
    images, vmstate = s.by_us(snapshot)
    with s.at_rest():
        must_go_on(s, s.drives, images, vmstate, None, rounds=40)


def ten_days(version):
    """All that is known to go wrong, once."""
    product()
    with Days(version, seed=option("seed", 1)) as s:
        s.write(20)
        must_tell(s.back_up(), all="reads everything: no backup")
        s.write()
        must_tell(s.back_up(ram="background", during=s.write_meanwhile), all="changed since")
        background = s.store.latest()

        s.write()
        s.restart()
        s.write()
        must_tell(s.back_up(ram="plain"), **RAW, all="changed since")
        plain = s.store.latest()

        s.write()
        s.resize(s.drive("drive3"), 18 * MIB)
        s.resize(s.drive("disk5"), 9 * MIB)
        s.write(10)
        must_tell(s.back_up(during=lambda: s.write_meanwhile(10)), drive3="reads everything: it has another size", disk5="reads everything: it has another size",
                  all="changed since")

        s.write()
        s.lose("killed")
        s.write()
        must_tell(s.back_up(), all="changed since")
        s.write()
        for how in ("cancelled", "refused"):
            s.lose(how)
            s.write(2)
        must_tell(s.back_up(), all="changed since")

        s.write()
        s.back_up_with_a_bad_sector()
        s.write()
        must_tell(s.back_up(), all="changed since")
        s.check()
        s.prune(6)
        s.must_all_hold()

        kept = {}
        s.restart(meanwhile=lambda: kept.update(s.keep_images()))
        s.write()
        s.back_up()
        s.spoil_bitmaps(s.drive("disk1"))
        s.spoil_bitmaps(s.drive("drive3"), "block-dirty-bitmap-disable")
        s.write()
        must_tell(s.back_up(), disk1="reads everything: its bitmap is gone", drive3="reads everything: its bitmap has been switched off", all="changed since")

        s.restart(kill=True)
        s.write()
        must_tell(s.back_up(ram="plain", during=s.write_meanwhile), all="reads everything")
        s.restart(meanwhile=lambda: s.bring_back(kept, [d.name for d in s.drives]))
        s.write()
        must_tell(s.back_up(during=lambda: s.prune(5)), **RAW, all="changed since")
        s.restart(meanwhile=lambda: s.swap("disk1", "disk4"))
        must_tell(s.back_up(ram="background"), **RAW, drive3="changed since", all="reads everything: its image is another one than then")
        for snapshot in (background, plain, *s.store.snapshots()):
            if snapshot in s.truths:
                s.must_run("verify", snapshot, status=3 if snapshot in s.incomplete else 0)
        s.check()
        s.must_all_hold()
        s.prune(3)
        s.must_all_hold()
        must_start(s, s.store.latest())


class Fate:
    """What happens on a day: a method each, by chance."""

    def __init__(self, s):
        self.s, self.dice, self.kept = s, s.dice, []

    def nothing(self):
        pass

    def restarts(self):
        """The images may be copied meanwhile."""
        self.s.restart(meanwhile=lambda: self.kept.append(self.s.keep_images()))
        del self.kept[:-3]

    def killed(self):
        self.s.restart(kill=True)

    def old_images(self):
        if not self.kept:
            self.restarts()
        else:
            names = self.dice.sample([d.name for d in self.s.drives], self.dice.randrange(1, 7))
            self.s.restart(meanwhile=lambda: self.s.bring_back(self.dice.choice(self.kept), names))

    def images_swapped(self):
        self.s.restart(meanwhile=lambda: self.s.swap(*self.dice.sample(("disk1", "drive3", "disk4"), 2)))

    def grows(self):
        """Not disk2: SCSI tells the guest of it by an error, and its BIOS does not try again."""
        for drive in self.dice.sample([d for d in self.s.drives if d.name != "disk2"], 2):
            self.s.resize(drive, drive.size + 512 * self.dice.randrange(1, 4000))

    def shrunk_and_grown(self):
        drive = self.s.drive(self.dice.choice(("disk4", "disk5")))
        size = drive.size
        self.s.resize(drive, size // 1024 * 512)
        self.s.resize(drive, size)
        if self.dice.random() < 0.5:
            self.s.io(drive, f"write -P 7 {size - 512} 512")

    def overlay(self):
        self.s.overlay(self.dice.choice(self.s.drives))

    def committed(self):
        """An overlay that was copied would stand on another image from then on."""
        if any([self.s.commit(drive) for drive in self.s.drives]):
            self.kept.clear()
        else:
            self.overlay()

    def run_killed(self):
        self.s.lose("killed")

    def run_killed_at(self):
        command, most = self.dice.choice((("block-dirty-bitmap-add", 20), ("block-dirty-bitmap-merge", 12), ("qom-set", 12), ("cont", 1),
                                          ("blockdev-backup", 6), ("block-dirty-bitmap-remove", 12), ("blockdev-del", 30), ("job-dismiss", 6)))
        self.s.kill_at(command, self.dice.randrange(1, most + 1))

    def run_cancelled(self):
        self.s.lose("cancelled")

    def run_refused(self):
        self.s.lose("refused")

    def bad_sector(self):
        if self.s.node(self.s.drive("disk2")) == "node-disk2" and self.s.drive("disk2").format == "raw":
            self.s.back_up_with_a_bad_sector()

    def bitmaps_gone(self):
        self.s.spoil_bitmaps(self.dice.choice(self.s.drives), f"block-dirty-bitmap-{self.dice.choice(('remove', 'disable'))}")

    def untracked(self):
        self.s.cleanup("--untrack")

    def drive_left_out(self):
        name = self.dice.choice([d.name for d in self.s.drives])
        self.s.back_up("--exclude", name, lost=[name])

    def chunk_damaged(self):
        self.s.back_up()
        self.s.flip_byte(self.s.drive("disk4"))
        self.s.check(status=8)
        self.s.back_up()
        self.s.check()

    def chunk_lost(self):
        self.s.back_up()
        os.unlink(self.dice.choice(self.s.store.chunks_of(self.s.store.latest(), "disk4")))
        self.s.back_up()
        self.s.check()

    def pruned(self):
        self.s.prune(self.dice.randrange(1, 7), self.dice.sample(self.s.store.snapshots(), self.dice.randrange(0, 2)))

    def backup(self):
        """Of a day; says how it went."""
        if self.dice.random() < 0.1:
            self.s.back_up_at_rest()
            return "paused"
        ram = self.dice.choice(("no", "no", "background", "plain"))
        during = self.dice.choice((None, self.s.write_meanwhile, self.s.write_meanwhile, self.pruned))
        options = self.dice.choice(([], [], [], [], ["--engine", "pull"], ["--track", "no"]))
        run = self.s.back_up(*options, ram=ram, during=during)
        plan = [d for d in run.find(ev="plan")["devices"] if d["included"] and d["kind"] == "drive"]
        return f"RAM: {ram}, meanwhile: {during and during.__name__}, {options}, by bitmaps: {sum(bool(d.get('incremental')) for d in plan)} of {len(plan)}"


FATES = [name for name in vars(Fate) if not name.startswith("_") and name != "backup"]


def any_days(version):
    """--seed: what happens; --n: on so many days."""
    product()
    seed, n = option("seed", random.randrange(1 << 30)), option("n", 25)
    print(f"      --seed {seed} --n {n}")
    with Days(version, seed) as s:
        fate = Fate(s)
        s.write(20)
        s.back_up()
        for day in range(n):
            happening = s.dice.choice(FATES)
            print(f"      day {day}: {happening}", end=" ", flush=True)
            s.write(s.dice.randrange(0, 6))
            getattr(fate, happening)()
            s.write(s.dice.randrange(0, 6))
            print(fate.backup(), flush=True)
        s.check()
        s.must_all_hold()
        with_ram = [p for p in s.store.snapshots() if os.path.exists(f"{p}/vmstate.caibx")]
        s.prune(2, with_ram[-1:])
        s.must_all_hold()
        for snapshot in with_ram[-1:]:
            must_start(s, snapshot)
        assert s.incremental > n, s.incremental  # else this says little


if __name__ == "__main__":
    main(slow=(ten_days,), long=(any_days,))
