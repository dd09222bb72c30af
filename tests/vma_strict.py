#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An independent and strict reader of VMA archives: judges ours with code that shares nothing with them.

Usage: vma_strict.py ARCHIVE [-C DIR] [--allow-lost]      exit 0 = every rule is kept, 1 = one line says which is not
       vma_strict.read(path, directory=None, allow_lost=False) ->
           {"devices": {name: (size, path)}, "configs": {name: bytes}, "vmstate": path, "vmstate_bytes": n,
            "lost": [names], "is_ours": bool, "has_digests": bool}

Written from docs/vma-format.md. Standard library only; zstd archives go through the `zstd` program, and digests
are checked where the system's libxxhash can be loaded. Drives become DIR/NAME.raw (sparse), the RAM DIR/vmstate.bin.
"""
import argparse
import ctypes
import hashlib
import os
import struct
import subprocess
import sys

BLOCK, CLUSTER = 4096, 65536
PAYLOAD_MARK, END_MARK = b"XXH3", b"END1"


class Bad(Exception):
    """A rule of the format is broken."""


def need(condition, text):
    if not condition:
        raise Bad(text)


def load_xxh3():
    class Hash(ctypes.Structure):
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]
    try:
        function = ctypes.CDLL("libxxhash.so.0").XXH3_128bits
    except OSError:
        return None
    function.restype, function.argtypes = Hash, [ctypes.c_char_p, ctypes.c_size_t]

    def xxh3(data):
        result = function(data, len(data))
        return struct.pack(">QQ", result.high, result.low)
    assert xxh3(b"").hex() == "99aa06d3014798d86001c324468d497f"
    return xxh3


XXH3 = load_xxh3()


def check_md5(data, at, what):
    copy = bytearray(data)
    want, copy[at:at + 16] = bytes(data[at:at + 16]), bytes(16)
    need(hashlib.md5(copy).digest() == want, f"{what}: wrong md5")


class Stream:
    """The plain bytes of an archive, whatever it is packed with."""

    def __init__(self, path):
        with open(path, "rb") as file:
            magic = file.read(4)
        is_zstd = magic == b"\x28\xb5\x2f\xfd" or magic[1:] == b"\x2a\x4d\x18"
        self.process = subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE) if is_zstd else None
        self.file = self.process.stdout if is_zstd else open(path, "rb", buffering=1 << 20)
        self.offset = 0

    def take(self, size, what, may_end=False):
        data = self.file.read(size)
        if may_end and not data:
            return None
        need(len(data) == size, f"{what}: cut short")
        self.offset += size
        return data

    def close(self):
        self.file.close()
        if self.process:
            need(self.process.wait() == 0, "zstd says the compressed data is damaged")


class Header:
    def __init__(self, stream):
        fixed = stream.take(12288, "header")
        magic, version, self.uuid, self.ctime, _, at, size, whole = struct.unpack_from(">4sI16sq16sIII", fixed)
        need(magic == b"VMA\0" and version == 1, "header: wrong magic or version")
        need(whole > 12288 and whole % 512 == 0 and whole <= 16 << 20, "header: bad size")
        need(at == 12288 and at + size <= whole, "header: bad blob buffer")
        data = fixed + stream.take(whole - 12288, "header")
        check_md5(data, 32, "header")
        self.blobs = self.walk(data[at:at + size])
        self.is_ours = data[60:68] == b"VMABKUP1"
        self.devices = dict(self.read_devices(data))
        self.configs = dict(self.read_configs(data))
        need(not self.is_ours or whole <= 512 << 10, "header: larger than stock writers allow")

    @staticmethod
    def walk(buffer):
        blobs, at = {}, 1
        while at + 2 <= len(buffer):
            size, = struct.unpack_from("<H", buffer, at)
            need(at + 2 + size <= len(buffer), "header: a blob runs over its buffer")
            blobs[at] = buffer[at + 2:at + 2 + size]
            at += 2 + size
        return blobs

    def text(self, pointer, what):
        blob = self.blobs.get(pointer)
        need(blob and blob.index(0) == len(blob) - 1, f"header: {what}: no string")
        return blob[:-1].decode()

    def read_devices(self, data):
        names = set()
        for dev_id in range(256):
            pointer, zero, size = struct.unpack_from(">IIQ", data, 4096 + 32 * dev_id)
            if not pointer or not size:
                need(not self.is_ours or (not pointer and not size), f"header: device {dev_id}: half an entry")
                continue
            name = self.text(pointer, f"device {dev_id}")
            need(1 <= dev_id <= 254 and not zero, f"header: device {dev_id}: reserved number or field")
            need(size % 512 == 0, f"device {name}: size is no multiple of 512")
            need(name not in names, f"device {name}: two of that name")
            names.add(name)
            yield dev_id, (name, size)

    def read_configs(self, data):
        for i in range(256):
            name, = struct.unpack_from(">I", data, 2044 + 4 * i)
            blob, = struct.unpack_from(">I", data, 3068 + 4 * i)
            need(bool(name) == bool(blob), f"header: configuration {i}: half an entry")
            if name:
                need(blob in self.blobs, f"header: configuration {i}: points to no blob")
                yield self.text(name, f"configuration {i}"), self.blobs[blob]


class Device:
    def __init__(self, name, size, directory):
        self.name, self.size, self.is_ram = name, size, name == "vmstate"
        self.n_clusters = -(-size // CLUSTER)
        self.seen = bytearray(0 if self.is_ram else self.n_clusters)
        self.next = 0
        self.path = self.fd = None
        if directory:
            need("/" not in name and name not in (".", ".."), f"device {name}: unsafe name")
            self.path = os.path.join(directory, "vmstate.bin" if self.is_ram else name + ".raw")
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.ftruncate(self.fd, 0 if self.is_ram else size)

    def take_entry(self, cluster, mask):
        """The checks; returns how many bytes of the cluster lie on the device."""
        if self.is_ram:
            need(cluster == self.next, f"vmstate: cluster {cluster} where {self.next} is due")
            self.next += 1
            return CLUSTER
        need(cluster < self.n_clusters, f"{self.name}: cluster {cluster} beyond the end")
        need(not self.seen[cluster], f"{self.name}: cluster {cluster} twice")
        self.seen[cluster] = 1
        room = min(CLUSTER, self.size - cluster * CLUSTER)
        need(mask >> -(-room // BLOCK) == 0, f"{self.name}: cluster {cluster}: blocks stored beyond the end")
        return room

    def put(self, data, offset, room):
        """data: a run of stored blocks at offset; room: bytes up to the end of what may be written."""
        if len(data) > room:
            need(not any(data[room:]), f"{self.name}: tail behind the end is not zero")
            data = data[:room]
        if self.fd is not None:
            os.pwrite(self.fd, data, offset)

    def is_whole(self):
        return self.next > 0 if self.is_ram else 0 not in self.seen


def runs(mask):
    """(first, count) of each run of bits set."""
    bit = 0
    while mask >> bit:
        while not mask >> bit & 1:
            bit += 1
        first = bit
        while mask >> bit & 1:
            bit += 1
        yield first, bit - first


class Archive:
    def __init__(self, stream, directory):
        self.stream, self.header = stream, Header(stream)
        self.devices = {i: Device(name, size, directory) for i, (name, size) in self.header.devices.items()}
        self.n_extents = self.n_blocks = self.header_sum = 0
        self.has_digests, self.end = True, None

    def read(self):
        while True:
            what = f"extent at {self.stream.offset}"
            head = self.stream.take(512, what, may_end=True)
            if head is None:
                break
            need(self.end is None, f"{what}: follows the end mark")
            self.read_extent(head, what)
        self.check_end()

    def read_extent(self, head, what):
        magic, zero, n_blocks, uuid = struct.unpack_from(">4sHH16s", head)
        need(magic == b"VMAE" and zero == 0, f"{what}: wrong magic or reserved field")
        need(uuid == self.header.uuid, f"{what}: wrong uuid")
        check_md5(head, 24, what)
        reserved = head[42::8]
        infos = [info for info in struct.unpack_from(">59Q", head, 40)]
        entries = [(info >> 48, info & 0xffffffff, info >> 32 & 0xff) for info in infos]
        used = [e for e in entries if e[2]]
        need(sum(bin(mask).count("1") for mask, _, _ in used) == n_blocks, f"{what}: blocks stored != blocks used")
        if self.header.is_ours:
            need(all(mask == cluster == 0 for mask, cluster, dev in entries if not dev), f"{what}: dirty entry")
            need(len({dev for _, _, dev in used}) <= 1, f"{what}: clusters of more than one device")
        payload = memoryview(self.stream.take(n_blocks * BLOCK, what))
        if used:
            self.count(head, n_blocks)
            self.check_digest(reserved, payload, what)
            self.unpack(used, payload, what)
        elif reserved[:4] == END_MARK:
            self.end = struct.unpack(">BQQQ16s", reserved[4:45]) + (reserved[45:],)

    def count(self, head, n_blocks):
        self.n_extents += 1
        self.n_blocks += n_blocks
        if XXH3:
            self.header_sum += int.from_bytes(XXH3(head), "big")

    def check_digest(self, reserved, payload, what):
        has_digest = reserved[:4] == PAYLOAD_MARK
        need(has_digest or not self.header.is_ours, f"{what}: no payload digest")
        self.has_digests &= has_digest
        if has_digest:
            need(not any(reserved[20:]), f"{what}: reserved bytes behind the digest are not zero")
            need(not XXH3 or XXH3(bytes(payload)) == reserved[4:20], f"{what}: wrong payload digest")

    def unpack(self, used, payload, what):
        at = 0
        for mask, cluster, dev in used:
            need(dev in self.devices, f"{what}: unknown device {dev}")
            device = self.devices[dev]
            room = device.take_entry(cluster, mask)
            need(not (device.is_ram and self.header.is_ours) or mask == 0xffff, f"{what}: vmstate mask {mask:#x}")
            for first, count in runs(mask):
                start = first * BLOCK
                device.put(payload[at:at + count * BLOCK], cluster * CLUSTER + start, room - start)
                at += count * BLOCK
        if self.header.is_ours:
            self.check_zero_blocks_left_out(used, payload, what)

    def check_zero_blocks_left_out(self, used, payload, what):
        if self.devices[used[0][2]].is_ram:
            return
        zero = bytes(BLOCK)
        for at in range(0, len(payload), BLOCK):
            need(payload[at] or payload[at:at + BLOCK] != zero, f"{what}: a block of zeros is stored")

    def check_end(self):
        if not self.header.is_ours:
            return
        need(self.end, "the end mark is missing")
        flags, extents, blocks, _, header_sum, rest = self.end
        need(flags & 1, "end mark: not complete")
        need(not any(rest) and not flags & ~3, "end mark: unknown bits")
        need((extents, blocks) == (self.n_extents, self.n_blocks),
             f"end mark: {extents} extents, {blocks} blocks; there are {self.n_extents}, {self.n_blocks}")
        need(not XXH3 or int.from_bytes(header_sum, "big") == self.header_sum % (1 << 128), "end mark: wrong sum")

    def vmstate_bytes(self, device):
        """The stream's exact length, where the end mark tells."""
        stored = device.next * CLUSTER
        if not self.end:
            return stored
        need(stored - CLUSTER < self.end[3] <= stored, f"end mark: vmstate is {self.end[3]} bytes, stored {stored}")
        return self.end[3]

    def finish(self, allow_lost):
        lost = [d.name for d in self.devices.values() if not d.is_whole()]
        may_be_lost = allow_lost and self.end and self.end[0] & 2
        need(not lost or may_be_lost, f"clusters are missing: {', '.join(lost)}")
        result = {"devices": {}, "configs": self.header.configs, "vmstate": None, "vmstate_bytes": 0, "lost": lost,
                  "is_ours": self.header.is_ours, "has_digests": self.has_digests}
        for device in self.devices.values():
            if device.is_ram and device.name not in lost:
                result["vmstate"], result["vmstate_bytes"] = device.path, self.vmstate_bytes(device)
                if device.fd is not None:
                    os.ftruncate(device.fd, result["vmstate_bytes"])
            elif not device.is_ram:
                result["devices"][device.name] = (device.size, device.path)
        return result

    def close(self):
        for device in self.devices.values():
            if device.fd is not None:
                os.close(device.fd)


def read(path, directory=None, allow_lost=False):
    """See the top. Raises Bad at the first rule that is broken."""
    if directory:
        os.makedirs(directory, exist_ok=True)
    stream = Stream(path)
    try:
        archive = Archive(stream, directory)
        try:
            archive.read()
            result = archive.finish(allow_lost)
        finally:
            archive.close()
    finally:
        failed = sys.exc_info()[0]
        try:
            stream.close()
        except Bad:
            if not failed:
                raise
    return result


def main():
    parser = argparse.ArgumentParser(description="Judges a VMA archive strictly, and unpacks it.")
    parser.add_argument("archive")
    parser.add_argument("-C", metavar="DIR", dest="directory")
    parser.add_argument("--allow-lost", action="store_true")
    options = parser.parse_args()
    try:
        result = read(options.archive, options.directory, options.allow_lost)
    except (Bad, OSError, UnicodeDecodeError, ValueError) as error:
        sys.exit(f"{options.archive}: {error}")
    for name, (size, _) in result["devices"].items():
        print(f"{name} {size}{' LOST' if name in result['lost'] else ''}")
    if result["vmstate_bytes"]:
        print(f"vmstate {result['vmstate_bytes']}")


if __name__ == "__main__":
    main()
