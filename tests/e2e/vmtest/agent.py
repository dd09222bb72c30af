# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's agent that is none: it speaks as qemu-ga does, as far as it is told to, and freezes nothing.

    agent = Agent(lab.path("agent"), when_asked={"guest-fsfreeze-freeze": Agent.SILENCE})
    run = lab.backup("--agent", agent.path)
    ...
    agent.is_frozen, agent.asked      # what came of it
"""
import json
import socket
import threading
import time

ALLOWED_WHILE_FROZEN = {"guest-sync-delimited", "guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-ping"}


class Agent:
    """when_asked: {command: what it does instead}, for the first time only; SILENCE, HANG_UP (after doing it), or bytes
    to be sent. first: bytes that an earlier client has left. delay: before each answer."""

    SILENCE, HANG_UP = "silence", "hang up"

    def __init__(self, path, when_asked=None, first=b"", delay=0, is_frozen=False):
        self.path = path
        self.is_frozen = is_frozen
        self.asked = []  # every command but the syncs
        self.clients = 0
        self.on_command = None  # called with each command before it is answered
        self._odd, self._first, self._delay = dict(when_asked or {}), first, delay
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # close() alone does not end the accept
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.clients += 1
            with client:
                try:
                    self._talk(client)
                except OSError:
                    pass  # he has gone

    def _talk(self, client):
        client.sendall(self._first)
        buffer = b""
        while True:
            data = client.recv(4096)
            if not data:
                return
            *lines, buffer = (buffer + data).replace(b"\xff", b"").split(b"\n")
            for line in lines:
                if self._answer(client, json.loads(line)) == self.HANG_UP:
                    return

    def _answer(self, client, message):
        command = message["execute"]
        if command != "guest-sync-delimited":
            self.asked.append(command)
        if self.on_command:
            self.on_command(command)
        odd = self._odd.pop(command, None)
        if self._delay:
            time.sleep(self._delay)  # what is slow in a guest is slow
        answer = json.dumps(self._do(command, message)).encode() + b"\n"
        if command == "guest-sync-delimited":
            answer = b"\xff" + answer
        if odd != self.SILENCE:
            client.sendall(odd if isinstance(odd, bytes) else answer)
        return odd

    def _do(self, command, message):
        if self.is_frozen and command not in ALLOWED_WHILE_FROZEN:
            return {"error": {"class": "GenericError", "desc": f"Command {command} has been disabled"}}
        if command == "guest-sync-delimited":
            return {"return": message["arguments"]["id"]}
        if command == "guest-fsfreeze-status":
            return {"return": "frozen" if self.is_frozen else "thawed"}
        if command in ("guest-fsfreeze-freeze", "guest-fsfreeze-thaw"):
            changed = self.is_frozen != command.endswith("freeze-freeze")
            self.is_frozen = command.endswith("freeze-freeze")
            return {"return": 2 if changed else 0}
        return {"error": {"class": "CommandNotFound", "desc": f"The command {command} has not been found"}}
