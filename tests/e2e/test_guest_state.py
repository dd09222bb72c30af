#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that was paused stays paused; one that others meddle with is never reported as saved when it is not."""
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, QmpError, Scenario, main, product, standard_drives, wait_for


def paused_guest_stays_paused(version):
    product()
    for options in (["--no-vmstate"], []):
        with Scenario(version, drives=standard_drives(count=2)) as s:
            s.vm.qmp.cmd("stop")
            s.take_note()
            s.vm.qmp.events.clear()
            s.must_be_saved(s.backup(*options), restore=False)
            s.vm.qmp.pump(0.1)
            assert not [e for e in s.vm.qmp.events if e["event"] == "RESUME"], "it was let go"
            # A plain migration leaves its own word for "not running".
            s.must_be_untouched(ignore=("status",))
            assert not s.vm.is_running()
            s.vm.qmp.cmd("cont")
            s.vm.wait_rounds(LAP)


def said(run):
    return " ".join(e.get("text") or "" for e in run.events)


def must_stay_paused(s):
    s.must_be_untouched(rounds=0, ignore=("status",))
    s.vm.qmp.pump(0.1)
    assert not s.vm.is_running() and not [e for e in s.vm.qmp.events if e["event"] == "RESUME"], "it was let go"
    s.vm.qmp.cmd("cont")
    s.vm.wait_rounds(LAP)


def paused_by_others_in_mid_copy(version):
    """They paused it: it is saved all the same, of its instant, and nobody but they let it go again."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        s.vm.qmp.cmd("stop")
        s.vm.qmp.events.clear()
        run.wait_event(ev="guest", state="paused")
        run.say("limit all 0")
        s.must_be_saved(run)
        must_stay_paused(s)


def paused_by_others_while_ram_moves(version):
    """A plain migration ends with the guest stopped, too: it is told apart, and said."""
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        proxy = s.add_proxy()
        proxy.fail("migrate-set-capabilities", where=lambda m: "background-snapshot" in str(m), desc="no userfaultfd")
        proxy.relay("-ram$", lambda relay: relay.pause())
        run = s.backup()
        name = wait_for(lambda: next((n for n in proxy.relays if n.endswith("-ram")), None), 20, "the RAM's socket")
        wait_for(lambda: s.vm.qmp.cmd("query-migrate").get("status") == "active", 20, "the RAM to move")
        told = proxy.alter_reply("query-status", lambda m: None, where=lambda m: '"paused"' in json.dumps(m))
        s.vm.qmp.cmd("stop")
        s.vm.qmp.events.clear()
        told.wait()  # once the RAM is there nobody can tell any more who stopped it
        proxy.relays[name].go_on()
        s.must_be_saved(run, restore=False)
        assert "paused by somebody else while its RAM moved: it stays paused" in said(run), run.report()
        must_stay_paused(s)


def resumed_by_others_at_the_instant(version):
    """The drives would be of several instants: 1, one line, nothing left."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        hold = s.add_proxy().hold("qom-set", nth=2)
        run = s.backup("--no-vmstate")
        hold.wait(20)
        s.vm.qmp.cmd("cont")
        hold.release()
        s.must_have_failed(run, 1)
        assert "resumed by somebody else" in run.find(ev="result")["text"], run.report()
        s.must_be_untouched()


