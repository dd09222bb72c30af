#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dead run left is found by whichever monitor one comes, named, and removed; who holds a guest is told."""
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import QemuState, Scenario, main, older_than, product, standard_drives

DRIVES = {"count": 1, "with_odd_ones": False}


class Twice(Scenario):
    """A guest with a second monitor for the product, and a proxy on the first."""

    def __init__(self, version):
        self.beside = tempfile.mkdtemp(prefix="vmt-")
        self.second = f"{self.beside}/second.qmp"
        super().__init__(version, drives=standard_drives(**DRIVES),
                         extra=("-qmp", f"unix:{self.second},server=on,wait=off"))
        self.at_end(lambda: shutil.rmtree(self.beside))
        self.add_proxy()

    def kill_at(self, command, *options, nth=1):
        hold = self.proxy.hold(command, nth=nth)
        run = self.backup(*options)
        hold.wait(30)
        run.kill()
        hold.release()

    def ask(self, *arguments, status=0):
        run = self.run(*arguments)
        assert run.wait() == status, run.report()
        return " ".join((run.errors + "".join(run.lines)).split())  # it folds long lines

    def records(self):
        return [n for n in os.listdir(self.path("run/vmabackup")) if n.endswith(".json")]

    def control_sockets(self):
        return [n for n in os.listdir(self.path("run/vmabackup")) if n.endswith(".sock")]


def found_by_another_monitor(version):
    """Killed before it had added a node, but had changed the migration's settings."""
    product()
    with Twice(version) as s:
        s.kill_at("migrate" if older_than(version, "9.0") else "blockdev-add")
        info = json.loads(s.ask("info", "--json", s.second))
        assert info["leftovers"] and "migration capabilities" in info["left"], info
        assert "changed migration capabilities" in s.ask("info", s.second)
        refused = s.ask("backup", "--no-vmstate", "-o", s.archive, s.second, status=1)
        assert f"vmabackup cleanup {s.second}" in refused and "changed migration capabilities" in refused, refused
        dry = s.ask("cleanup", "--dry-run", s.second)
        assert "would restore migration capabilities" in dry, dry
        s.ask("cleanup", s.second)
        assert not s.records()
        s.before.must_equal(QemuState(s.vm.qmp))  # but for a descriptor, which only the first monitor could close
        assert "nothing of ours is left" in s.ask("cleanup", s.second)


def nothing_left_is_no_obstacle(version):
    """Killed before it had changed anything: the next run goes on, and takes away its record and its descriptors."""
    product()
    with Twice(version) as s:
        s.kill_at("blockdev-add", "--no-vmstate")
        assert s.records()
        s.must_be_saved(s.backup("--no-vmstate"))
        assert not s.records()
        s.must_be_untouched(rounds=0)


def stopped_guest(version):
    """Killed while the guest stood still: that, and the filter, are named; cleanup by the other monitor lets it go."""
    product()
    with Twice(version) as s:
        s.kill_at("cont", "--no-vmstate")
        refused = s.ask("backup", "-o", s.archive, s.second, status=1)
        assert "1 drive behind a filter" in refused and "the guest stopped" in refused, refused
        s.ask("cleanup", s.second)
        s.must_be_untouched()


def told_who_holds_it(version):
    """The same monitor under another name, and another monitor: 7, with process, user and target of the holder."""
    product()
    with Twice(version) as s:
        run = s.backup("--no-vmstate", "--limit", "1M")
        s.wait_copying(run)
        os.symlink(s.proxy.path, s.path("link"))
        for name in (s.proxy.path, f"unix:{s.proxy.path},server=on", s.path("link"), os.path.relpath(s.proxy.path), s.second):
            said = s.ask("backup", "--no-vmstate", "-o", s.path("b.vma"), name, status=7)
            assert f"process {run.process.pid} of " in said and s.archive in said, said
        assert f"process {run.process.pid} of " in s.ask("cleanup", s.second, status=7)
        run.signal(signal.SIGTERM)
        s.must_have_failed(run, 143)
        s.must_be_untouched(rounds=0)


def qemu_that_ended(version):
    """What a dead run has left in it went with it: the next look, at whichever guest, removes the record."""
    product()
    with Twice(version) as s:
        run = s.run("backup", "--json", "--no-vmstate", "--limit", "1M", "-o", s.archive, s.second)
        s.wait_copying(run)
        run.kill()
        assert json.loads(s.ask("info", "--json", s.second))["leftovers"] and s.records()
        s.vm.kill()
        other = s.start(s.drives, name="other")
        assert not json.loads(s.ask("info", "--json", other.monitor))["leftovers"]
        assert not s.records()


def its_socket_goes(version):
    """A cleanup takes the dead run's control socket away, too; one that only asks leaves it."""
    product()
    with Twice(version) as s:
        s.kill_at("cont", "--no-vmstate")
        assert len(s.control_sockets()) == 1, s.control_sockets()
        s.ask("cleanup", "--dry-run", s.second)
        assert len(s.control_sockets()) == 1
        s.ask("cleanup", s.second)
        assert not s.control_sockets()
        s.must_be_untouched()


if __name__ == "__main__":
    main(found_by_another_monitor, nothing_left_is_no_obstacle, stopped_guest, told_who_holds_it, qemu_that_ended,
         its_socket_goes)
