#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest in each state that QEMU has for one that stands: its drives are saved, and it is left in that state."""
import filecmp
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, Skip, main, older_than, product, standard_drives, wait_for
from vmtest.restore import unpack

MIB = 1 << 20
PANIC = ["-device", "pvpanic", "-action", "panic=pause"]


def outb(vm, port, value, width="b"):
    """What the guest would write to that port itself."""
    vm.qmp.cmd("human-monitor-command", {"command-line": f"o /{width} {port:#x} {value:#x}"})


def panic(vm):
    outb(vm, 0x505, 1)


def status(vm):
    return vm.qmp.cmd("query-status")["status"]


def wait_status(vm, state, seconds=20):
    wait_for(lambda: status(vm) == state, seconds, f"the guest to be {state}")


def must_hold_the_images(s):
    """The guest has not moved: the archive is the images."""
    copies = s.copy_images()
    images, vmstate = unpack(s.archive, s.path("unpacked"))
    assert not vmstate, "there is RAM of a guest that stands by itself"
    for name, copy in copies.items():
        assert filecmp.cmp(images[name], copy, shallow=False), f"{name} is not what it was"


def saved_where_it_stands(version, state, move=None, drives=None, extra=(), rounds=0):
    with Scenario(version, drives=drives or standard_drives(count=2, with_odd_ones=False), extra=extra, rounds=rounds) as s:
        if move:
            move(s.vm)
        wait_status(s.vm, state)
        s.take_note()
        info = s.run("info", s.vm.monitor)
        assert info.wait() == 0 and "left out: guest" in "".join(info.lines), info.report()
        run = s.backup()
        run.must_succeed(status=3)
        must_hold_the_images(s)
        s.must_be_untouched()  # its state, too
        run = s.backup("--strict", "--force")
        assert run.wait() == 1 and f"({state})" in run.find(ev="result")["text"], run.report()
        s.must_be_untouched()
        s.backup("--no-vmstate", "--force").must_succeed()
        must_hold_the_images(s)
        s.must_be_untouched()


def never_started(version):
    product()
    saved_where_it_stands(version, "prelaunch", extra=["-S"])


def panicked(version):
    product()
    saved_where_it_stands(version, "guest-panicked", panic, extra=PANIC, rounds=40)


def stopped_by_its_watchdog(version):
    product()
    saved_where_it_stands(version, "watchdog", lambda vm: outb(vm, 0x443, 0x0F), extra=["-device", "ib700", "-action", "watchdog=pause"],
                          rounds=40)


def disk_of_the_host_full(version):
    product()
    drives = [Drive("disk0", size=8 * MIB, style="blockdev", faults=({"iotype": "write", "errno": 28},))]
    saved_where_it_stands(version, "io-error", drives=drives)


def powered_off(version):
    product()
    saved_where_it_stands(version, "shutdown", lambda vm: outb(vm, 0x604, 0x2000, "w"), extra=["-action", "shutdown=pause"], rounds=40)


def asleep(version):
    """Before 9.0 QEMU cannot stop it, so that its RAM is left out; since then it is stopped for the instant, and sleeps on."""
    product()
    if older_than(version, "9.0"):
        saved_where_it_stands(version, "suspended", lambda vm: outb(vm, 0x604, 0x2400, "w"), rounds=40)
        return
    with Scenario(version, drives=standard_drives(count=2)) as s:
        outb(s.vm, 0x604, 0x2400, "w")
        wait_status(s.vm, "suspended")
        s.take_note()
        run = s.backup()
        run.must_succeed()
        assert run.find(ev="drive", id="vmstate", state="done"), run.report()
        s.must_be_untouched()


def panics_as_it_is_stopped(version):
    """Our stop comes too late. The state is its own, and no cont takes it out of that."""
    product()
    with Scenario(version, drives=standard_drives(count=2), extra=PANIC) as s:
        s.add_proxy().watch("stop", then=lambda: panic(s.vm))
        run = s.backup("--no-vmstate")
        s.must_be_saved(run)
        assert "cont" not in s.proxy.names()
        s.must_be_untouched(rounds=0, ignore=("status",))
        assert status(s.vm) == "guest-panicked", s.vm.qmp.cmd("query-status")


def panics_before_its_ram_is_saved(version):
    """The same with the RAM, by a background snapshot: that would abort QEMU now. 3."""
    product()
    if older_than(version, "9.0"):
        raise Skip("there it moves before the guest is stopped")
    with Scenario(version, drives=standard_drives(count=2), extra=PANIC) as s:
        s.add_proxy().watch("stop", then=lambda: panic(s.vm))
        run = s.backup()
        s.must_be_saved(run, status=3)
        assert not {"cont", "migrate"} & set(s.proxy.names()), s.proxy.names()
        s.must_be_untouched(rounds=0, ignore=("status",))
        assert status(s.vm) == "guest-panicked", s.vm.qmp.cmd("query-status")


def panics_while_its_ram_moves(version):
    """By a plain migration, that is cancelled: it would leave "postmigrate" in the place of the state. 3."""
    product()
    with Scenario(version, drives=standard_drives(count=1), extra=PANIC) as s:
        proxy = s.add_proxy()
        proxy.fail("migrate-set-capabilities", where=lambda m: "background-snapshot" in str(m), desc="no userfaultfd")
        proxy.relay("-ram$", lambda relay: relay.pause())
        run = s.backup()
        wait_for(lambda: s.vm.qmp.cmd("query-migrate").get("status") == "active", 20, "the RAM to move")
        panic(s.vm)
        s.must_be_saved(run, status=3)
        assert "cont" not in proxy.names()
        s.must_be_untouched(rounds=0, ignore=("status",))
        assert status(s.vm) == "guest-panicked", s.vm.qmp.cmd("query-status")


def panics_in_mid_copy(version):
    """It is saved as it was at its instant."""
    product()
    with Scenario(version, drives=standard_drives(count=2), extra=PANIC) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        panic(s.vm)
        run.wait_event(ev="log", level="info", text="guest has panicked (guest-panicked): it stays so, and is saved as it was at its instant")
        run.wait_event(ev="guest", state="guest-panicked")
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched(rounds=0, ignore=("status",))
        assert status(s.vm) == "guest-panicked"


def cleanup_lets_only_our_guest_go(version):
    """A run that has stopped it is killed; it goes on by somebody's cont, and panics: cleanup leaves it so."""
    product()
    with Scenario(version, drives=standard_drives(count=1), extra=PANIC) as s:
        hold = s.add_proxy().hold("qom-set")
        run = s.backup("--no-vmstate")
        hold.wait()
        assert status(s.vm) == "paused"
        run.kill()
        s.proxy.close()
        s.vm.qmp.cmd("cont")
        panic(s.vm)
        wait_status(s.vm, "guest-panicked")
        s.add_proxy()
        s.cleanup()
        s.must_be_untouched(rounds=0, ignore=("status",))
        assert status(s.vm) == "guest-panicked"


if __name__ == "__main__":
    main(never_started, panicked, stopped_by_its_watchdog, disk_of_the_host_full, powered_off, asleep, panics_as_it_is_stopped,
         panics_before_its_ram_is_saved, panics_while_its_ram_moves, panics_in_mid_copy, cleanup_lets_only_our_guest_go,
         both=(asleep, panicked, panics_before_its_ram_is_saved, panics_as_it_is_stopped))
