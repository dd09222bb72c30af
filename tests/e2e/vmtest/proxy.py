# SPDX-License-Identifier: GPL-2.0-or-later
"""A monitor between the product and QEMU that can hold, delay, drop and alter what passes.

    proxy = Proxy(lab.path("proxy"), guest.monitor)
    hold = proxy.hold("cont")                 # the first cont waits …
    run = Run(["backup", …, proxy.path])
    hold.wait(20)                             # … it is here: QEMU stands still
    hold.release()

Rules see commands, replies (told apart by the command they answer) and events. Descriptors go along with the
commands that pass them; proxy.relay("…-tgt-0$") puts a Relay between QEMU and the socket of that name (see relay.py).
"""
import json
import os
import re
import select
import shutil
import socket
import tempfile
import threading

from .relay import Relay


class Rule:
    """Acts on the nth message it matches (None = on each). Made by the methods of Proxy."""

    def __init__(self, kind, name, nth, where, action):
        self.kind, self.name, self.nth, self.where, self.action = kind, name, nth, where, action
        self.seen = 0
        self._reached = threading.Event()
        self._released = threading.Event()

    def matches(self, kind, name, message):
        if kind != self.kind or name != self.name or (self.where and not self.where(message)):
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        self._reached.set()
        return True

    def wait(self, seconds=20):
        """Until the message has come by."""
        assert self._reached.wait(seconds), f"no {self.kind} {self.name} within {seconds} s"

    def has_come(self):
        return self._reached.is_set()

    def release(self):
        """Lets a held message go."""
        self._released.set()


class Proxy:
    """Serves one client at a time, again and again, until close()."""

    def __init__(self, path, upstream):
        self.path, self.upstream = path, upstream
        self.commands = []  # every command that came by: (name, arguments)
        self.refusing = False  # True: connections are closed at once
        self._rules = []
        self._relay_rules = []
        self.relays = {}  # name of the socket -> its latest Relay
        self.door = None  # a descriptor of the folder that these lie in
        self._folders = []
        self._pairs = []
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(4)
        threading.Thread(target=self._accept, daemon=True).start()

    # Rules -----------------------------------------------------------------------------------------------------

    def _add(self, kind, name, nth, where, action):
        rule = Rule(kind, name, nth, where, action)
        self._rules.append(rule)
        return rule

    def hold(self, command, nth=1, where=None):
        """The command waits until rule.release(); others overtake it."""
        return self._add("command", command, nth, where, self._hold)

    def hold_reply(self, command, nth=1, where=None):
        return self._add("reply", command, nth, where, self._hold)

    def drop(self, command, nth=1, where=None):
        """QEMU never sees it, and no answer comes."""
        return self._add("command", command, nth, where, lambda *_: True)

    def drop_reply(self, command, nth=1, where=None):
        return self._add("reply", command, nth, where, lambda *_: True)

    def swallow_event(self, event, nth=None, where=None):
        return self._add("event", event, nth, where, lambda *_: True)

    def fail(self, command, nth=1, where=None, desc="no, says the proxy", klass="GenericError"):
        """Answered with an error; QEMU never sees it."""
        def action(_rule, pair, message):
            pair.to_client({"id": message.get("id"), "error": {"class": klass, "desc": desc}})
            return True
        return self._add("command", command, nth, where, action)

    def alter_reply(self, command, function, nth=None, where=None):
        """function(message) changes the reply in place."""
        def action(_rule, _pair, message):
            function(message)
            return False
        return self._add("reply", command, nth, where, action)

    def watch(self, command, nth=1, where=None, then=None):
        """then() is called when the command comes by, before QEMU sees it."""
        def action(*_):
            if then:
                then()
            return False
        return self._add("command", command, nth, where, action)

    def delay_replies(self, command, seconds, nth=None):
        def action(rule, pair, message):
            timer = threading.Timer(seconds, lambda: pair.pass_on("reply", message, None))
            timer.daemon = True
            timer.start()
            return True
        return self._add("reply", command, nth, None, action)

    def hang_up_at(self, command, nth=1, where=None, for_good=False):
        """Both sides are closed when the command comes by (QEMU does not get it). for_good: and no one gets in again."""
        def action(_rule, pair, _message):
            self.refusing = self.refusing or for_good
            pair.close()
            return True
        return self._add("command", command, nth, where, action)

    def relay(self, pattern, setup=None, nth=1):
        """Connections to the product's sockets whose names match the pattern go through a Relay.

        setup(relay) is called before the first byte, for the nth of them only (None = each).
        """
        self._relay_rules.append([re.compile(pattern), setup, nth, 0])

    def names(self):
        return [name for name, _ in list(self.commands)]

    # Machinery -------------------------------------------------------------------------------------------------

    @staticmethod
    def _hold(rule, pair, message):
        kind, fd = rule.kind, pair.take_fd_for(message) if rule.kind == "command" else None

        def later():
            rule._released.wait()
            pair.pass_on(kind, message, fd)
        threading.Thread(target=later, daemon=True).start()
        return True

    def apply(self, kind, name, pair, message):
        """True when a rule has taken the message."""
        with self._lock:
            hits = [r for r in self._rules if r.matches(kind, name, message)]
        return any([rule.action(rule, pair, message) for rule in hits])

    def interpose(self, message):
        """Alters a command that makes QEMU connect to one of the product's sockets, where a rule says so."""
        arguments = message.get("arguments", {})
        server, uri = arguments.get("server", {}), arguments.get("uri", "")
        path = server.get("path") or uri.removeprefix("unix:")
        for rule in self._relay_rules:
            pattern, setup, nth, _ = rule
            if path and pattern.search(path):
                rule[3] += 1
                folder = tempfile.mkdtemp()
                self._folders.append(folder)
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(f"{folder}/s")
                listener.listen(1)
                is_meant = setup and nth in (None, rule[3])
                threading.Thread(target=self._let_in, args=(path, listener, setup if is_meant else None),
                                 daemon=True).start()
                if uri:
                    arguments["uri"] = f"unix:{folder}/s"
                else:
                    server["path"] = f"{folder}/s"
                return

    def _let_in(self, path, listener, setup):
        """QEMU comes, and goes on to the product's socket by a Relay."""
        name = os.path.basename(path)
        qemu, _ = listener.accept()
        listener.close()
        product = socket.socket(socket.AF_UNIX)
        product.connect(path if self.door is None else f"/proc/self/fd/{self.door}/{name}")
        relay = Relay(name, qemu, product)
        self.relays[name] = relay
        if setup:
            setup(relay)
        relay.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            pair = _Pair(self, client)
            self._pairs.append(pair)
            pair.start()

    def hang_up(self, for_good=False):
        """Closes the connection under way, now."""
        self.refusing = self.refusing or for_good
        for pair in self._pairs:
            pair.close()

    def close(self):
        self.refusing = True
        for rule in self._rules:
            rule.release()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed before
        self._listener.close()
        self.hang_up()
        for relay in self.relays.values():
            relay.cut()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        door, self.door = self.door, None
        if door is not None:
            os.close(door)


