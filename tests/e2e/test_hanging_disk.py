#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk of the host's that does not answer: the run does not wait for it for ever, QEMU goes on, cleanup does the rest."""
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, Skip, engine, main, product, standard_drives, wait_for

MIB = 1 << 20
LEFT = {"push": "2 jobs", "pull": "2 exports"}


class Hanging(Scenario):
    """A guest with one more drive, which nbdkit serves until it is stopped."""

    def __init__(self, version):
        if not shutil.which("nbdkit"):
            raise Skip("nbdkit is not here")
        self.beside = tempfile.mkdtemp(prefix="vmt-")
        path = f"{self.beside}/disk.nbd"
        self.disk = subprocess.Popen(["nbdkit", "-f", "-U", path, "--filter=rate", "memory", "512M", "rate=128M"], stderr=subprocess.DEVNULL)
        wait_for(lambda: pathlib.Path(path).exists(), 10, "nbdkit to listen")
        super().__init__(version, drives=standard_drives(count=1, with_odd_ones=False),
                         extra=("-blockdev", f"driver=nbd,node-name=far,server.type=unix,server.path={path}",
                                "-device", "virtio-blk-pci,drive=far,id=far"))
        self.at_end(self.end_disk)

    def end_disk(self):
        self.disk.kill()
        self.disk.wait()
        shutil.rmtree(self.beside)


def source_hangs(version):
    """Cancelled while a source does not answer: named within --timeout, and left alone, so that QEMU and its guest go on; a
    second signal changes nothing; the status is the signal's; with the disk back cleanup restores all."""
    product()
    with Hanging(version) as s:
        run = s.backup("--no-vmstate", "--limit", "drive0=1M", "--timeout", "3")
        s.wait_copying(run, MIB)
        s.disk.send_signal(signal.SIGSTOP)
        rounds = s.vm.wait_rounds(30)
        run.signal(signal.SIGTERM)
        start = time.monotonic()
        s.vm.wait_rounds(30)
        run.signal(signal.SIGINT)
        s.must_have_failed(run, 143)
        assert time.monotonic() - start < 12, run.report()
        told = " ".join(e.get("text") or "" for e in run.events)
        assert "drive far: its disk (node far) does not answer" in told, run.report()
        assert "vmabackup cleanup" in run.find(ev="result")["hint"], run.report()
        s.vm.wait_rounds(30)
        assert s.vm.rounds() > rounds
        left = [n["node-name"] for n in s.vm.qmp.cmd("query-named-block-nodes") if n["node-name"].startswith("vmb-")]
        assert left
        again = s.run("backup", "-o", s.archive, s.vm.monitor)
        assert again.wait() == 1 and LEFT[engine()] in "".join(again.lines), again.report()
        s.vm.wait_rounds(30)
        s.disk.send_signal(signal.SIGCONT)
        cleanup = s.run("cleanup", s.vm.monitor)
        assert cleanup.wait(40) == 0, cleanup.report()
        s.must_be_untouched()


if __name__ == "__main__":
    main(source_hangs)
