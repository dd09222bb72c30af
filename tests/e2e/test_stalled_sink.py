#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A sink that takes nothing for a while, at full speed: the guest and its administrator notice nothing.

stop, cont, system_reset and query-status through a second monitor each return within half a second, no write of the
guest takes a quarter of one. Where the spool is full as well, the backup goes, not the guest. VMABACKUP_STALL: seconds,
30 with VMABACKUP_FULL=1.
"""
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Drive, Noise, Scenario, Skip, main, product, standard_drives, wait_for

STALL_S = float(os.environ.get("VMABACKUP_STALL", "30" if os.environ.get("VMABACKUP_FULL") else "6"))
BOUND_S = 0.5  # of an answer
WRITE_BOUND_S = 0.25


def poke(s, run):
    """Ask again and again for as long as the sink stands still; the guest has to go on all the time.

    At first it writes to each of its places, so that the filter has everything to keep.
    """
    with Noise() as noise:
        since = s.vm.round_now()
        s.vm.wait_rounds(LAP)
        slowest = s.vm.worst_write(since)
        worst, until = {}, time.monotonic() + STALL_S
        while time.monotonic() < until:
            for command in ("query-status", "stop", "cont", "system_reset"):
                worst[command] = max(worst.get(command, 0), s.vm.answers_within(BOUND_S, command))
            assert run.process.poll() is None, f"it has ended: {run.report()}"
            boots = s.vm.output().count("S\n")
            wait_for(lambda: s.vm.output().count("S\n") > boots and s.vm.rounds() >= 0, 10, "the guest to boot again")
            s.vm.wait_rounds(32)
            slowest = max(slowest, s.vm.worst_write(1))
    print("      worst answers: " + ", ".join(f"{c} {t * 1000:.0f} ms" for c, t in worst.items()))
    noise.must_be_within(WRITE_BOUND_S, slowest, "worst write of the guest")


def pipe_that_nobody_reads(version):
    product()
    with Scenario(version, drives=standard_drives(count=2, size=96 << 20)) as s:
        fifo = fifo_that_nobody_reads(s)
        run = s.backup("--no-vmstate", output=fifo)
        wait_for(lambda: run.process.poll() is not None or does_wait(s, run), 30, "the copy to wait")
        poke(s, run)
        reader = threading.Thread(target=drain, args=(fifo, s.archive), daemon=True)
        reader.start()
        run.must_succeed(60)
        told = [e.get("text") or "" for e in run.events]
        assert any("has not answered for" in text and "buffers free" in text for text in told), told
        assert any("target answers again, after" in text for text in told), told
        reader.join(20)
        s.must_be_exact(s.archive)
        s.must_be_untouched(rounds=40)


def does_wait(s, run):
    """For the target: jobs are paused, or nothing more is asked for."""
    return any(j["paused"] for j in s.jobs()) or run.find(ev="progress", bottleneck="sink")


def fifo_that_nobody_reads(s):
    fifo = s.path("fifo")
    os.mkfifo(fifo)
    keep = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # a reader, so that the writer can open it
    s.at_end(lambda: os.close(keep))
    return fifo


def full_spool(version):
    """More than buffers and spool can take: drives are given up, within what their filters may cost; the guest goes on."""
    product()
    n = 6
    drives = [Drive(f"vd{i}", size=16 << 20, style="blockdev") for i in range(n)]
    with Scenario(version, drives=drives) as s:
        fifo = fifo_that_nobody_reads(s)
        run = s.backup("--no-vmstate", "--spool", "1M", output=fifo)
        s.wait_copying(run)
        since = s.vm.round_now()
        wait_for(lambda: "spool is full" in "".join(run.lines), 60, "a drive that is given up")
        s.vm.wait_rounds(LAP)
        reader = threading.Thread(target=drain, args=(fifo, s.archive), daemon=True)
        reader.start()
        assert run.wait(60) in (3, 6), run.report()
        s.must_be_untouched(rounds=40)
        slowest = s.vm.worst_write(since)
        print(f"      status {run.process.returncode}, guest write {slowest * 1000:.0f} ms")
        assert slowest < n * max(2, 10 // n) + 1, f"a write of the guest took {slowest:.1f} s"


def drain(fifo, path):
    with open(fifo, "rb") as source, open(path, "wb") as out:
        while True:
            data = source.read(1 << 20)
            if not data:
                return
            out.write(data)


def frozen_file_system(version):
    """The same with fsfreeze on the archive's own file system: a write that cannot even be interrupted."""
    product()
    with Scenario(version, drives=standard_drives(count=2, size=96 << 20)) as s:
        mount_image(s, s.path("disk.img"), s.path("mnt"))
        s.archive = s.path("mnt/a.vma")
        run = s.backup("--no-vmstate")
        s.wait_copying(run, 4 << 20)
        subprocess.run(["fsfreeze", "-f", s.path("mnt")], check=True)
        try:
            poke(s, run)
        finally:
            subprocess.run(["fsfreeze", "-u", s.path("mnt")], check=True)
        run.must_succeed(60)
        s.must_be_exact(s.archive)
        s.must_be_untouched(rounds=40)


def mount_image(s, image, folder):
    os.mkdir(folder)
    with open(image, "wb") as file:
        file.truncate(512 << 20)
    steps = (["mkfs.ext4", "-q", "-F", image], ["mount", "-o", "loop", image, folder])
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            raise Skip(f"{step[0]} is not possible here") from None
    s.at_end(lambda: subprocess.run(["umount", folder], check=True))


if __name__ == "__main__":
    main(pipe_that_nobody_reads, slow=(frozen_file_system, full_spool))
