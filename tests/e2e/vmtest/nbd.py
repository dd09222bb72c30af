# SPDX-License-Identifier: GPL-2.0-or-later
"""A small NBD server, for what QEMU does at the other end: the recipe's exports without the product.

Only what QEMU asks of a backup target is known; structured replies are refused. It keeps a drive in memory and takes a
cluster the first time it comes complete, on whichever export.
"""
import os
import socket
import struct
import threading

from .relay import CLUSTER, REQUEST, REQUEST_MAGIC, WRITE, WRITE_ZEROES

READ, DISC, FLUSH = 0, 2, 3
EIO = 5
HAS_FLAGS, SEND_FLUSH, SEND_WRITE_ZEROES = 1, 4, 64


class Store:
    """What has arrived of one drive."""

    def __init__(self, size):
        self.size = size
        self.image = bytearray(size)
        self.held = set()
        self.lock = threading.Lock()

    def clusters(self, offset, length):
        return range(offset // CLUSTER, -(-(offset + length) // CLUSTER))

    def take(self, offset, data):
        """Keeps those clusters that are not held yet."""
        with self.lock:
            for cluster in self.clusters(offset, len(data)):
                if cluster not in self.held:
                    begin, end = cluster * CLUSTER, min(cluster * CLUSTER + CLUSTER, self.size)
                    assert offset <= begin and end <= offset + len(data), "a write of less than a cluster"
                    self.image[begin:end] = data[begin - offset:end - offset]
                    self.held.add(cluster)

    def has(self, offset, length):
        return all(c in self.held for c in self.clusters(offset, length))

    def is_complete(self):
        return len(self.held) == -(-self.size // CLUSTER)


class Export:
    """One connection from QEMU, which finds it at the path of listen(). Never by a descriptor: QEMU would connect again by it.

    requests: (type, offset, length); garbage: what READ of held clusters answers (the recipe must not care);
    fail_writes: errno instead of taking them; replies: cleared = requests are taken, answers kept back.
    """

    def __init__(self, store, name, fail_writes=0, garbage=b"\xa5"):
        self.store, self.name = store, name
        self.fail_writes, self.garbage = fail_writes, garbage
        self.requests = []
        self.options = []
        self.errors = 0
        self.replies = threading.Event()
        self.replies.set()
        self.closed = threading.Event()
        self.has_disc = False
        self._socket = None

    def listen(self, path):
        """For one connection: whoever comes back finds nobody."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        threading.Thread(target=self._let_in, args=(listener, path), daemon=True).start()

    def _let_in(self, listener, path):
        self._socket, _ = listener.accept()
        listener.close()
        os.unlink(path)
        self._serve()

    def cut(self):
        self.replies.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _read(self, length):
        data = bytearray()
        while len(data) < length:
            piece = self._socket.recv(length - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return bytes(data)

    def _serve(self):
        try:
            if self._handshake():
                while self._request():
                    pass
        except OSError:
            pass
        finally:
            self._socket.close()
            self.closed.set()

    def _handshake(self):
        self._socket.sendall(struct.pack(">8s8sH", b"NBDMAGIC", b"IHAVEOPT", 3))
        self._read(4)
        while True:
            _, option, length = struct.unpack(">8sII", self._read(16))
            data = self._read(length)
            self.options.append(option)
            if option != 7:
                self._answer(option, 0x80000001)
                continue
            name = data[4:4 + struct.unpack(">I", data[:4])[0]].decode()
            if name != self.name:
                self._answer(option, 0x80000006)
                return False
            flags = HAS_FLAGS | SEND_FLUSH | SEND_WRITE_ZEROES
            self._answer(option, 3, struct.pack(">HQH", 0, self.store.size, flags))
            self._answer(option, 3, struct.pack(">HIII", 3, 1, CLUSTER, 32 << 20))
            self._answer(option, 1)
            return True

    def _answer(self, option, kind, data=b""):
        self._socket.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data)

    def _request(self):
        magic, _flags, kind, cookie, offset, length = REQUEST.unpack(self._read(REQUEST.size))
        assert magic == REQUEST_MAGIC
        payload = self._read(length) if kind == WRITE else b""
        self.requests.append((kind, offset, length))
        if kind == DISC:
            self.has_disc = True
            return False
        error, data = self._do(kind, offset, length, payload)
        self.errors += error != 0
        self.replies.wait()
        self._socket.sendall(struct.pack(">IIQ", 0x67446698, error, cookie) + data)
        return True

    def _do(self, kind, offset, length, payload):
        if kind in (WRITE, WRITE_ZEROES):
            if self.fail_writes:
                return self.fail_writes, b""
            self.store.take(offset, payload or bytes(length))
        elif kind == READ:
            if not self.store.has(offset, length):
                return EIO, b""
            return 0, (self.garbage * length)[:length]
        elif kind != FLUSH:
            return EIO, b""
        return 0, b""


class Stream:
    """Takes in a RAM stream; fd() is the end to pass to QEMU."""

    def __init__(self, path):
        self.bytes = 0
        self.ended = threading.Event()
        self._path = path
        self._socket, self._peer = socket.socketpair()
        threading.Thread(target=self._drain, daemon=True).start()

    def fd(self):
        return self._peer.detach()

    def _drain(self):
        with open(self._path, "wb") as out:
            while True:
                data = self._socket.recv(1 << 20)
                if not data:
                    break
                out.write(data)
                self.bytes += len(data)
            out.flush()
            os.fsync(out.fileno())
        self._socket.close()
        self.ended.set()
