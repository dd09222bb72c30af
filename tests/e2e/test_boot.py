#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest straight from its archive, beside the one that was saved and goes on: with its RAM it goes on at the instant."""
import json
import os
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "golden")]
import stores  # noqa: E402
from vmtest import LAP, Scenario, main, product, standard_drives, wait_for
from vmtest.env import qemu_binary
from vmtest.pattern import check_images


class Booted:
    """vmabackup boot, and what the guest in it says."""

    def __init__(self, s, name, *arguments):
        self.serial = s.folder / f"{name}.serial"
        self.process = subprocess.Popen(
            [product(), "boot", "--qemu", qemu_binary(s.version), *arguments, "--", "-serial", f"file:{self.serial}"],
            stdin=subprocess.DEVNULL,
            stderr=open(s.path(f"{name}.said"), "wb"), env=dict(os.environ, TMPDIR=str(s.folder)))
        self.said = pathlib.Path(s.path(f"{name}.said"))
        s.at_end(self.process.kill)

    def rounds(self):
        text = self.serial.read_text(errors="replace") if self.serial.exists() else ""
        assert "BAD" not in text, text[-300:]
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said.read_text()}"
        return [int(line[2:], 16) for line in text[:text.rfind("\n") + 1].split("\n") if line.startswith("C ")]

    def wait_rounds(self, count):
        return wait_for(lambda: len(self.rounds()) >= count and self.rounds(), 60, f"{count} rounds of the booted guest")

    def end(self):
        self.process.terminate()
        assert self.process.wait(20) == 0, self.said.read_text()


def snapshot_of(s, archive):
    """The same in a store, by Python's hand."""
    out = pathlib.Path(s.path("out"))
    subprocess.run([product(), "extract", "-C", out, archive], check=True)
    listed = json.loads(subprocess.run([product(), "list", "--json", archive], stdout=subprocess.PIPE, check=True).stdout)
    drives = {d["name"]: out / f"{d['name']}.raw" for d in listed["devices"] if d["name"] != "vmstate"}
    configs = {c["name"]: (out / c["name"]).read_bytes() for c in listed["configs"]}
    return stores.Store(s.path("store")).add("guest", "2026-11-30T08:10:20Z", drives, (out / "vmstate.bin").read_bytes(), configs)


def goes_on(version):
    with Scenario(version) as s:
        packed, plain = s.path("a.vma.zst"), s.path("plain.vma")
        run = s.backup(output=packed)
        images, _ = s.must_be_saved(run, archive=packed, restore=False)
        instant = check_images(s.drives, images)
        subprocess.run([product(), "verify", packed], check=True)
        subprocess.run(["zstd", "-dqc", packed], stdout=open(plain, "wb"), check=True)
        for name, archive in (("packed", packed), ("plain", plain), ("snapshot", snapshot_of(s, packed))):
            booted = Booted(s, name, "--ram", archive)
            first = booted.wait_rounds(2)[0]
            assert instant <= first <= instant + 16, f"it goes on at {first}, saved at {instant}"
            booted.wait_rounds(LAP // 16 + 2)
            booted.end()
            assert not list(s.folder.glob("vmabackup-boot-*")), "overlays are left"
        s.must_be_untouched(rounds=LAP)


def starts_anew(version):
    with Scenario(version) as s:
        run = s.backup("--no-vmstate")
        s.must_be_saved(run)
        booted = Booted(s, "anew", s.archive)
        booted.wait_rounds(4)
        booted.end()
        s.must_be_untouched(rounds=LAP)


def from_a_device(version):
    """Packed onto a block device, and booted from there. Needs root and a loop device."""
    with Scenario(version, drives=standard_drives(count=2)) as s:
        with open(s.path("disk"), "wb") as disk:
            disk.write(os.urandom(1 << 20) * 96)
        made = subprocess.run(["losetup", "-f", "--show", s.path("disk")], capture_output=True, text=True)
        if made.returncode:
            print("      no loop device can be had")
            return
        device = made.stdout.strip()
        s.at_end(lambda: subprocess.run(["losetup", "-d", device], check=True))
        s.backup("--level", "3", "--force", output=device).must_succeed()
        subprocess.run([product(), "verify", device], check=True, stdout=subprocess.DEVNULL)
        booted = Booted(s, "device", "--ram", device)
        booted.wait_rounds(LAP // 16 + 2)
        booted.end()
        s.must_be_untouched(rounds=LAP)


if __name__ == "__main__":
    main(goes_on, starts_anew, slow=(from_a_device,))
