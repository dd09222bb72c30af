#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Large drives: little memory."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, engine, main, product, standard_drives
from vmtest.drives import make_image
from vmtest.run import peak_kib

GIB, TIB = 1 << 30, 1 << 40


def sparse_drive(s, name, size):
    """Nothing but a beginning and an end."""
    drive = Drive(name, size=1 << 20, style="blockdev")
    make_image(s.qemu_img, s.folder, drive)
    with open(drive.path, "r+b") as image:
        image.truncate(size)
        image.seek(size - 512)
        image.write(b"end" + bytes(509))
    drive.size = size
    return drive


def start_with(s, drives):
    s.vm.stop()
    s.vm = s.start(s.drives + drives, name="big")
    s.vm.wait_rounds(16)  # a driver that starts chooses the cache mode
    s.take_note()


def four_large_drives(version):
    """Four of 1 TiB: less than 100 MiB."""
    product()
    with Scenario(version, drives=standard_drives(count=1, with_odd_ones=False)) as s:
        start_with(s, [sparse_drive(s, f"large{index}", TIB) for index in range(4)])
        run = s.backup("--no-vmstate")
        s.wait_copying(run, (16 if engine() == "push" else 4) * GIB)  # pull reads the holes
        used = peak_kib(run.process.pid)
        print(f"      {used / 1024:.0f} MiB")
        assert used < 100 << 10, f"{used} KiB"
        run.signal(15)
        s.must_have_failed(run, 143)
        s.must_be_untouched()


def one_sparse_drive(version):
    """512 GiB to their end: less than 200 MiB. It takes minutes."""
    product()
    with Scenario(version, drives=standard_drives(count=1, with_odd_ones=False)) as s:
        start_with(s, [sparse_drive(s, "large", 512 * GIB)])
        run = s.backup("--no-vmstate")
        run.wait_event(seconds=900, ev="phase", phase="finish")
        used = peak_kib(run.process.pid)
        print(f"      {used / 1024:.0f} MiB")
        assert used < 200 << 10, f"{used} KiB"
        run.must_succeed()
        assert s.run("verify", s.archive).wait(300) == 0
        s.must_be_untouched()


if __name__ == "__main__":
    main(four_large_drives, long=(one_sparse_drive,))
