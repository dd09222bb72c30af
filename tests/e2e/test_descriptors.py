#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of the program in mid-copy: what QEMU opens afterwards – a hot-plugged disk, a monitor's client – stays open.

A node of QEMU's that is connected by a descriptor keeps its *number*, and for as long as it exists its attempts to connect
anew (after 1, 2, 4 and 8 s) take or close whatever has that number by then.
"""
import contextlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Qmp, Scenario, main, product, wait_for

MIB = 1 << 20
N_DRIVES, N_FILES = 6, 8
WINDOW_S = 20
WAYS = ("copy", "stop", "monitor")


def drives():
    return [Drive(f"vd{index}", size=8 * MIB, style="blockdev", bus="scsi" if index > 2 else "virtio", is_dense=True)
            for index in range(N_DRIVES)]


def kill_in_mid_copy(s):
    """Returns when QEMU has noticed: every job has ended, but for those that were paused just then."""
    run = s.backup("--no-vmstate", "--limit", "4M")
    s.wait_copying(run, MIB)
    run.kill()
    s.vm.wait_rounds(16)
    wait_for(lambda: all(j["status"] in ("concluded", "paused") for j in s.vm.qmp.cmd("query-jobs")), 20, "all jobs to end")


def open_files(s):
    """Images as of hot-plugged disks: their paths."""
    paths = [s.path(f"hot{index}") for index in range(N_FILES)]
    for path in paths:
        pathlib.Path(path).write_bytes(bytes(MIB))
        s.vm.qmp.cmd("blockdev-add", {"driver": "raw", "node-name": os.path.basename(path),
                                      "file": {"driver": "file", "filename": path}})
    return paths


def close_files(s):
    for index in range(N_FILES):
        s.vm.qmp.cmd("blockdev-del", {"node-name": f"hot{index}"})


class Victim:
    """A guest whose backup was killed, and what was opened in its QEMU since."""

    def __init__(self, lab, version, way):
        self.way = way
        self.s = lab.enter_context(Scenario(version, drives=drives(), rounds=4, pace=1))  # at rest between rounds: three guests at once
        kill_in_mid_copy(self.s)
        if way in ("stop", "monitor"):  # each node is asked to flush: those that were idle see now that we are gone
            self.s.vm.qmp.cmd("stop", timeout=20)
            self.s.vm.qmp.cmd("cont", timeout=20)
        self.client = None
        if way == "monitor":  # the first to get a number that was ours
            self.client = Qmp(self.s.vm.monitor)
            lab.callback(self.client.close)
        self.files = open_files(self.s)

    def trouble(self):
        """What has happened to what QEMU holds, None: nothing."""
        is_open = set(self.s.vm.descriptors().values())
        lost = [os.path.basename(path) for path in self.files if path not in is_open]
        if lost:
            return f"{self.way}: closed behind QEMU's back: {lost}"
        for qmp in filter(None, (self.client, self.s.vm.qmp)):
            try:
                qmp.cmd("query-status", timeout=5)
            except OSError as reason:
                return f"{self.way}: {'the new client' if qmp is self.client else 'a monitor'} is not served: {reason!r}"
        return None

    def must_be_as_before(self):
        if self.client:
            self.client.close()
        close_files(self.s)
        self.s.cleanup()
        self.s.must_be_untouched(rounds=16)


def what_opens_later_stays_open(version):
    """All ways side by side, since it takes so long to be sure."""
    product()
    with contextlib.ExitStack() as lab:
        victims = [Victim(lab, version, way) for way in WAYS]
        found, until = {}, time.monotonic() + WINDOW_S
        while time.monotonic() < until and len(found) < len(victims):
            for victim in victims:
                trouble = victim.way not in found and victim.trouble()
                if trouble:
                    found[victim.way] = trouble
                    print(f"      {trouble}, {WINDOW_S - until + time.monotonic():.1f} s after it was opened", flush=True)
            victims[0].s.vm.qmp.pump(0.2)
        assert not found, "; ".join(found.values())
        for victim in victims:
            victim.must_be_as_before()


def on_every_version(version):
    what_opens_later_stays_open(version)


if __name__ == "__main__":
    main(slow=(on_every_version,), both=(on_every_version,))
