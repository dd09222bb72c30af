# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs a plain archive as the format says: a zstd frame for the header and for each extent, and a seek table.

Shares no code with the program: libzstd by ctypes, the seek table by hand.
"""
import ctypes
import struct

CHECKSUM_FLAG, LEVEL = 201, 100


class Zstd:
    def __init__(self):
        self.lib = ctypes.CDLL("libzstd.so.1")
        for name in ("ZSTD_compressBound", "ZSTD_compress2", "ZSTD_CCtx_setParameter"):
            getattr(self.lib, name).restype = ctypes.c_size_t
        self.lib.ZSTD_createCCtx.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.ZSTD_createCCtx())
        self.lib.ZSTD_CCtx_setParameter(self.context, CHECKSUM_FLAG, 1)
        self.lib.ZSTD_CCtx_setParameter(self.context, LEVEL, 1)

    def frame(self, data):
        bound = self.lib.ZSTD_compressBound(ctypes.c_size_t(len(data)))
        out = ctypes.create_string_buffer(bound)
        n = self.lib.ZSTD_compress2(self.context, out, ctypes.c_size_t(bound), data, ctypes.c_size_t(len(data)))
        return out.raw[:n]


def parts(data):
    """The header and each extent; extents that store nothing in one piece."""
    header_size, = struct.unpack_from(">I", data, 56)
    at, found, run = header_size, [data[:header_size]], b""
    while at < len(data):
        n_blocks, = struct.unpack_from(">H", data, at + 6)
        extent = data[at:at + 512 + 4096 * n_blocks]
        at += len(extent)
        if not n_blocks and at < len(data):
            run += extent
            continue
        if run:
            found.append(run)
            run = b""
        found.append(extent)
    return found


def seek_table(entries):
    body = b"".join(struct.pack("<II", *entry) for entry in entries) + struct.pack("<IBI", len(entries), 0, 0x8F92EAB1)
    return struct.pack("<II", 0x184D2A5E, len(body)) + body


def dead_frame(length):
    return struct.pack("<II", 0x184D2A50, length - 8) + bytes(length - 8)


def pack(data, pieces=None, dead=(), table=True):
    """(bytes, [(offset, length) of each frame, the seek table's last]). dead: in front of these frames stands one."""
    zstd, out, entries, places = Zstd(), b"", [], []
    for number, piece in enumerate(pieces or parts(data)):
        for frame, plain in ([(dead_frame(100), 0)] if number in dead else []) + [(zstd.frame(piece), len(piece))]:
            places.append((len(out), len(frame)))
            entries.append((len(frame), plain))
            out += frame
    if table:
        places.append((len(out), len(seek_table(entries))))
        out += seek_table(entries)
    return out, places
