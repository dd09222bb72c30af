#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A sink that takes nothing for 20 s, at full speed: the guest and its administrator notice nothing.

stop, cont, system_reset and query-status through a second monitor each return within half a second.
"""
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, Skip, main, product, standard_drives, wait_for

STALL_S = float(os.environ.get("VMABACKUP_STALL", "20"))
BOUND_S = 0.5


def poke(s, run):
    """Ask again and again for as long as the sink stands still; the guest has to go on all the time."""
    worst, until = {}, time.monotonic() + STALL_S
    while time.monotonic() < until:
        for command in ("query-status", "stop", "cont", "system_reset"):
            worst[command] = max(worst.get(command, 0), s.vm.answers_within(BOUND_S, command))
        assert run.process.poll() is None, f"it has ended: {run.report()}"
        boots = s.vm.output().count("S\n")
        wait_for(lambda: s.vm.output().count("S\n") > boots and s.vm.rounds() >= 0, 10, "the guest to boot again")
        s.vm.wait_rounds(32)
    print("      worst answers: " + ", ".join(f"{c} {t * 1000:.0f} ms" for c, t in worst.items()))


def pipe_that_nobody_reads(version):
    product()
    with Scenario(version, drives=standard_drives(count=2, size=96 << 20)) as s:
        fifo = s.path("fifo")
        os.mkfifo(fifo)
        keep = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # a reader, so that the writer can open it
        s.at_end(lambda: os.close(keep))
        run = s.backup("--no-vmstate", output=fifo)
        wait_for(lambda: run.process.poll() is not None or any(j["paused"] for j in s.jobs()), 30, "a paused job")
        poke(s, run)
        reader = threading.Thread(target=drain, args=(fifo, s.archive), daemon=True)
        reader.start()
        run.must_succeed(60)
        reader.join(20)
        s.must_be_exact(s.archive)
        s.must_be_untouched(rounds=40)


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
    main(pipe_that_nobody_reads, frozen_file_system)
