#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The reading commands on archives made by Proxmox's own tool, which the folder VMABACKUP_GOLDEN holds."""
import json
import os
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]
import proxmox_rules  # noqa: E402
from archives import SKIP, main, run  # noqa: E402

ARCHIVES = {  # archive: {device: raw image}
    "g1-two-drives": {"drive-virtio0": "a-1m", "drive-scsi1": "b-3m-odd"},
    "g4-multi-extent": {"drive-virtio0": "f-full-4m", "drive-scsi1": "b-3m-odd", "drive-ide0": "a-1m"},
    "g5-vmstate": {"drive-virtio0": "a-1m", "vmstate": "v-state"},
}


def unpacked(path):
    return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout


def check_archive(golden, name, devices, folder):
    archive = golden / f"{name}.vma.zst"
    listed = json.loads(run("list", "--json", archive)[0])
    assert {d["name"] for d in listed["devices"]} == devices.keys() and not listed["is_ours"]
    text = run("verify", archive)[0]
    assert b"carries no payload digests" in text and b"good" in text, text
    run("extract", archive, "-C", folder)
    for device, image in devices.items():
        file = "vmstate.bin" if device == "vmstate" else f"{device}.raw"
        assert (folder / file).read_bytes() == unpacked(golden / f"{image}.raw.zst"), f"{name}: {device} differs"
    configs = run("config", archive)[0].decode().split()
    assert configs and configs[0] == "qemu-server.conf"
    for config in configs:
        want = (golden / config).read_bytes()
        assert run("config", archive, config)[0] == want and (folder / config).read_bytes() == want
    assert len(list(folder.iterdir())) == len(devices) + len(configs)


def test_proxmox(folder):
    for name, devices in ARCHIVES.items():
        check_archive(pathlib.Path(os.environ["VMABACKUP_GOLDEN"]), name, devices, folder / name)


def test_rules(folder):
    """What we hold our own archives to is kept by theirs."""
    archive = pathlib.Path(os.environ["VMABACKUP_GOLDEN"]) / "g1-two-drives.vma.zst"
    keys = proxmox_rules.check(ARCHIVES["g1-two-drives"], run("config", archive, "qemu-server.conf")[0])
    assert keys == {"virtio0": "drive-virtio0", "scsi1": "drive-scsi1"}


if __name__ == "__main__":
    if "VMABACKUP_GOLDEN" not in os.environ:
        print("skipped: VMABACKUP_GOLDEN is not set")
        sys.exit(SKIP)
    main([test_proxmox, test_rules], "vmb-proxmox-")
