#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Four drives of 1 TiB: less than 100 MiB of memory."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, main, product, standard_drives
from vmtest.drives import make_image

TIB = 1 << 40


def peak_kib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def four_large_drives(version):
    product()
    with Scenario(version, drives=standard_drives(count=1, with_odd_ones=False)) as s:
        s.vm.stop()
        large = []
        for index in range(4):
            drive = Drive(f"large{index}", size=1 << 20, style="blockdev")
            make_image(s.qemu_img, s.folder, drive)
            with open(drive.path, "r+b") as image:
                image.truncate(TIB)
                image.seek(TIB - 512)
                image.write(b"end" + bytes(509))
            drive.size = TIB
            large.append(drive)
        s.vm = s.start(s.drives + large, name="big")
        s.vm.wait_rounds(16)  # a driver that starts chooses the cache mode
        s.take_note()
        run = s.backup("--no-vmstate")
        s.wait_copying(run, 40 << 30)
        s.vm.wait_rounds(100)
        used = peak_kib(run.process.pid)
        print(f"      {used / 1024:.0f} MiB")
        assert used < 100 << 10, f"{used} KiB"
        run.signal(15)
        s.must_have_failed(run, 143)
        s.must_be_untouched()


if __name__ == "__main__":
    main(four_large_drives)
