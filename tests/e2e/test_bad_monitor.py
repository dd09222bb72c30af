#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What answers at the monitor's place when it is no monitor: one clear line, status 5, never a crash or a wait for ever."""
import pathlib
import random
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Lab, Qmp, Run, main, product, standard_drives, wait_for

HMP = b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) "
GREETING = b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\r\n'


class Talker:
    """Listens, says its piece to whoever comes, then hangs up or keeps silent."""

    def __init__(self, path, piece, is_silent_after=False):
        self._piece, self._is_silent = piece, is_silent_after
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen(8)
        self._kept = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self._socket.accept()
            try:
                client.sendall(self._piece)
            except OSError:
                pass
            if self._is_silent:
                self._kept.append(client)
            else:
                client.close()


ARGUMENTS = {"backup": ["backup", "--plain", "-o"], "info": ["info"], "cleanup": ["cleanup"]}


def begin(folder, monitor, command, *options):
    target = [f"{folder}/a.vma"] if command == "backup" else []
    return Run([*ARGUMENTS[command], *target, *options, monitor], env={"XDG_RUNTIME_DIR": folder})


def tell(folder, monitor, command="backup", *options):
    """Runs a command on that monitor; returns what it said."""
    run = begin(folder, monitor, command, *options)
    status = run.wait(30)
    said = run.errors + "".join(run.lines)
    assert status == 5, f"{command} {monitor}: status {status}: {said}"
    assert not pathlib.Path(folder, "a.vma").exists()
    lines = [line for line in said.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 6, f"{command} {monitor}: {len(lines)} lines: {said}"
    assert str(monitor) in said, f"it does not name the monitor: {said}"
    return said


def no_monitor_there(_version):
    product()
    with tempfile.TemporaryDirectory(prefix="vmt-") as folder:
        for command in ("backup", "info", "cleanup"):
            tell(folder, f"{folder}/nowhere", command)
            pathlib.Path(folder, "file").write_text("no socket")
            tell(folder, f"{folder}/file", command)
            tell(folder, folder, command)
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(f"{folder}/dead")
        dead.close()
        tell(folder, f"{folder}/dead")
        tell(folder, "127.0.0.1:1")


def something_else_answers(_version):
    product()
    noise = random.Random(1).randbytes(4096)
    pieces = {"hmp": (HMP, True), "noise": (noise, False), "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
              "empty": (b"", False), "half": (GREETING[:40], False), "json": (b'{"hello": 1}\r\n', False),
              "array": (b"[1, 2]\r\n", False), "greeting": (GREETING, False), "deep": (b"[" * 20000 + b"\r\n", False),
              "long": (b'{"QMP": "' + b"x" * (20 << 20), False)}
    with tempfile.TemporaryDirectory(prefix="vmt-") as folder:
        for name, (piece, is_silent) in pieces.items():
            Talker(f"{folder}/{name}", piece, is_silent)
            said = tell(folder, f"{folder}/{name}")
            if name == "hmp":
                assert "-qmp" in said or "human" in said or "HMP" in said, said


def nobody_greets(_version):
    """The time for an answer is that for the greeting, too; after 2 s of it there is a word, once."""
    product()
    with tempfile.TemporaryDirectory(prefix="vmt-") as folder:
        Talker(f"{folder}/silent", b"", True)
        for command in ("backup", "info", "cleanup"):
            for timeout, has_word in ((1, False), (3, True)):
                start = time.monotonic()
                said = " ".join(tell(folder, f"{folder}/silent", command, "--timeout", str(timeout)).split())
                took = time.monotonic() - start
                assert timeout <= took < timeout + 5, f"{command} --timeout {timeout}: {took:.1f} s"
                assert said.count("waiting for the monitor's greeting") == has_word, said
                assert f"no greeting for {timeout} s: another program holds this monitor" in said, said


def held_for_a_while(version):
    """Another client has QEMU's only monitor, and leaves: whoever waits for it is served."""
    product()
    with Lab(version) as lab:
        vm = lab.guest(standard_drives(count=1, with_odd_ones=False))
        for command in ("info", "cleanup", "backup"):
            holder = Qmp(vm.monitor)
            run = begin(str(lab.folder), vm.monitor, command)
            wait_for(lambda: "waiting for the monitor's greeting" in " ".join((run.errors + "".join(run.lines)).split()), 20,
                     f"a word of {command}")
            assert run.process.poll() is None
            holder.close()
            assert run.wait(60) == 0, run.report()
        assert pathlib.Path(lab.folder, "a.vma").exists()


if __name__ == "__main__":
    main(no_monitor_there, something_else_answers, nobody_greets, held_for_a_while)
