#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of the program, of QEMU, of the monitor's connection: nobody else is harmed, and cleanup repairs."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, QemuState, Run, Scenario, main, product, standard_drives, wait_for

DRIVES = {"count": 2, "size": 16 << 20}


def cleanup(s, *arguments):
    """On the monitor that the killed run had: its journal is found by that."""
    run = Run(["cleanup", *arguments, s.proxy.path if s.proxy else s.vm.monitor], env=s.env)
    return run, run.wait(30)


def killed_program(version):
    """In mid-copy, and while the guest is stopped: no I/O error in the guest; cleanup brings back what was."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        run = s.backup("--limit", "1M", "--no-vmstate")
        s.wait_copying(run)
        refused, status = cleanup(s)
        assert status == 7, f"cleanup of a live run: status {status}{refused.report()}"
        run.kill()
        s.vm.wait_rounds(200)
        dry, status = cleanup(s, "--dry-run")
        assert status == 0 and dry.lines, dry.report()
        assert s.before.differences(QemuState(s.vm.qmp)), "a dry run must change nothing"
        done, status = cleanup(s)
        assert status == 0, done.report()
        s.must_be_untouched(rounds=LAP)
        assert not os.path.exists(s.archive)
        again, status = cleanup(s)
        assert status == 0, again.report()


def killed_while_stopped(version):
    """Killed between stop and cont: cleanup lets the guest go."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        hold = s.add_proxy().hold("cont")
        run = s.backup("--no-vmstate")
        hold.wait(30)
        run.kill()
        assert not s.vm.is_running()
        done, status = cleanup(s)
        assert status == 0, done.report()
        s.must_be_untouched(rounds=LAP)


def killed_while_ram_moves(version):
    """Killed with the RAM on its way: the guest runs on, capabilities are as before after cleanup."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        moved = s.add_proxy().watch("migrate")
        run = s.backup()
        moved.wait(30)
        run.kill()
        wait_for(lambda: s.vm.qmp.cmd("query-migrate").get("status") not in ("setup", "active", "device"), 30,
                 "the migration to end")
        done, status = cleanup(s)
        assert status == 0, done.report()
        s.must_be_untouched(rounds=LAP)


def next_run_cleans_up(version):
    """A new backup after a killed one either succeeds or says what to do; after cleanup it succeeds."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        run = s.backup("--limit", "1M", "--no-vmstate")
        s.wait_copying(run)
        run.kill()
        run = s.backup("--no-vmstate")
        if run.wait() != 0:
            assert "cleanup" in run.errors + "".join(run.lines), run.report()
            cleanup(s)
            run = s.backup("--no-vmstate")
        s.must_be_saved(run)
        s.must_be_untouched()


def killed_qemu(version):
    """5, one clear line, no archive; a second monitor's "quit" the same."""
    product()
    for way in ("kill", "stop"):
        with Scenario(version, drives=standard_drives(**DRIVES)) as s:
            run = s.backup("--limit", "1M", "--no-vmstate")
            s.wait_copying(run)
            getattr(s.vm, way)()
            s.must_have_failed(run, 5)


def monitor_comes_back(version):
    """The connection breaks in mid-copy and can be made again: the run goes on and ends well."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        proxy = s.add_proxy()
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        proxy.hang_up()
        s.vm.wait_rounds(20)
        wait_for(lambda: proxy.names().count("qmp_capabilities") >= 2, 30, "a second connection")
        run.say("limit all 0")
        s.must_be_saved(run)
        s.must_be_untouched()


if __name__ == "__main__":
    main(killed_program, killed_while_stopped, killed_while_ram_moves, next_run_cleans_up, killed_qemu,
         monitor_comes_back)
