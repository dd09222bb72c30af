# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP client that never waits without a deadline."""
import collections
import json
import os
import socket
import time


class QmpError(Exception):
    """What QEMU answered instead of a result."""

    def __init__(self, command, error):
        super().__init__(f"{command}: {error.get('desc')}")
        self.desc = error.get("desc", "")
        self.klass = error.get("class", "")


class Qmp:
    """One monitor connection. Events pile up in .events until someone asks for them."""

    def __init__(self, path, timeout=10):
        self.timeout = timeout
        self.events = collections.deque()
        self._buffer = b""
        self._next_id = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self.greeting = self._message(time.monotonic() + timeout)["QMP"]
        self.cmd("qmp_capabilities")

    def close(self):
        self._socket.close()

    def fileno(self):
        return self._socket.fileno()

    def _message(self, deadline):
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("monitor did not answer in time")
            self._socket.settimeout(left)
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("monitor closed")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def cmd(self, command, arguments=None, timeout=None, fds=()):
        """The result of one command; raises QmpError. fds go along as SCM_RIGHTS."""
        return self.finish(self.begin(command, arguments, fds), timeout)

    def begin(self, command, arguments=None, fds=()):
        """Sends only; the answer is fetched with finish()."""
        self._next_id += 1
        message = {"execute": command, "id": self._next_id}
        if arguments is not None:
            message["arguments"] = arguments
        data = json.dumps(message).encode() + b"\n"
        if fds:
            socket.send_fds(self._socket, [data], list(fds))
        else:
            self._socket.sendall(data)
        return self._next_id, command

    def finish(self, token, timeout=None):
        number, command = token
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)
            elif message.get("id") == number:
                if "error" in message:
                    raise QmpError(command, message["error"])
                return message["return"]

    def getfd(self, name, fd):
        """Hands fd to QEMU under a name and closes it here."""
        self.cmd("getfd", {"fdname": name}, fds=[fd])
        os.close(fd)

    def pump(self, seconds=0.0):
        """Takes in the events that are there, or come within so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self._message(max(deadline, time.monotonic() + 0.001))
            except TimeoutError:
                return
            if "event" in message:
                self.events.append(message)

    def wait_event(self, name, timeout=None, **data):
        """The first event of this name whose data has these items; earlier ones are dropped."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            while self.events:
                event = self.events.popleft()
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    return event
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)

    def wait_job(self, job, timeout=60):
        """Waits until a job is concluded, dismisses it, returns its error or None (auto-dismiss must be off)."""
        deadline = time.monotonic() + timeout
        while True:
            info = [j for j in self.cmd("query-jobs") if j["id"] == job]
            if info and info[0]["status"] == "concluded":
                self.cmd("job-dismiss", {"id": job})
                return info[0].get("error")
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is still {info[0]['status'] if info else 'gone'}")
            self.pump(0.02)
