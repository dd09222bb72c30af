#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What answers at the monitor's place when it is no monitor: one clear line, status 5, never a crash or a wait for ever."""
import pathlib
import random
import socket
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Run, main, product

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


def tell(folder, monitor, command="backup"):
    """Runs a command on that monitor; returns what it said."""
    arguments = {"backup": ["backup", "--plain", "-o", f"{folder}/a.vma"], "info": ["info"], "cleanup": ["cleanup"]}
    run = Run([*arguments[command], monitor], env={"XDG_RUNTIME_DIR": folder})
    status = run.wait(30)
    said = run.errors + "".join(run.lines)
    assert status == 5, f"{command} {monitor}: status {status}: {said}"
    assert not pathlib.Path(folder, "a.vma").exists()
    lines = [line for line in said.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 4, f"{command} {monitor}: {len(lines)} lines: {said}"
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


if __name__ == "__main__":
    main(no_monitor_there, something_else_answers, versions=["any"])
