#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors that pass no descriptors: a UNIX socket behind socat, as behind ssh -L, and TCP. QEMU is shown paths instead."""
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Scenario, main, older_than, product, standard_drives, wait_for


def forward(s):
    path = s.path("forwarded")
    socat = subprocess.Popen(["socat", f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{s.vm.monitor}"])
    s.at_end(lambda: (socat.kill(), socat.wait()))
    wait_for(lambda: pathlib.Path(path).exists(), 10, "socat to listen")
    return path


def no_sockets_are_left(s):
    left = [p.name for p in pathlib.Path(s.path("run")).rglob("*") if p.is_socket()]
    assert not left, left


def behind_socat(version):
    """With the RAM: older versions must wake their drives by a socket, too."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        run = s.run("backup", "--json", "-o", s.archive, forward(s))
        s.must_be_saved(run)
        assert any("passes no descriptors" in line for line in run.lines), run.report()
        s.must_be_untouched()
        no_sockets_are_left(s)


def by_tcp(version):
    product()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Scenario(version, drives=standard_drives(count=2),
                  extra=["-qmp", f"tcp:127.0.0.1:{port},server=on,wait=off"]) as s:
        s.must_be_saved(s.run("backup", "--json", "--no-vmstate", "-o", s.archive, f"127.0.0.1:{port}"))
        s.must_be_untouched()
        no_sockets_are_left(s)


def out_of_reach(version):
    """QEMU of another user, as on another host, does not get to our sockets: the reason is told, nothing is left."""
    product()
    nobody = ["-runas", "nobody"] if older_than(version, "9.1") else ["-run-with", "user=nobody"]
    with Scenario(version, drives=standard_drives(count=1), extra=nobody) as s:
        run = s.run("backup", "--json", "--no-vmstate", "-o", s.archive, forward(s))
        s.must_have_failed(run, 1)
        assert "monitor that passes no descriptors" in run.errors + "".join(run.lines), run.report()
        s.must_be_untouched()
        no_sockets_are_left(s)


if __name__ == "__main__":
    main(behind_socat, by_tcp, out_of_reach)
