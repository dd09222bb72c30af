#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else migrates the guest: one that has left is never called saved, one that has stayed is."""
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Drive, Scenario, Skip, main, older_than, product, standard_drives, wait_for

MIB = 1 << 20


class Shared(Drive):
    """On storage that two hosts see: both QEMUs may open it."""

    def _node(self):
        return ["-drive", f"file.driver=file,file.filename={self.path},file.locking=off,format={self.format},if=none,"
                          f"cache=none,id={self.name}"]


def shared_drives():
    return [Shared("drive0", size=16 * MIB), Shared("drive1", size=8 * MIB, bus="iothread")]


def destination(s):
    return s.start(s.drives, name="there", extra=["-incoming", f"unix:{s.path('mig')}"])


def migration(s):
    return s.vm.qmp.cmd("query-migrate").get("status")


def leave(s):
    s.vm.qmp.cmd("migrate", {"uri": f"unix:{s.path('mig')}"})
    wait_for(lambda: migration(s) == "completed", 20, "the guest to leave")


def begin_to_leave(s):
    """To a host that takes the connection, and reads nothing."""
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(s.path("deaf"))
    deaf.listen(1)
    s.at_end(deaf.close)
    s.vm.qmp.cmd("migrate", {"uri": f"unix:{s.path('deaf')}"})
    wait_for(lambda: migration(s) == "active", 20, "somebody's migration to begin")


def stay(s):
    s.vm.qmp.cmd("migrate_cancel")
    wait_for(lambda: migration(s) == "cancelled", 20, "it to be cancelled")


def must_have_lost_it(s, run, there=None):
    s.must_have_failed(run, 5)
    assert "migrated" in run.find(ev="result")["text"], run.report()
    assert not [n for n in s.vm.qmp.cmd("query-named-block-nodes") if n["node-name"].startswith("vmb-")]
    assert not s.vm.qmp.cmd("query-jobs")
    if there:
        assert not s.vm.is_running(), "two guests run on the same images"
        there.wait_rounds(LAP)


def in_mid_copy(version):
    product()
    with Scenario(version, drives=shared_drives()) as s:
        there = destination(s)
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        leave(s)
        must_have_lost_it(s, run, there)


def of_a_paused_guest(version):
    """No event tells of it: it stood still before."""
    product()
    with Scenario(version, drives=shared_drives()) as s:
        there = destination(s)
        s.vm.qmp.cmd("stop")
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        leave(s)
        run.say("limit all 0")
        must_have_lost_it(s, run)
        there.qmp.cmd("cont")
        there.wait_rounds(LAP)


def while_its_ram_is_there_already(version):
    """What saving the RAM had set is put back by then: else it would be a background snapshot, and two guests would run."""
    product()
    if older_than(version, "9.0"):
        raise Skip("no background snapshot there")
    with Scenario(version, drives=shared_drives()) as s:
        there = destination(s)
        run = s.backup("--limit", "2M")
        run.wait_event(ev="drive", id="vmstate", state="done")
        wait_for(lambda: not any(c["state"] for c in s.vm.qmp.cmd("query-migrate-capabilities")
                                 if c["capability"] == "background-snapshot"), 20, "the capability to be put back")
        leave(s)
        must_have_lost_it(s, run, there)


def under_way_at_the_plan(version):
    """Refused while it lasts, before anything is done."""
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        begin_to_leave(s)
        s.add_proxy()
        run = s.backup()
        s.must_have_failed(run, 5)
        assert "being migrated by somebody else" in run.find(ev="result")["text"], run.report()
        assert not {"stop", "blockdev-add", "migrate-set-capabilities"} & set(s.proxy.names())
        stay(s)
        s.must_be_saved(s.backup("--no-vmstate"))
        s.must_be_untouched()


def begun_in_the_stop_window(version):
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        s.add_proxy().watch("stop", then=lambda: begin_to_leave(s))
        run = s.backup("--no-vmstate")
        s.must_have_failed(run, 5)
        stay(s)
        s.must_be_untouched()


def begun_and_cancelled(version):
    """The guest has never left: saved."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        begin_to_leave(s)
        s.vm.wait_rounds(20)
        stay(s)
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched()


def stopped_for_it_and_let_go(version):
    """It has stood still for a migration that was cancelled in its last moment: it is waited for, and saved."""
    product()
    with Scenario(version, drives=shared_drives()) as s:
        destination(s)
        s.vm.qmp.cmd("migrate-set-capabilities", {"capabilities": [{"capability": "pause-before-switchover", "state": True}]})
        s.take_note()
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        s.vm.qmp.cmd("migrate", {"uri": f"unix:{s.path('mig')}"})
        wait_for(lambda: migration(s) == "pre-switchover", 20, "it to stand still")
        run.wait_event(ev="log", level="warning", text="guest is being migrated by somebody else; this backup fails if it leaves")
        run.say("limit all 0")
        run.wait_event(ev="drive", id="drive0", state="done")
        s.vm.qmp.cmd("migrate_cancel")
        s.vm.wait_rounds(20)
        s.must_be_saved(run)
        s.must_be_untouched()


def said_beforehand(version):
    """info and backup have words of their own for a guest that has left, and for one that has not come yet."""
    product()
    with Scenario(version, drives=shared_drives()) as s:
        there = destination(s)
        for vm, words in ((there, "arriving here by a migration"), (s.vm, "migrated away (postmigrate)")):
            if vm is s.vm:
                leave(s)
            info = s.run("info", vm.monitor)
            assert info.wait() == 0 and words in "".join(info.lines), info.report()
            run = s.run("backup", "--json", "-o", s.archive, vm.monitor)
            s.must_have_failed(run, 5)
            assert words in run.find(ev="result")["text"], run.report()
        there.wait_rounds(LAP)


if __name__ == "__main__":
    main(in_mid_copy, of_a_paused_guest, while_its_ram_is_there_already, under_way_at_the_plan, begun_in_the_stop_window,
         begun_and_cancelled, stopped_for_it_and_let_go, said_beforehand, both=(in_mid_copy, said_beforehand))
