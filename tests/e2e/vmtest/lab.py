# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder and the guests in it, all gone at the end (kept with VMABACKUP_KEEP=1)."""
import os
import pathlib
import shutil
import tempfile

from .drives import build_guest, make_image
from .env import qemu_binary
from .guest import Guest


class Lab:
    def __init__(self, version):
        self.version = version
        beside = pathlib.Path(qemu_binary(version)).with_name("qemu-img")
        self.qemu_img = str(beside) if beside.exists() else "qemu-img"
        # Short, because a UNIX socket's path may have 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vmt-", dir=os.environ.get("VMABACKUP_TEST_DIR")))
        self._closing = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thing in reversed(self._closing):
            thing()
        if os.environ.get("VMABACKUP_KEEP"):
            print(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def at_end(self, function):
        """function() is called when the lab closes, newest first."""
        self._closing.append(function)

    def path(self, name):
        return str(self.folder / name)

    def guest(self, drives, pace=0, seed=0, **options):
        """A fresh guest: images are made, it is booted. The first drive is the one it boots from."""
        counted = sum(d.is_counted_on() for d in drives)
        boot = build_guest(self.folder, counted, pace)
        for index, drive in enumerate(drives):
            if drive.bus != "cd":
                make_image(self.qemu_img, self.folder, drive, b"" if index else boot, seed)
        return self.start(drives, **options)

    def start(self, drives, **options):
        """A guest on images that exist."""
        guest = Guest(self.version, self.folder, drives, **options)
        self.at_end(guest.kill)
        return guest

    def restored(self, drives, images, vmstate, name="restored", **options):
        """A guest as before, on restored images ({drive name: path}; those missing keep theirs) and a RAM stream."""
        again = [d.as_raw(images[d.name]) if d.name in images else d for d in drives]
        return self.start(again, name=name, incoming=vmstate, **options)
