# SPDX-License-Identifier: GPL-2.0-or-later
"""A store as others see it: made by hand, its snapshots unpacked by casync.

    store = Store(s.path("store"))
    run = s.backup(output=store.dir)
    images, vmstate = store.unpack(store.latest("guest"), s.path("unpacked"))
"""
import glob
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

from .env import Skip


class Store:
    def __init__(self, folder, chunk=1 << 20):
        self.dir, self.chunk = str(folder), chunk
        self.chunks = os.path.join(self.dir, "chunks.castr")
        os.makedirs(self.chunks)
        pathlib.Path(self.dir, "vmabackup-store").write_text(f"format=1\nchunk={chunk}\ndigest=sha256\n")

    def snapshots(self, guest="*"):
        """Their folders, the oldest first."""
        return sorted(p for p in glob.glob(f"{self.dir}/{guest}/20*Z*") if os.path.isdir(p))

    def latest(self, guest="*"):
        (link,) = glob.glob(f"{self.dir}/{guest}/latest")
        return os.path.realpath(link)

    def partials(self):
        return glob.glob(f"{self.dir}/*/.*.partial")

    def bytes_of_chunks(self):
        return sum(os.stat(p).st_blocks * 512 for p in glob.glob(f"{self.chunks}/*/*.cacnk"))

    def chunks_of(self, snapshot, drive):
        """The files of what a drive consists of, but for zeros."""
        index = pathlib.Path(snapshot, f"{drive}.caibx").read_bytes()
        ids = {index[at + 8:at + 40].hex() for at in range(64, len(index) - 40, 40)}
        zeros = hashlib.sha256(bytes(self.chunk)).hexdigest()
        return sorted(f"{self.chunks}/{i[:4]}/{i}.cacnk" for i in ids - {zeros})

    def unpack(self, snapshot, folder):
        """({drive: flat image}, path of the RAM stream or None), by casync; its manifest must agree."""
        if not shutil.which("casync"):
            raise Skip("no casync here")
        os.makedirs(folder, exist_ok=True)
        images = {}
        for device in json.load(open(f"{snapshot}/snapshot.json"))["devices"]:
            images[device["name"]] = path = os.path.join(folder, f"{device['name']}.raw")
            if os.path.exists(path):
                os.unlink(path)
            subprocess.run(["casync", "extract", f"--store={self.chunks}", f"{snapshot}/{device['name']}.caibx", path],
                           check=True, capture_output=True)
            assert os.path.getsize(path) == device["size"], (device, os.path.getsize(path))
        return images, images.pop("vmstate", None)

    def must_be_clean(self):
        """Nothing is left of any run but snapshots and chunks."""
        assert not self.partials(), self.partials()
        assert not glob.glob(f"{self.chunks}/tmp/*"), "chunks without a name"
