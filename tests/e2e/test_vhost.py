#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""src/vhost against a real QEMU: tests/tools/vhost_read reads what it exports, whatever befalls either side."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Lab, Qmp, Skip, main

MIB = 1 << 20


def drives():
    return [Drive("drive0", size=24 * MIB, style="blockdev", is_dense=True),
            Drive("drive1", size=16 * MIB, style="blockdev", format="qcow2"),
            Drive("drive2", size=4 * MIB + 3 * 512, style="blockdev", bus="scsi")]


class Reader:
    """vhost_read at work on an export of its own. Like the product it has a monitor, which ends with it."""

    def __init__(self, lab, guest, node, rounds=1, kib=512, depth=8, name="vhost0"):
        tool = pathlib.Path(os.environ.get("VMABACKUP_BUILD", ""), "tests/vhost_read")
        if not tool.exists():
            raise Skip(f"{tool} is not built")
        self.guest, self.name = guest, name
        self.copy = lab.path("copy")
        ours, its = socket.socketpair()
        monitor = Qmp(guest.monitor)
        with ours, its, contextlib.closing(monitor):
            out = open(self.copy, "wb") if rounds else subprocess.PIPE
            command = [tool, lab.path("v"), its.fileno(), kib, depth, rounds]
            self.process = subprocess.Popen([str(word) for word in command], pass_fds=[its.fileno(), monitor.fileno()],
                                            stdout=out, stderr=subprocess.PIPE, text=True)
            lab.at_end(self.kill)
            its.close()
            listening, connected = (socket.recv_fds(ours, 1, 1)[1][0] for _ in range(2))
            assert not os.path.exists(lab.path("v")), "the path is gone before QEMU has the socket"
            monitor.getfd(name, listening)
            monitor.getfd(f"{name}-held", connected)
            monitor.cmd("block-export-add", {"type": "vhost-user-blk", "id": name, "node-name": node,
                                             "addr": {"type": "fd", "str": name}})

    def wait_rounds(self, count):
        """Without an end to its rounds it tells each."""
        for _ in range(count):
            assert self.process.stdout.readline() == "round\n", self.process.communicate(timeout=10)

    def delete(self, seconds=1):
        start = time.monotonic()
        self.guest.qmp.cmd("block-export-del", {"id": self.name}, timeout=60)
        took = time.monotonic() - start
        assert took < seconds, f"block-export-del took {took:.2f} s"
        self.guest.qmp.wait_event("BLOCK_EXPORT_DELETED", timeout=1, id=self.name)

    def end(self, status=0, seconds=20):
        """What it says at its end."""
        said = self.process.communicate(timeout=seconds)[1]
        assert self.process.returncode == status, f"{self.process.returncode}: {said}"
        return said

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def must_equal(lab, guest, drive, **how):
    """A whole reading of it is what its image is."""
    reader = Reader(lab, guest, f"node-{drive.name}", **how)
    said = reader.end()
    reader.delete()
    subprocess.run([lab.qemu_img, "convert", "-U", "-O", "raw", drive.path, lab.path("flat")], check=True)
    wanted = pathlib.Path(lab.path("flat")).read_bytes()
    assert pathlib.Path(reader.copy).read_bytes() == wanted, f"{drive.name} {how}: not what is on the disk"
    assert said.startswith(f"read {len(wanted)} in "), said


def exact(version):
    """Every kind of drive, request and depth; an exported node of a guest that stands still."""
    with Lab(version) as lab:
        guest = lab.guest(drives())
        guest.wait_rounds(20)
        guest.qmp.cmd("stop")
        for drive in guest.drives:
            for kib, depth in ((64, 1), (64, 128), (1024, 1), (1024, 16), (192, 7)):
                must_equal(lab, guest, drive, kib=kib, depth=depth)
        guest.must_live()


