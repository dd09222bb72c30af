# SPDX-License-Identifier: GPL-2.0-or-later
"""Knows every byte that the counting guest leaves on its drives (see tests/guest/guest.S)."""
import struct

SLOTS = 128
STEP = 77
LAP = SLOTS + 8  # after so many rounds a guest has met all that it ever wrote


def sector(drive, number):
    return struct.pack("<I", (0x80 + drive) << 24 | number & 0xFFFFFF) * 128


def slot_lba(sectors, number):
    slot = number * STEP % SLOTS
    return slot * (sectors // SLOTS) if slot else sectors - 1


def written_clusters(size):
    """The clusters that the guest writes to, on a drive of so many bytes."""
    return {slot_lba(size // 512, number) // 128 for number in range(SLOTS)}


def expected(base, drive, latest, slot_done, sectors=None):
    """The drive's content in round `latest` (by sector 1); slot_done: the slot of the next round is written already.

    sectors: how many it had when the guest booted, if it has grown since.
    """
    image = bytearray(base)
    sectors = sectors or len(base) // 512
    last = latest + 1 if slot_done else latest
    for number in range(max(1, last - SLOTS + 1), last + 1):
        lba = slot_lba(sectors, number)
        image[lba * 512:lba * 512 + 512] = sector(drive, number)
    image[512:1024] = sector(drive, latest)
    return bytes(image)


def _read(path):
    with open(path, "rb") as image:
        return image.read()


def first_difference(a, b):
    """Offset of the first differing sector, or None."""
    if a == b:
        return None
    for at in range(0, max(len(a), len(b)), 512):
        if a[at:at + 512] != b[at:at + 512]:
            return at
    return None


def _latest(content, index, name):
    """By sector 1."""
    value = struct.unpack_from("<I", content, 512)[0]
    assert value >> 24 == 0x80 + index, f"{name}: sector 1 holds {value:08x}"
    return value & 0xFFFFFF


def _is_former(content, index, lba):
    """Does a sector hold what the guest has written to it in some round?"""
    number = struct.unpack_from("<I", content, lba * 512)[0] & 0xFFFFFF
    return content[lba * 512:lba * 512 + 512] == sector(index, number)


def _must_hold(drive, index, content, latest, may_be_ahead):
    """drive, the index-th that the guest counts on, is in round `latest`; may_be_ahead: the next slot may be written, too."""
    assert len(content) in (drive.size, *drive.smaller), f"{drive.name}: {len(content)} bytes instead of {drive.size}"
    base = _read(drive.base).ljust(len(content), b"\0")
    differences = []
    for slot_done in (False, True) if may_be_ahead else (False,):
        image = bytearray(expected(base, index, latest, slot_done, (drive.booted_size or drive.size) // 512))
        for lba in drive.former:
            if image[lba * 512:lba * 512 + 512] == base[lba * 512:lba * 512 + 512] and _is_former(content, index, lba):
                image[lba * 512:lba * 512 + 512] = content[lba * 512:lba * 512 + 512]
        at = first_difference(content, image)
        if at is None:
            return
        differences.append(at)
    at = min(differences)
    raise AssertionError(f"{drive.name}: differs at byte {at} (cluster {at // 65536}), round {latest}")


def _counted(drives):
    return list(enumerate(d for d in drives if d.is_counted_on()))


def check_alone(drives, name, image):
    """Checks that a flat image is what this drive of the guest held at some instant; returns the round."""
    index, drive = next((i, d) for i, d in _counted(drives) if d.name == name)
    content = _read(image)
    latest = _latest(content, index, name)
    _must_hold(drive, index, content, latest, True)
    return latest


def check_images(drives, images):
    """Checks that {drive name: flat image} are what the guest's drives held at one instant; returns the round.

    The guest works through its drives in order, so at any instant the drives before some drive are in round n, that one
    is anywhere within it, and those after it are in round n - 1. This holds for any of its drives, too.
    """
    counted = [(index, drive) for index, drive in _counted(drives) if drive.name in images]
    contents = {drive.name: _read(images[drive.name]) for _, drive in counted}
    latest = [_latest(contents[drive.name], index, drive.name) for index, drive in counted]
    assert sorted(latest, reverse=True) == latest and latest[0] - latest[-1] <= 1, f"rounds differ: {latest}"
    behind = next((at for at, n in enumerate(latest) if n < latest[0]), 0)
    for at, (index, drive) in enumerate(counted):
        _must_hold(drive, index, contents[drive.name], latest[at], at == behind)
    for drive in drives:
        if drive.is_idle and drive.name in images:
            content = _read(images[drive.name])
            at = first_difference(content, _read(drive.base).ljust(len(content), b"\0"))
            assert at is None, f"{drive.name}: differs at byte {at}, and nobody wrote to it"
    return latest[0]
