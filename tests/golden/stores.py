# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores made by hand, byte by byte as docs/store.md says: hashlib, libzstd by ctypes, and the layout of casync's indexes.

Shares no code with the program.

    s = Store(folder / "store", chunk=1 << 20)
    snapshot = s.add("web-01", "2026-11-30T08:10:20Z", {"scsi0": bytes_or_path}, ram=b"…", configs={"a.conf": b"…"})
"""
import ctypes
import hashlib
import json
import pathlib
import struct
import uuid as uuids

TAIL_MAGIC, INDEX_MAGIC, TABLE_MAGIC = 0x4B4F050E5549ECD1, 0x96824D9C7B129FF9, 0xE75B9E112F17417D


class Zstd:
    def __init__(self):
        self.lib = ctypes.CDLL("libzstd.so.1")
        self.lib.ZSTD_compressBound.restype = self.lib.ZSTD_compress.restype = ctypes.c_size_t
        self.lib.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
        self.lib.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]

    def pack(self, data, level=1):
        room = ctypes.create_string_buffer(self.lib.ZSTD_compressBound(len(data)))
        n = self.lib.ZSTD_compress(room, len(room), data, len(data), level)
        return room.raw[:n]


def index_bytes(ids, size, chunk):
    items = b"".join(struct.pack("<Q", min((i + 1) * chunk, size)) + digest for i, digest in enumerate(ids))
    head = struct.pack("<8Q", 48, INDEX_MAGIC, 1 << 63, chunk, chunk, chunk, (1 << 64) - 1, TABLE_MAGIC)
    return head + items + struct.pack("<5Q", 0, 0, 48, 16 + 40 * len(ids) + 40, TAIL_MAGIC)


def sealed(snapshot):
    """The text of snapshot.json: its digest is that of all the rest, without blanks."""
    text = json.dumps(snapshot, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**snapshot, "digest": hashlib.sha256(text.encode()).hexdigest()}, indent=2, ensure_ascii=False)


class Store:
    def __init__(self, path, chunk=1 << 20):
        self.path, self.chunk, self.zstd = pathlib.Path(path), chunk, Zstd()
        (self.path / "chunks.castr").mkdir(parents=True)
        (self.path / "lock").touch()
        (self.path / "vmabackup-store").write_text(f"format=1\nchunk={chunk}\ndigest=sha256\ncreated=2026-11-30T08:00:00Z\n")
        self.zeros = {}

    def chunk_path(self, digest):
        name = digest.hex()
        return self.path / "chunks.castr" / name[:4] / f"{name}.cacnk"

    def put(self, data):
        digest = hashlib.sha256(data).digest()
        path = self.chunk_path(digest)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.zstd.pack(data))
        return digest

    def put_zeros(self, size):
        if size not in self.zeros:
            self.zeros[size] = self.put(bytes(size))
        return self.zeros[size]

    def put_file(self, file, size):
        """Holes are not read."""
        ids = []
        for at in range(0, size, self.chunk):
            data = file.read(min(self.chunk, size - at))
            ids.append(self.put(data) if data.strip(b"\0") else self.put_zeros(len(data)))
        return ids

    def put_image(self, image):
        """bytes, a path, or a number: so many zeros. Returns (ids, size)."""
        if isinstance(image, int):
            whole, rest = divmod(image, self.chunk)
            return [self.put_zeros(self.chunk)] * whole + [self.put_zeros(rest)] * bool(rest), image
        if isinstance(image, bytes):
            return [self.put(image[at:at + self.chunk]) for at in range(0, len(image), self.chunk)], len(image)
        with open(image, "rb") as file:
            size = pathlib.Path(image).stat().st_size
            return self.put_file(file, size), size

    def add(self, guest, instant, drives, ram=None, configs=None):
        folder = self.path / guest / instant
        folder.mkdir(parents=True)
        devices = []
        for name, image in {**({"vmstate": ram} if ram else {}), **drives}.items():
            ids, size = self.put_image(image)
            index = index_bytes(ids, size, self.chunk)
            (folder / f"{name}.caibx").write_bytes(index)
            devices.append({"name": name, "index": f"{name}.caibx", "size": size, "new_bytes": 0, "new_plain": 0,
                            "bitmap": None, "digest": hashlib.sha256(index).hexdigest()})
        noted = []
        for name, data in (configs or {}).items():
            (folder / name).write_bytes(data)
            noted.append({"name": name, "file": name, "digest": hashlib.sha256(data).hexdigest()})
        (folder / "snapshot.json").write_text(sealed({
            "format": 1, "program": "make_store", "uuid": str(uuids.uuid4()), "instant": instant, "chunk": self.chunk,
            "devices": devices, "configs": noted, "verified": None}))
        latest = self.path / guest / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(instant)
        return folder


def ids_of(index):
    """Digests in an index's bytes."""
    return [index[at + 8:at + 40] for at in range(64, len(index) - 40, 40)]
