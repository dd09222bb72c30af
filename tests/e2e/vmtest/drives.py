# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives of every kind a guest may have, and the command line that makes them."""
import base64
import dataclasses
import json
import pathlib
import random
import subprocess

from .env import repo

MIB = 1 << 20


@dataclasses.dataclass
class Drive:
    """style "drive" is -drive if=none + -device, "blockdev" is -blockdev + -device with an id.

    bus: "virtio", "iothread" (virtio-blk on one), "scsi" (virtio-scsi), "scsi-iothread" or "cd" (an IDE CD-ROM, empty
    without a path).
    name is what the product calls it: the drive's id, else the device's id.
    """

    name: str
    path: str = ""
    size: int = 0
    format: str = "raw"
    style: str = "drive"
    bus: str = "virtio"
    readonly: bool = False
    is_idle: bool = False  # the guest leaves it alone: its BIOS knows 16 drives at most
    is_dense: bool = False  # full of random data
    is_text: bool = False   # full of it, written in letters: what gives zstd work
    base: str = ""  # a flat copy of what the drive held before the guest ran
    smaller: tuple = ()     # sizes that it had before it grew
    booted_size: int = 0    # what it had when the guest booted, if it has grown since
    former: frozenset = frozenset()  # sectors that the guest wrote to before it was reset
    is_trimmed: bool = False  # what the guest discards is discarded in the image
    faults: tuple = ()  # inject-error rules of blkdebug under it (style "blockdev" only): {"iotype": "read", "sector": 9}

    def is_counted_on(self):
        """Does the guest write to it?"""
        return self.bus != "cd" and not self.readonly and not self.is_idle

    def as_raw(self, path):
        """The same device with another image: for a restored guest."""
        return dataclasses.replace(self, path=str(path), format="raw")

    def arguments(self, boot_index):
        if self.bus == "cd":
            medium = f",file={self.path},format={self.format}" if self.path else ""
            return ["-drive", f"if=none,id={self.name},media=cdrom{medium}", "-device", f"ide-cd,drive={self.name}"]
        # A second id would name the drive otherwise, so devices of -drive have none.
        return self._node() + ["-device", self._device(boot_index)]

    def _node(self):
        trimmed = ",discard=unmap" if self.is_trimmed else ""
        if self.style == "drive":
            readonly = ",readonly=on" if self.readonly else ""
            return ["-drive", f"file={self.path},format={self.format},if=none,id={self.name}{readonly}{trimmed}"]
        readonly = ",read-only=on" if self.readonly else ""
        file = f"driver=file,node-name=file-{self.name},filename={self.path}{readonly}{trimmed}"
        return ["-blockdev", file] + self._fault_node() + [
            "-blockdev", f"driver={self.format},node-name=node-{self.name},"
                         f"file={'faulty' if self.faults else 'file'}-{self.name}{readonly}{trimmed}"]

    def _fault_node(self):
        if not self.faults:
            return []
        rules = [{"event": "none", "errno": 5, **rule} for rule in self.faults]
        return ["-blockdev", json.dumps({"driver": "blkdebug", "node-name": f"faulty-{self.name}",
                                         "image": f"file-{self.name}", "inject-error": rules})]

    def _device(self, boot_index):
        drive = self.name if self.style == "drive" else f"node-{self.name}"
        kind = {"virtio": "virtio-blk-pci", "iothread": "virtio-blk-pci,iothread=io0",
                "scsi": "scsi-hd,bus=scsi0.0", "scsi-iothread": "scsi-hd,bus=scsi1.0"}[self.bus]
        name = f",id={self.name}" if self.style == "blockdev" else ""
        order = f",bootindex={boot_index}" if self.is_counted_on() else ""
        return f"{kind},drive={drive}{name}{order}"


def build_guest(folder, count, pace=0):
    """The guest's code, told how many drives to count on and how long to rest after each round."""
    source, code = repo / "tests/guest/guest.S", pathlib.Path(folder) / "guest.bin"
    if not code.exists():
        subprocess.run(["as", "--32", "-o", f"{code}.o", source], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", code, f"{code}.o"],
                       check=True)
    code = bytearray(code.read_bytes())
    assert len(code) == 1536
    code[508], code[509] = pace, count
    return bytes(code)


def fill_text(path, size, seed):
    generator = random.Random(seed)
    with open(path, "wb") as image:
        for _ in range(size // MIB):
            image.write(base64.b64encode(generator.randbytes(MIB // 4 * 3)))


def fill_base(path, size, seed, boot=b"", dense=False):
    """A flat image: random data and, unless it is dense, zeros, holes, single blocks in between; the guest's code in front."""
    generator = random.Random(seed)
    with open(path, "wb") as image:
        image.truncate(size)
        at = 0
        while at < size:
            length = min(generator.choice((4096, 65536, 3 * 65536, MIB)), size - at)
            kind = 0 if dense else generator.random()
            if kind < 0.5:
                image.seek(at)
                image.write(generator.randbytes(length) if kind < 0.4 else bytes(length))
            at += length
        if boot:
            image.seek(0)
            image.write(boot)


def make_image(qemu_img, folder, drive, boot=b"", seed=0):
    """Fills in drive.path and drive.base."""
    drive.base = str(pathlib.Path(folder) / f"{drive.name}.base")
    drive.path = str(pathlib.Path(folder) / f"{drive.name}.{drive.format}")
    if drive.is_text:
        fill_text(drive.base, drive.size, f"{drive.name} {seed}")
    else:
        fill_base(drive.base, drive.size, f"{drive.name} {seed}", boot, drive.is_dense)
    subprocess.run([qemu_img, "convert", "-O", drive.format, drive.base, drive.path], check=True)


def standard_drives(count=4, size=16 * MIB, with_odd_ones=True):
    """The mixture named in the tests: raw and qcow2, both styles, iothread, virtio-scsi, odd size, read-only, no medium."""
    drives = [
        Drive("drive0", size=size),
        Drive("disk1", size=size, format="qcow2", style="blockdev", bus="iothread"),
        Drive("disk2", size=size // 2 + 3 * 512, style="blockdev", bus="scsi"),
        Drive("drive3", size=size // 2, format="qcow2"),
    ][:count]
    if with_odd_ones:
        drives += [Drive("fixed", size=4 * MIB, style="blockdev", readonly=True), Drive("cd0", bus="cd")]
    return drives
