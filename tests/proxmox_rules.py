# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmrestore asks of an archive beyond the format: its name, its configuration, a map line for each device.

Written from Proxmox's qemu-server: PVE::Storage (the name), PVE::QemuServer restore_vma_archive and parse_backup_hints.
"""
import pathlib
import re

NAME = re.compile(r"vzdump-qemu-(\d+)-\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d\.vma(?:\.(?:zst|gz|lzo))?$")
MAP = re.compile(r"#qmdump#map:(\S+):(\S+):(\S*):(\S*):$")
DRIVE = re.compile(r"((?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+):\s*(\S+)\s*$")
SIZE = re.compile(r"size=(\d+)([KMGT])")
PLACES = {"ide": 4, "sata": 6, "scsi": 31, "virtio": 16, "efidisk": 1, "tpmstate": 1}


def check_name(path, vmid):
    match = NAME.match(pathlib.Path(path).name)
    assert match and int(match[1]) == vmid, f"{path}: no name for a backup of guest {vmid}"


def sizes(config):
    """{key: bytes} where a line tells them."""
    told = {m[1]: SIZE.search(m[2]) for m in map(DRIVE.match, config.decode().split("\n")) if m}
    return {key: int(m[1]) << 10 * ("KMGT".index(m[2]) + 1) for key, m in told.items() if m}


def check(devices, config):
    """devices: names in the header; config: the bytes of qemu-server.conf. Returns {key: device}."""
    lines = config.decode().split("\n")
    mapped = {m[1]: m[2] for m in map(MAP.match, lines) if m}
    drives = {m[1] for m in map(DRIVE.match, lines) if m}
    for key, device in mapped.items():
        assert device in devices, f"archive does not contain data for drive {key}"
        assert key in drives, f"{key} has no line in the configuration: it would be restored, and belong to nobody"
        bus, number = re.fullmatch(r"([a-z]+)(\d+)", key).groups()
        assert int(number) < PLACES[bus], f"{key}: Proxmox knows no such place"
    for device in devices:
        assert device == "vmstate" or device in mapped.values(), f"no device mapping information for {device}"
        assert device == "vmstate" or device.startswith("drive-"), device
    assert len(set(mapped.values())) == len(mapped), "two keys for one device"
    return mapped
