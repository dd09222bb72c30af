#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes golden/vma/*.bin, the byte-exact vectors of tests/unit/test_{vma_header,vma_extent,frame}.c.

Usage: make_vectors.py [--check]. Written from docs/vma-format.md and RFC 8878 alone, with hashlib's MD5; it shares
no code with the program. XXH3-128 and XXH64 come from the system's libxxhash, held against published values.
The unit tests build the same things from the same plan: change both or neither.
"""
import ctypes
import hashlib
import pathlib
import struct
import sys

UUID = bytes(range(0x10, 0x20))
CTIME = 1700000000
HERE = pathlib.Path(__file__).parent / "vma"


def xxh3_128(data):
    class Hash(ctypes.Structure):
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]
    xxh = ctypes.CDLL("libxxhash.so.0").XXH3_128bits
    xxh.restype, xxh.argtypes = Hash, [ctypes.c_char_p, ctypes.c_size_t]
    result = xxh(data, len(data))
    return struct.pack(">QQ", result.high, result.low)


def xxh64(data):
    xxh = ctypes.CDLL("libxxhash.so.0").XXH64
    xxh.restype, xxh.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
    return xxh(data, len(data), 0)


def stored_frame(data):
    """One zstd frame of raw blocks: single segment, content size of 4 bytes, checksum."""
    frame = struct.pack("<IBI", 0xFD2FB528, 0b10100100, len(data))
    for at in range(0, len(data), 128 << 10):
        block = data[at:at + (128 << 10)]
        frame += struct.pack("<I", len(block) << 3 | (at + len(block) == len(data)))[:3] + block
    return frame + struct.pack("<I", xxh64(data) & 0xffffffff)


def seek_table(sizes):
    entries = b"".join(struct.pack("<II", *size) for size in sizes)
    return struct.pack("<II", 0x184D2A5E, len(entries) + 9) + entries + struct.pack("<IBI", len(sizes), 0, 0x8F92EAB1)


def fill_md5(data, at):
    assert data[at:at + 16] == bytes(16)
    return data[:at] + hashlib.md5(data).digest() + data[at + 16:]


def header(devices, configs, extension=True):
    blobs = bytearray(1)

    def put(blob):
        at = len(blobs)
        blobs.extend(struct.pack("<H", len(blob)) + blob)
        return at

    names, data, info = bytearray(1024), bytearray(1024), bytearray(256 * 32)
    for dev_id, (name, size) in devices.items():
        struct.pack_into(">IIQ", info, dev_id * 32, put(name.encode() + b"\0"), 0, size)
    for i, (name, content) in enumerate(configs):
        struct.pack_into(">I", names, 4 * i, put(name.encode() + b"\0"))
        struct.pack_into(">I", data, 4 * i, put(content))
    size = 12288 + -(-len(blobs) // 512) * 512
    fixed = struct.pack(">4sI16sq16sIII", b"VMA\0", 1, UUID, CTIME, bytes(16), 12288, len(blobs), size)
    if extension:
        fixed += b"VMABKUP1" + bytes(4) + bytes(16)
    whole = fixed.ljust(2044, b"\0") + names + data + bytes(4) + info + blobs
    return fill_md5(bytes(whole.ljust(size, b"\0")), 32)


def extent_header(entries, reserved, blocks):
    """entries: (mask, dev_id, cluster); reserved: the bytes r[0...58]."""
    reserved = reserved.ljust(59, b"\0")
    entries = entries + [(0, 0, 0)] * (59 - len(entries))
    infos = b"".join(struct.pack(">Q", mask << 48 | r << 40 | dev << 32 | cluster)
                     for (mask, dev, cluster), r in zip(entries, reserved))
    return fill_md5(struct.pack(">4sHH16s16s", b"VMAE", 0, blocks, UUID, bytes(16)) + infos, 24)


def pattern(cluster, block):
    return bytes((i * 7 + cluster * 31 + block * 13) % 251 + 1 for i in range(4096))


def extent(dev_id, clusters, all_blocks=False):
    """clusters: (number, set of the blocks that are not zero)."""
    entries, payload = [], b""
    for number, blocks in clusters:
        stored = range(16) if all_blocks else sorted(blocks)
        entries.append((sum(1 << b for b in stored), dev_id, number))
        payload += b"".join(pattern(number, b) if b in blocks else bytes(4096) for b in stored)
    return extent_header(entries, b"XXH3" + xxh3_128(payload), len(payload) // 4096), payload


def end_mark(headers, blocks, vmstate_bytes, flags):
    total = sum(int.from_bytes(xxh3_128(h), "big") for h in headers) % (1 << 128)
    reserved = b"END1" + struct.pack(">BQQQ", flags, len(headers), blocks, vmstate_bytes) + \
        total.to_bytes(16, "big")
    return extent_header([], reserved, 0)


def vectors():
    drive, p1 = extent(1, [(0, {0, 1, 5, 15}), (7, set()), (0xfffffffe, set(range(16))), (3, {14})])
    zeros, p2 = extent(2, [(n, set()) for n in range(59)])
    ram, p3 = extent(3, [(0, {2}), (1, set())], all_blocks=True)
    blocks = (len(p1) + len(p2) + len(p3)) // 4096
    return {
        "header.bin": header({1: ("scsi0", 1 << 30), 2: ("virtio1", 512), 3: ("vmstate", 5 << 20)},
                             [("qemu-server.conf", b"cores: 1\n"), ("vmabackup.json", b"{}" + b" " * 98)]),
        "header-dropped.bin": dropped_header(),
        "frames.bin": stored_frame(bytes(i % 251 for i in range(512))) + struct.pack("<II", 0x184D2A50, 100000 - 8) +
        seek_table([(525, 512), (70000, 3867136), (1000 + 2000, 0), (4000, 66048), (525, 512)]),
        "extents.bin": drive + zeros + ram + end_mark([drive, zeros, ram], blocks, 70000, 1),
    }


def dropped_header():
    """The same header with device 2 taken out: its name stays in the blob buffer, its entry is zeroed."""
    whole = bytearray(header({1: ("scsi0", 1 << 30), 2: ("virtio1", 512), 3: ("vmstate", 5 << 20)},
                             [("qemu-server.conf", b"cores: 1\n"), ("vmabackup.json", b"{}" + b" " * 98)]))
    whole[4096 + 64:4096 + 96] = bytes(32)
    whole[32:48] = bytes(16)
    return fill_md5(bytes(whole), 32)


def main():
    assert xxh3_128(b"").hex() == "99aa06d3014798d86001c324468d497f" and xxh64(b"") == 0xef46db3751d8e999
    HERE.mkdir(exist_ok=True)
    for name, data in vectors().items():
        path = HERE / name
        if "--check" not in sys.argv:
            path.write_bytes(data)
        elif path.read_bytes() != data:
            sys.exit(f"{path}: differs from what {sys.argv[0]} makes")


if __name__ == "__main__":
    main()
