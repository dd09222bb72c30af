#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a plan refuses or says before anything is changed: names, firmware, memory and drives of special kinds."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, product, standard_drives


def one_drive():
    return standard_drives(count=1, with_odd_ones=False)


def answer(run, status):
    assert run.wait() == status, run.report()
    return " ".join((run.errors + "".join(run.lines)).split())  # it folds long lines


def configurations_that_clash(version):
    """extract would write them to a drive's file: refused by name, and QEMU is as it was."""
    product()
    with Scenario(version, drives=one_drive(), rounds=1) as s:
        drive = s.drives[0].name
        for name in (f"{drive}.raw", f"{drive}.qcow2", f"{drive}.raw.partial", "vmstate.bin", "vmabackup.json"):
            said = answer(s.backup("--config", f"{name}=/dev/null"), 2)
            assert f"config {name}: extract makes another file" in said, said
            assert not os.path.exists(s.archive)
        s.must_be_untouched(rounds=1)
        run = s.backup("--no-vmstate", "--config", f"{drive}=/etc/hostname")  # no file of that name is made
        assert run.wait() == 0, run.report()


if __name__ == "__main__":
    main(configurations_that_clash)