def deleted(version):
    """The export is taken away in the midst of reads: the reader says so, the next one is exact."""
    with Lab(version) as lab:
        guest = lab.guest(drives())
        guest.wait_rounds(20)
        for turn in range(5):
            reader = Reader(lab, guest, "node-drive0", rounds=0, depth=16, name=f"vhost{turn}")
            reader.wait_rounds(3)
            reader.delete()
            assert "QEMU has ended the connection of its export" in reader.end(1)
        guest.wait_rounds(20)
        guest.qmp.cmd("stop")
        must_equal(lab, guest, guest.drives[0])


def killed(version):
    """The reader dies in the midst of reads: QEMU does not mind, since it holds the connection itself, without a monitor,
    too: in every other turn the reader's is the only one."""
    with Lab(version) as lab:
        guest = lab.guest(drives())
        guest.wait_rounds(20)
        for turn in range(20):
            reader = Reader(lab, guest, "node-drive0", rounds=0, kib=1024, depth=16, name=f"vhost{turn}")
            reader.wait_rounds(1 + turn % 3)
            if turn % 2:
                guest.qmp.close()
            reader.kill()
            if turn % 2:
                guest.qmp = Qmp(guest.monitor_path("test"))
            guest.answers_within(1, "query-status")
            reader.delete()
            with contextlib.closing(Qmp(guest.monitor)) as monitor:  # only the monitor that it came by knows it
                monitor.cmd("closefd", {"fdname": f"{reader.name}-held"})
        guest.wait_rounds(20)
        guest.qmp.cmd("stop")
        must_equal(lab, guest, guest.drives[0])


def stopped(version):
    """The reader stands still in the midst of reads: the guest does not."""
    with Lab(version) as lab:
        guest = lab.guest(drives())
        guest.wait_rounds(20)
        reader = Reader(lab, guest, "node-drive0", rounds=0, depth=16)
        reader.wait_rounds(3)
        reader.process.send_signal(signal.SIGSTOP)
        guest.wait_rounds(20)
        took = [guest.answers_within(0.3, command) for command in ("stop", "cont", "system_reset")]
        print(f"      stop, cont, reset: {', '.join(f'{seconds * 1000:.0f} ms' for seconds in took)}")
        reader.process.send_signal(signal.SIGCONT)
        reader.wait_rounds(3)
        reader.delete()
        reader.end(1)


def drained(version):
    """The guest is stopped and goes on, again and again, in the midst of reads: none is lost."""
    with Lab(version) as lab:
        guest = lab.guest(drives())
        guest.wait_rounds(20)
        reader = Reader(lab, guest, "node-drive0", rounds=0, depth=16)
        for _ in range(200):
            guest.answers_within(2, "stop")
            guest.answers_within(2, "cont")
        reader.wait_rounds(20)
        guest.answers_within(2, "stop")
        reader.wait_rounds(20)
        assert reader.process.poll() is None
        reader.delete()
        reader.end(1)


def slow_disk(version):
    """block-export-del waits for what is in flight, though it ends the connection at once."""
    with Lab(version) as lab:
        guest = lab.guest(drives())
        guest.qmp.cmd("stop")
        guest.qmp.cmd("object-add", {"qom-type": "throttle-group", "id": "group", "limits": {"bps-total": 2 * MIB}})
        guest.qmp.cmd("blockdev-add", {"driver": "throttle", "node-name": "slow", "throttle-group": "group",
                                       "file": "node-drive2"})
        reader = Reader(lab, guest, "slow", rounds=0)
        reader.wait_rounds(1)  # so there are 4 MiB in flight
        token = guest.qmp.begin("block-export-del", {"id": reader.name})
        start = time.monotonic()
        assert "QEMU has ended the connection of its export" in reader.end(1)
        ended = time.monotonic() - start
        guest.qmp.finish(token, timeout=60)
        took = time.monotonic() - start
        guest.qmp.wait_event("BLOCK_EXPORT_DELETED", timeout=1, id=reader.name)
        assert ended < 0.5 < took < 5, f"connection ended after {ended:.2f} s, answer after {took:.2f} s"


if __name__ == "__main__":
    main(exact, deleted, killed, stopped, drained, slow_disk, both=(exact, killed))
