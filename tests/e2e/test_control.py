#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A run is listed, watched, slowed, paused and ended from another process, by its control socket."""
import json
import os
import socket
import stat
import subprocess
import sys

from vmtest import Scenario, main, product, wait_for

MIB = 1 << 20


def vmabackup(s, *arguments, status=0):
    """Another terminal: its standard output."""
    done = subprocess.run([product(), *arguments], env=dict(os.environ, **s.env), capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout if not status else done.stderr


def answer_to_stranger(s, path):
    """What another user hears from a control socket, were its folder open to all; None where we are not root."""
    if os.geteuid():
        return None
    places = [str(s.folder), s.path("run"), s.path("run/vmabackup"), path]
    before = [os.stat(place).st_mode for place in places]
    code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); " \
           "print(len(s.recv(9)))"
    for place in places:
        os.chmod(place, 0o777)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code,
                           path], capture_output=True, text=True, check=True)
    for place, mode in zip(places, before):
        os.chmod(place, stat.S_IMODE(mode))
    return int(done.stdout)


def steered_from_elsewhere(version):
    with Scenario(version) as s:
        run = s.backup("--limit", "2M", "--no-vmstate", "--record", s.path("run.ndjson"))
        s.wait_copying(run)
        run_id = run.wait_event(ev="hello")["job"]
        path = s.path(f"run/vmabackup/{run_id}.sock")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may open the control socket"
        assert not answer_to_stranger(s, path), "another user may watch, and steer"
        assert run_id in vmabackup(s, "runs") and "copy" in vmabackup(s, "runs")
        assert "drive0" in vmabackup(s, "status", s.vm.monitor), "the monitor does not find it"
        link = s.path("link")
        os.symlink(s.vm.monitor, link)
        lines = [json.loads(line) for line in vmabackup(s, "status", "--json", link).splitlines()]
        assert [e["ev"] for e in lines][:4] == ["hello", "guest", "plan", "phase"], lines
        vmabackup(s, "limit", run_id, "drive0", "3M")
        run.wait_event(ev="limit", id="drive0", new=3 * MIB)
        vmabackup(s, "limit", run_id, "4M")
        run.wait_event(ev="limit", id=None, new=4 * MIB)
        vmabackup(s, "pause", run_id, "disk1")
        wait_for(lambda: any("disk1 paused" in (e.get("text") or "") for e in list(run.events)), 10, "the pause")
        assert "no drive" in vmabackup(s, "pause", run_id, "nosuch", status=1)
        assert "none" in vmabackup(s, "status", "00000000", status=5)
        watcher = socket.socket(socket.AF_UNIX)
        watcher.connect(path)
        vmabackup(s, "resume", run_id)
        vmabackup(s, "cancel", run_id)
        assert run.wait() == 4, run.report()
        watcher.settimeout(5)
        told = b"".join(iter(lambda: watcher.recv(65536), b"")).decode().splitlines()
        assert json.loads(told[-1])["ev"] == "result", told[-1]
        assert not os.path.exists(path), "the control socket is still there"
        assert "no backup goes on" in subprocess.run([product(), "runs"], env=dict(os.environ, **s.env), text=True,
                                                     capture_output=True, check=True).stderr
        replayed = subprocess.run([product("vmabackup-tui"), "--replay", s.path("run.ndjson"), "--plain"], text=True,
                                  capture_output=True, check=True).stdout
        assert "drive0 limit" in replayed and "CANCELLED" in replayed, replayed
        s.must_be_untouched()


def slow_reader_is_dropped(version):
    """Who does not read is not waited for, and a dead run's socket is swept away by the next look."""
    with Scenario(version) as s:
        run = s.backup("--limit", "2M", "--no-vmstate")
        s.wait_copying(run)
        run_id = run.wait_event(ev="hello")["job"]
        path = s.path(f"run/vmabackup/{run_id}.sock")
        deaf = socket.socket(socket.AF_UNIX)
        deaf.connect(path)
        deaf.settimeout(20)
        try:
            while True:  # each line has an answer, which is never read
                deaf.sendall(b"x\n" * 8192)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert run_id in vmabackup(s, "runs")
        looks_on = s.run("--attach", run_id, "--plain", program="vmabackup-tui")
        wait_for(lambda: looks_on.lines, 10, "the first line")
        run.kill()
        assert looks_on.wait() == 5 and "out of sight" in looks_on.errors, looks_on.report()
        assert os.path.exists(path), "this shows nothing: it took its socket away"
        vmabackup(s, "runs")
        assert not os.path.exists(path), "a dead run's socket is still there"
        vmabackup(s, "cleanup", s.vm.monitor)
        s.must_be_untouched()


if __name__ == "__main__":
    main(steered_from_elsewhere, slow_reader_is_dropped)
