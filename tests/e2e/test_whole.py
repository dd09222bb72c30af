#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives of every kind under a guest that writes all the time, with and without RAM: exact, restored, QEMU as before.

VMABACKUP_RUNS=20 repeats each so often.
"""
import filecmp
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Scenario, main, product, standard_drives
from vmtest.restore import unpack

RUNS = int(os.environ.get("VMABACKUP_RUNS", "1"))


def with_ram(version):
    """A restored guest goes on at the round of the instant and finds all it ever wrote."""
    product()
    for turn in range(RUNS):
        with Scenario(version, rounds=40 + 7 * turn, seed=turn) as s:
            run = s.backup()
            images, vmstate = s.must_be_saved(run)
            assert vmstate, "there is no RAM in the archive"
            assert set(images) == {"drive0", "disk1", "disk2", "drive3"}, sorted(images)
            s.must_be_untouched(rounds=LAP)


def without_ram(version):
    """Slowed down, so that the guest overtakes the copy; a read-only drive is saved when it is asked for by name."""
    product()
    for turn in range(RUNS):
        with Scenario(version, rounds=40 + 5 * turn, seed=turn, drives=standard_drives(count=3)) as s:
            run = s.backup("--no-vmstate", "--limit", "512K", "--drive", "fixed", "--drive", "drive0", "--drive", "disk1",
                           "--drive", "disk2")
            s.wait_copying(run)
            s.vm.wait_rounds(60)
            run.say("limit all 0")
            images, vmstate = s.must_be_saved(run)
            assert not vmstate and "cd0" not in images
            fixed = next(d for d in s.drives if d.name == "fixed")
            assert filecmp.cmp(images["fixed"], fixed.base, shallow=False), "the read-only drive differs"
            s.must_be_untouched(rounds=LAP)


def compressed_and_piped(version):
    """Through a compressor, into a command, to standard output: the same content."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.backup("--no-vmstate", output=f"|zstd -q -o {s.path('a.vma.zst')}")
        s.must_be_saved(run, archive=s.path("a.vma.zst"))
        run = s.backup("--no-vmstate", output=f"|cat > {s.path('piped.vma')}")
        s.must_be_saved(run, archive=s.path("piped.vma"))
        with open(s.path("stdout.vma"), "wb") as out:
            run = s.backup("--no-vmstate", output="-", stdout=out)
            run.must_succeed()
        unpack(s.path("stdout.vma"), s.path("again"))
        s.must_be_untouched()


if __name__ == "__main__":
    main(with_ram, without_ram, compressed_and_piped, both=[with_ram])
