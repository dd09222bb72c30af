#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Images copied while our "cont" is held equal the archive to the byte; NBD is served while replies are late."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, product, standard_drives
from vmtest.pattern import first_difference


def archive_equals_the_stopped_images(version):
    product()
    for options in (["--no-vmstate"], []):
        with Scenario(version) as s:
            hold = s.add_proxy().hold("cont")
            run = s.backup(*options)
            hold.wait(30)
            copies = s.copy_images()
            hold.release()
            s.vm.wait_rounds(20)
            images, _ = s.must_be_saved(run)
            for name, copy in copies.items():
                at = first_difference(open(copy, "rb").read(), open(images[name], "rb").read())
                assert at is None, f"{name} differs from the stopped drive at byte {at}"
            s.must_be_untouched()


def late_replies_do_no_harm(version):
    """Each reply to a command that adds, starts or removes comes late by 0.2 s."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        proxy = s.add_proxy()
        for command in ("blockdev-add", "blockdev-backup", "qom-set", "stop", "cont", "blockdev-del", "job-dismiss"):
            proxy.delay_replies(command, 0.2)
        s.must_be_saved(s.backup(), restore=False)
        s.must_be_untouched()


if __name__ == "__main__":
    main(archive_equals_the_stopped_images, late_replies_do_no_harm)
