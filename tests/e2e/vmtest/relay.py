# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes between QEMU and a socket of the product, with a hand on the tap.

An NBD connection is understood far enough to know its export and each request, so that one WRITE can be stopped in the
middle of its payload:

    proxy.relay(r"-tgt-0$", lambda relay: relay.stall_write(cluster=7, after=20000))
    …
    relay.stalled.wait(20); …; relay.cut()

relay.answers has the seconds from the head of each WRITE to its answer. Any other stream (RAM) can be paused, resumed
and cut.
"""
import socket
import struct
import threading
import time

REQUEST = struct.Struct(">IHHQQI")
REQUEST_MAGIC = 0x25609513
OPTION_REPLY, REPLY = struct.Struct(">QIII"), struct.Struct(">IIQ")
READ, WRITE, DISC, WRITE_ZEROES = 0, 1, 2, 6
CLUSTER = 65536


class Relay:
    def __init__(self, name, qemu, product):
        self.name, self.qemu, self.product = name, qemu, product
        self.export = None
        self.requests = []  # (type, offset, length), as they come
        self.answers = []  # seconds that each WRITE took
        self.passed = 0  # bytes from QEMU to the product
        self.stalled = threading.Event()
        self.closed = threading.Event()
        self.when_stalled = None  # called then, by the relay itself
        self._stall_at = None  # (cluster, bytes of its payload to let through)
        self._flow = threading.Event()
        self._flow.set()
        self.open_requests = {}  # cookie -> (type, length, when it came)
        self._parser = _Parser(self)
        self._replies = _Replies(self)

    # What a test asks for ---------------------------------------------------------------------------------------

    def stall_write(self, cluster, after):
        """The WRITE of this 64 KiB cluster stops after so many bytes of it, until go_on() or cut()."""
        self._stall_at = (cluster, after)

    def pause(self):
        """Nothing more from QEMU to the product, until go_on()."""
        self._flow.clear()

    def go_on(self):
        self._stall_at = None
        self._flow.set()

    def cut(self):
        """Both ends are closed: the product sees the end of the connection, and so does QEMU.

        The threads wake up from the shutdown and the last one closes. Only that ends a QEMU that waits to write: the
        kernel counts a UNIX socket as full, and so not as writable, until what its dead peer has not read is freed.
        """
        self._flow.set()
        for end in (self.qemu, self.product):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # Machinery -------------------------------------------------------------------------------------------------

    def start(self):
        back = threading.Thread(target=self._copy, args=(self.product, self._back), daemon=True)
        back.start()
        threading.Thread(target=self._towards_product, args=(back,), daemon=True).start()

    def _towards_product(self, back):
        self._copy(self.qemu, self._forward)
        back.join()
        self.qemu.close()
        self.product.close()
        self.closed.set()

    def _copy(self, source, deliver):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                deliver(data)
        except OSError:
            pass
        self.cut()

    def _back(self, data):
        self._replies.feed(data)
        self.qemu.sendall(data)

    def _forward(self, data):
        while data:
            self._flow.wait()
            length, stop = self._parser.feed(data, self._stall_at)
            self.product.sendall(data[:length])
            self.passed += length
            data = data[length:]
            if stop:
                self._flow.clear()
                self.stalled.set()
                if self.when_stalled:
                    self.when_stalled()


class _Parser:
    """QEMU's side of an NBD connection: handshake options, then requests. Other streams pass unread."""

    def __init__(self, relay):
        self._relay = relay
        self._pending = b""  # an incomplete header
        self._state = self._flags
        self._payload = 0  # bytes of payload still to come
        self._offset = 0  # where the next payload byte belongs on the drive

    def feed(self, data, stall_at):
        """(how many bytes may pass, whether to stop then)."""
        used = 0
        while used < len(data):
            if self._payload:
                take = min(self._payload, len(data) - used)
                if stall_at:
                    to_stop = stall_at[0] * CLUSTER + stall_at[1] - self._offset
                    if 0 < to_stop <= take:
                        self._advance(to_stop)
                        return used + to_stop, True
                self._advance(take)
                used += take
            else:
                used += self._header(data[used:])
        return used, False

    def _advance(self, count):
        self._payload -= count
        self._offset += count

    def _header(self, data):
        """Takes what the current header lacks; returns how many bytes that were."""
        if self._state is None:
            return len(data)
        wanted = self._state(None)
        take = min(wanted - len(self._pending), len(data))
        self._pending += data[:take]
        if len(self._pending) == wanted:
            header, self._pending = self._pending, b""
            self._state(header)
        return take

    def _flags(self, header):
        if header is None:
            return 4
        self._state = self._option if struct.unpack(">I", header)[0] <= 3 else None  # else no NBD
        return 0

    def _option(self, header):
        if header is None:
            return 16
        magic, self._which, self._length = struct.unpack(">8sII", header)
        self._state = None if magic != b"IHAVEOPT" else self._option_data if self._length else self._option
        return 0

    def _option_data(self, data):
        if data is None:
            return self._length
        self._state = self._option
        if self._which == 7:  # GO; an export that is refused comes to nothing here, as QEMU hangs up
            length = struct.unpack(">I", data[:4])[0]
            self._relay.export = data[4:4 + length].decode()
            self._state = self._request
        return 0

    def _request(self, header):
        if header is None:
            return REQUEST.size
        magic, _flags, kind, cookie, offset, length = REQUEST.unpack(header)
        if magic != REQUEST_MAGIC:
            self._state = None
            return 0
        self._relay.requests.append((kind, offset, length))
        self._relay.open_requests[cookie] = kind, length, time.monotonic()
        if kind == WRITE:
            self._payload, self._offset = length, offset
        return 0


class _Replies:
    """The product's side: greeting, answers to options, then to requests. No NBD: unread."""

    def __init__(self, relay):
        self._relay = relay
        self._pending = b""
        self._skip = 18  # bytes that are of no interest; the greeting
        self._is_negotiating = True

    def feed(self, data):
        self._pending += data
        while self._step():
            pass

    def _step(self):
        """Is there more to do?"""
        if self._skip:
            skipped = min(self._skip, len(self._pending))
            self._skip, self._pending = self._skip - skipped, self._pending[skipped:]
            return skipped > 0
        head = OPTION_REPLY if self._is_negotiating else REPLY
        if len(self._pending) < head.size:
            return False
        fields, self._pending = head.unpack(self._pending[:head.size]), self._pending[head.size:]
        if self._is_negotiating:
            _magic, option, kind, self._skip = fields
            self._is_negotiating = not (option == 7 and kind == 1)  # GO is granted
        else:
            self._answer(*fields[1:])
        return True

    def _answer(self, error, cookie):
        kind, length, when = self._relay.open_requests.pop(cookie)
        if kind == WRITE:
            self._relay.answers.append(time.monotonic() - when)
        elif kind == READ and not error:
            self._skip = length