def reset_in_mid_copy(version):
    """A guest that reboots disturbs nothing: its image of the instant stands."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        assert s.vm.answers_within(0.5, "system_reset") is not None
        wait_for(lambda: s.vm.output().count("S\n") == 2, 20, "the guest to boot again")
        s.vm.wait_rounds(20)
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched()


def powered_off_in_mid_copy(version):
    """QEMU stays (-action shutdown=pause): 5, one line, nothing left in it. QEMU ends with the guest: 5, one line."""
    product()
    for extra in (["-action", "reboot=shutdown,shutdown=pause"], ["-no-reboot"]):
        with Scenario(version, drives=standard_drives(count=2), extra=extra) as s:
            run = s.backup("--limit", "2M", "--no-vmstate")
            s.wait_copying(run)
            s.vm.qmp.begin("system_reset")
            s.must_have_failed(run, 5)
            text = run.find(ev="result")["text"]
            assert "guest was shut down" in text or "QEMU went away" in text, run.report()
            assert len([e for e in run.events if e["ev"] == "error"]) == 1, run.report()
            if extra[0] == "-action":
                s.vm.qmp.pump(0.1)
                s.must_be_untouched(rounds=0, ignore=("status",))


def hung_in_its_end(version):
    """QEMU tells of a shutdown, then neither ends nor answers: the run ends soon, and says what to do."""
    product()
    with Scenario(version, drives=standard_drives(count=2), extra=["-action", "reboot=shutdown,shutdown=pause"]) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        s.vm.qmp.begin("system_reset")
        s.vm.qmp.wait_event("SHUTDOWN")
        s.vm.process.send_signal(signal.SIGSTOP)
        s.must_have_failed(run, 5, seconds=25)
        result, errors = run.find(ev="result"), [e for e in run.events if e["ev"] == "error"]
        assert "guest was shut down" in result["text"], run.report()
        assert "kill -9" in result["hint"] and str(s.vm.process.pid) in result["hint"], run.report()
        assert [e for e in errors if f"QEMU (process {s.vm.process.pid}) neither ends nor answers" in e["text"]], run.report()
        s.vm.process.send_signal(signal.SIGCONT)
        wait_for(lambda: s.vm.qmp.cmd("query-jobs") is not None, 30, "QEMU to answer again")
        s.cleanup()
        s.must_be_untouched(rounds=0, ignore=("status",))


def outside_cancel_is_no_success(version):
    """Someone else ends what reads a drive: it is started again from the frozen image, or the run fails. Never a hole."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        s.end_copy(0)
        s.vm.wait_rounds(20)
        if run.process.poll() is None:
            run.say("limit all 0")
        status = run.wait()
        if status == 0:
            s.must_be_exact(s.archive)
        else:
            assert status in (1, 3), run.report()
        s.must_be_untouched()


def hot_unplug(version):
    """A drive is unplugged in mid-copy: its frozen image stands and is saved whole."""
    product()
    with Scenario(version, drives=standard_drives(count=3)) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        s.vm.qmp.cmd("device_del", {"id": "disk2"})
        try:
            wait_for(lambda: "BADE" in s.vm.output(), 5, "the guest to notice")
        except AssertionError:
            pass  # a guest that does not look at its bus keeps the device
        run.say("limit all 0")
        run.must_succeed()
        s.must_be_exact(s.archive)
        names = [n["node-name"] for n in s.vm.qmp.cmd("query-named-block-nodes")]
        assert not [n for n in names if n.startswith("vmb-")], names


def second_backup_is_refused(version):
    """While one runs, another says who holds the guest: 7."""
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        run = s.backup("--limit", "1M", "--no-vmstate")
        s.wait_copying(run)
        second = s.backup("--no-vmstate", output=s.path("b.vma"))
        assert second.wait() == 7, second.report()
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched()


def filter_refused(version):
    """Where a drive refuses the filter it is saved directly, in the same stopped window, with a warning: 3."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        s.add_proxy().fail("qom-set", nth=1, where=lambda m: "cbw-0" in str(m["arguments"].get("value")), desc="refused")
        run = s.backup("--no-vmstate")
        s.must_be_saved(run, status=3)
        s.must_be_untouched()


def direct_by_request(version):
    """Without filters, because it was asked for: exact, and said to be unguarded: 3."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.backup("--guard", "direct")
        s.must_be_saved(run, status=3)
        assert "unguarded" in "".join(run.lines)
        s.must_be_untouched()


def odd_monitors_are_told_apart(version):
    """A command that QEMU refuses to know is named; nothing is left."""
    product()
    with Scenario(version, drives=standard_drives(count=1)) as s:
        s.add_proxy().fail("query-block", nth=None, klass="CommandNotFound", desc="The command query-block has not been found")
        run = s.backup("--no-vmstate")
        status = run.wait()
        assert status not in (0, 3) and status > 0, run.report()
        s.must_be_untouched()
        try:
            s.vm.qmp.cmd("nonsense")
        except QmpError:
            pass


if __name__ == "__main__":
    main(paused_guest_stays_paused, paused_by_others_in_mid_copy, paused_by_others_while_ram_moves,
         resumed_by_others_at_the_instant, reset_in_mid_copy, powered_off_in_mid_copy, outside_cancel_is_no_success, hot_unplug,
         second_backup_is_refused, filter_refused, odd_monitors_are_told_apart, slow=(direct_by_request, hung_in_its_end))