class _Pair:
    """One client and its connection to QEMU."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.qemu = socket.socket(socket.AF_UNIX)
        self._waiting = {}  # id -> command, for replies
        self._fds = []
        self._lock = threading.Lock()

    def start(self):
        try:
            self.qemu.connect(self.proxy.upstream)
        except OSError:
            self.client.close()
            return
        threading.Thread(target=self._pump, daemon=True).start()

    def close(self):
        for end in (self.client, self.qemu):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed before

    def _pump(self):
        buffers = {self.client: b"", self.qemu: b""}
        handle = {self.client: self._from_client, self.qemu: self._from_qemu}
        try:
            while True:
                for end in select.select([self.client, self.qemu], [], [])[0]:
                    data, fds, _, _ = socket.recv_fds(end, 65536, 8)
                    self._fds += fds
                    if not data:
                        return
                    *lines, buffers[end] = (buffers[end] + data).split(b"\n")
                    for line in lines:
                        if line.strip():
                            handle[end](json.loads(line))
        except (OSError, ValueError):
            pass
        finally:
            self.close()
            with self._lock:  # who is passing on a held message ends first
                self.client.close()
                self.qemu.close()
            for fd in self._fds:
                os.close(fd)

    def take_fd_for(self, message):
        command = message.get("execute")
        if command not in ("getfd", "add-fd") or not self._fds:
            return None
        fd = self._fds.pop(0)
        if command == "add-fd":
            self.proxy.door = os.dup(fd)
        return fd

    def _from_client(self, message):
        name = message.get("execute") or message.get("exec-oob")
        self.proxy.commands.append((name, message.get("arguments")))
        if "id" in message:
            self._waiting[json.dumps(message["id"])] = name
        self.proxy.interpose(message)
        if not self.proxy.apply("command", name, self, message):
            self.pass_on("command", message, self.take_fd_for(message))

    def _from_qemu(self, message):
        if "event" in message:
            kind, name = "event", message["event"]
        elif "QMP" in message:
            kind, name = "greeting", "QMP"
        else:
            kind, name = "reply", self._waiting.get(json.dumps(message.get("id")))
        if not self.proxy.apply(kind, name, self, message):
            self.pass_on(kind, message, None)

    def pass_on(self, kind, message, fd):
        end = self.qemu if kind == "command" else self.client
        data = json.dumps(message).encode() + b"\r\n"
        try:
            with self._lock:
                if fd is None:
                    end.sendall(data)
                else:
                    socket.send_fds(end, [data], [fd])
        except OSError:
            pass  # that side has gone; the pump sees it too
        finally:
            if fd is not None:
                os.close(fd)

    def to_client(self, message):
        self.pass_on("reply", message, None)


