#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that has given up its privileges may read its images, but not open them for writing again: its guest goes on."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Drive, Scenario, Skip, main, older_than, product, wait_for

MIB = 1 << 20


class Careful(Drive):
    """As managers write it: opened for writing only while it is written."""

    def _node(self):
        return ["-blockdev", f"driver=file,node-name=file-{self.name},filename={self.path},auto-read-only=on",
                "-blockdev", f"driver={self.format},node-name=node-{self.name},file=file-{self.name}"]


def drives():
    return [Drive("drive0", size=8 * MIB), Drive("drive1", size=8 * MIB, format="qcow2"),
            Careful("disk2", size=8 * MIB, style="blockdev")]


def as_nobody(version):
    return ["-runas", "nobody"] if older_than(version, "9.1") else ["-run-with", "user=nobody"]


class Unprivileged(Scenario):
    def __init__(self, version, mode=0o644):
        if os.geteuid() != 0:
            raise Skip("only root can start such a guest")
        self.mode = mode
        super().__init__(version, drives=drives(), extra=as_nobody(version))

    def start(self, drives, **options):
        os.chmod(self.folder, 0o755)
        for drive in drives:
            os.chmod(drive.path, self.mode)
        return super().start(drives, **options)

    def add_plain_proxy(self):
        """A background snapshot needs none of this."""
        self.add_proxy().fail("migrate-set-capabilities", where=lambda m: "background-snapshot" in str(m), desc="no userfaultfd")
        return self.proxy


def ram_is_left_out(version):
    """3, with file, user and mode; the guest has not been touched."""
    product()
    with Unprivileged(version) as s:
        run = s.backup()  # as nobody it may not use userfaultfd either
        s.must_be_saved(run, status=3)
        said = next(e for e in run.events if e.get("level") == "warning" and "RAM is left out" in e["text"])
        assert "(user nobody) cannot open" in said["text"] and "root:root 0644) for writing: Permission denied" in said["text"], said
        assert "status" not in s.vm.qmp.cmd("query-migrate")
        s.must_be_untouched()


def each_image_is_tried(version):
    """Also one that is not saved: all are let go together."""
    product()
    with Unprivileged(version, mode=0o666) as s:
        s.must_be_saved(s.backup("--force"), restore=False)
        s.must_be_untouched()
        os.chmod(s.drives[2].path, 0o644)
        s.add_plain_proxy()
        run = s.backup("--force", "--exclude", "disk2")
        run.must_succeed(status=3)
        assert "disk2.raw (root:root 0644)" in "".join(run.lines), run.report()
        s.must_be_untouched()


def cont_fails_all_the_same(version):
    """1, with what to do; and cleanup finishes as soon as that is done."""
    product()
    with Unprivileged(version, mode=0o666) as s:
        proxy = s.add_plain_proxy()
        image = s.drives[0].path
        proxy.watch("migrate", then=lambda: os.chmod(image, 0o644))
        run = s.backup()
        s.must_have_failed(run, 1)
        assert f"{image} (root:root 0644) for writing: Permission denied" in "".join(run.lines), run.report()
        assert "vmabackup cleanup" in run.find(ev="result")["hint"], run.report()
        assert not s.vm.is_running()
        assert f"{image} (root:root 0644)" in s.cleanup(status=1).report()
        os.chmod(image, 0o666)
        s.cleanup()
        s.must_be_untouched(rounds=LAP)


def files_of_its_own_are_not_tried(version):
    """What snapshot=on writes to has no name any more, and stays open."""
    product()
    own = ["-drive", "if=none,id=own,file.driver=null-co,file.size=1M,format=raw,snapshot=on", "-device", "virtio-blk-pci,drive=own"]
    with Scenario(version, drives=[Drive("drive0", size=8 * MIB)], extra=own) as s:
        s.add_proxy().fail("migrate-set-capabilities", where=lambda m: "background-snapshot" in str(m), desc="no userfaultfd")
        s.must_be_saved(s.backup("--exclude", "own"), restore=False)
        s.must_be_untouched()


if __name__ == "__main__":
    main(ram_is_left_out, each_image_is_tried, cont_fails_all_the_same, files_of_its_own_are_not_tried, both=(ram_is_left_out, cont_fails_all_the_same))
