# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores made without a line of ours, by what docs/store.md says: bytes of chunks, indexes and manifests."""
import hashlib
import json
import struct

CHUNK = 65536


def frame(data):
    """A zstd frame of raw blocks: magic, one segment with its size in 4 bytes, then 3 bytes before each block."""
    out = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
    for at in range(0, max(len(data), 1), 65536):
        block = data[at:at + 65536]
        out += struct.pack("<I", len(block) << 3 | (at + 65536 >= len(data)))[:3] + block
    return out


def chunk_path(store, data, suffix=".cacnk"):
    name = hashlib.sha256(data).hexdigest()
    return store / "chunks.castr" / name[:4] / (name + suffix)


def index(image):
    chunks = [image[at:at + CHUNK] for at in range(0, len(image), CHUNK)]
    ends = [min(at + CHUNK, len(image)) for at in range(0, len(image), CHUNK)]
    table = b"".join(struct.pack("<Q", end) + hashlib.sha256(data).digest() for end, data in zip(ends, chunks))
    return chunks, (struct.pack("<8Q", 48, 0x96824D9C7B129FF9, 1 << 63, CHUNK, CHUNK, CHUNK, 2 ** 64 - 1, 0xE75B9E112F17417D) + table +
                    struct.pack("<5Q", 0, 0, 48, 16 + len(table) + 40, 0x4B4F050E5549ECD1))


def manifest(time, drives, configs, **more):
    """drives: name -> (image, bytes of its index); configs: name -> bytes."""
    o = {"format": 1, "program": "test", "uuid": "01020304-0000-0000-0000-000000000000", "instant": time[:20], "chunk": CHUNK,
         "devices": [{"name": name, "index": name + ".caibx", "size": len(image), "new_bytes": 1000, "new_plain": 2000, "bitmap": None,
                      "digest": hashlib.sha256(bytes_).hexdigest()} for name, (image, bytes_) in drives.items()],
         "configs": [{"name": name, "file": name, "digest": hashlib.sha256(data).hexdigest()} for name, data in configs.items()],
         "verified": None, **more}
    o["digest"] = hashlib.sha256(json.dumps(o, separators=(",", ":")).encode()).hexdigest()
    return json.dumps(o, indent=1)


def make_store(store):
    (store / "chunks.castr").mkdir(parents=True)
    (store / "vmabackup-store").write_text(f"format=1\nchunk={CHUNK}\ndigest=sha256\ncreated=2026-11-30T08:00:00Z\n", encoding="ascii")


def add_snapshot(store, guest, time, images, configs=None):
    """images: name -> bytes. Its folder."""
    folder, drives = store / guest / time, {}
    folder.mkdir(parents=True)
    for name, image in images.items():
        chunks, bytes_ = index(image)
        drives[name] = image, bytes_
        (folder / (name + ".caibx")).write_bytes(bytes_)
        for data in chunks:
            chunk_path(store, data).parent.mkdir(exist_ok=True)
            chunk_path(store, data).write_bytes(frame(data))
    for name, data in (configs or {}).items():
        (folder / name).write_bytes(data)
    (folder / "snapshot.json").write_text(manifest(time, drives, configs or {}), encoding="ascii")
    return folder
