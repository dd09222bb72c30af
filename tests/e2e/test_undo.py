#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""However a run ends, QEMU is as before, the guest writes on, the status tells, and no archive has the final name."""
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Noise, Scenario, Skip, main, product, standard_drives, wait_for

DRIVES = {"count": 2, "size": 16 << 20}


def signals(version):
    """SIGINT 130, SIGTERM 143: in mid-copy, and while the guest is stopped for the instant."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        for number in (signal.SIGINT, signal.SIGTERM):
            run = s.backup("--limit", "1M", "--no-vmstate")
            s.wait_copying(run)
            run.signal(number)
            s.must_have_failed(run, 128 + number)
            s.must_be_untouched()
        proxy = s.add_proxy()
        s.take_note()
        hold = proxy.hold("qom-set")
        run = s.backup()
        hold.wait(30)
        run.signal(signal.SIGTERM)
        hold.release()
        s.must_have_failed(run, 143)
        s.must_be_untouched()


def cancelled_by_command(version):
    """cancel-all with the guest's name ends it with 4; without the name nothing happens."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        run = s.backup("--limit", "1M", "--no-vmstate")
        s.wait_copying(run)
        run.say("cancel-all")
        run.wait_event(ev="reply", ok=False)
        run.say("cancel-all guest")
        s.must_have_failed(run, 4)
        s.must_be_untouched()


def broken_pipe(version):
    """The command we write into ends early: 6."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        run = s.backup("--no-vmstate", output="|head -c 2000000 > /dev/null")
        s.must_have_failed(run, 6)
        s.must_be_untouched()


def small_file_system(s):
    """A target of 4 MiB: s.archive is on it. Returns the folder."""
    small = s.path("small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "vmabackup-test", small], check=False,
                      capture_output=True).returncode:
        raise Skip("may not mount a small file system here")
    s.at_end(lambda: subprocess.run(["umount", "-l", small], check=True))
    s.archive = f"{small}/a.vma"
    return small


def must_have_found_it_full(s, run, left=()):
    """6, one line, and of the archive nothing or what was asked to be kept."""
    s.must_have_failed(run, 6)
    said = [e["text"] for e in run.events if e["ev"] == "error" and e["level"] == "error"]
    assert len(said) == 1 and "full" in said[0], said
    there = {f for f in os.listdir(os.path.dirname(s.archive)) if f.startswith("a.vma")} - {"a.vma.log"}
    assert there == set(left), there
    s.must_be_untouched()


def full_file_system(version):
    """Filled by us or by someone else: --on-full fail ends with 6, with or without what was written; --on-full wait
    pauses the jobs, not the guest, and goes on when there is room."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s, Noise() as noise:
        small = small_file_system(s)
        rubbish = f"{small}/rubbish"
        since = s.vm.round_now()
        must_have_found_it_full(s, s.backup("--no-vmstate", "--on-full", "fail"))
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        must_have_found_it_full(s, fill_up_under(s, rubbish, "fail"))
        os.unlink(rubbish)
        must_have_found_it_full(s, fill_up_under(s, rubbish, "fail", "--keep-partial"), left=["a.vma.partial"])
        os.unlink(rubbish)

        run = fill_up_under(s, rubbish, "wait:1")
        wait_for(lambda: all(s.is_paused(run, d.name) for d in s.drives if d.is_counted_on()), 30, "the drives to be paused")
        s.vm.wait_rounds(LAP)
        os.unlink(rubbish)
        s.must_be_saved(run)
        s.must_be_untouched()
        noise.must_be_within(0.25, s.vm.worst_write(since), "worst write of the guest")


def fill_up_under(s, rubbish, on_full, *options):
    """A backup whose file system is filled by someone else while it runs."""
    run = s.backup("--no-vmstate", "--limit", "1M", "--on-full", on_full, *options)
    s.wait_copying(run)
    with open(rubbish, "wb") as file:
        try:
            while True:
                file.write(b"\xff" * 65536)
        except OSError:
            pass
    run.say("limit all 0")
    return run


def existing_archive_is_kept(version):
    """Never overwritten without --force; the guest is not even touched."""
    product()
    with Scenario(version, drives=standard_drives(**DRIVES)) as s:
        proxy = s.add_proxy()
        pathlib.Path(s.archive).write_text("precious")
        run = s.backup("--no-vmstate")
        assert run.wait() in (2, 6), run.report()
        assert pathlib.Path(s.archive).read_text() == "precious"
        assert "stop" not in proxy.names()
        s.must_be_saved(s.backup("--no-vmstate", "--force"))
        s.must_be_untouched(rounds=0)


if __name__ == "__main__":
    main(signals, cancelled_by_command, existing_archive_is_kept, slow=(broken_pipe, full_file_system))
