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


def expected(base, drive, latest, slot_done):
    """The drive's content in round `latest` (by sector 1); slot_done: the slot of the next round is written already."""
    image = bytearray(base)
    sectors = len(base) // 512
    last = latest + 1 if slot_done else latest
    for number in range(max(1, last - SLOTS + 1), last + 1):
        lba = slot_lba(sectors, number)
        image[lba * 512:lba * 512 + 512] = sector(drive, number)
    image[512:1024] = sector(drive, latest)
    return bytes(image)


def first_difference(a, b):
    """Offset of the first differing sector, or None."""
    if a == b:
        return None
    for at in range(0, max(len(a), len(b)), 512):
        if a[at:at + 512] != b[at:at + 512]:
            return at
    return None


def _read(path):
    with open(path, "rb") as image:
        return image.read()


def check_alone(drives, name, image):
    """Checks that a flat image is what this drive of the guest held at some instant; returns the round."""
    counted = [d for d in drives if d.is_counted_on()]
    index = next(i for i, d in enumerate(counted) if d.name == name)
    content, base = _read(image), _read(counted[index].base)
    latest = struct.unpack_from("<I", content, 512)[0] & 0xFFFFFF
    allowed = [expected(base, index, latest, slot_done) for slot_done in (False, True)]
    if content not in allowed:
        at = min(first_difference(content, a) for a in allowed)
        raise AssertionError(f"{name}: differs at byte {at} (cluster {at // 65536}), round {latest}")
    return latest


def check_images(drives, images):
    """Checks that {drive name: flat image} are what the guest's drives held at one instant; returns the round.

    The guest works through its drives in order, so at any instant the drives before some drive are in round n, that one
    is anywhere within it, and those after it are in round n - 1.
    """
    counted = [d for d in drives if d.is_counted_on()]
    latest = []
    contents = {d.name: _read(images[d.name]) for d in counted}
    for index, drive in enumerate(counted):
        content = contents[drive.name]
        assert len(content) == drive.size, f"{drive.name}: {len(content)} bytes instead of {drive.size}"
        value = struct.unpack_from("<I", content, 512)[0]
        assert value >> 24 == 0x80 + index, f"{drive.name}: sector 1 holds {value:08x}"
        latest.append(value & 0xFFFFFF)
    assert sorted(latest, reverse=True) == latest and latest[0] - latest[-1] <= 1, f"rounds differ: {latest}"
    behind = next((i for i, n in enumerate(latest) if n < latest[0]), 0)
    for index, drive in enumerate(counted):
        content, base = contents[drive.name], _read(drive.base)
        allowed = [expected(base, index, latest[index], False)]
        if index == behind:
            allowed.append(expected(base, index, latest[index], True))
        if content not in allowed:
            at = min(first_difference(content, a) for a in allowed)
            raise AssertionError(f"{drive.name}: differs at byte {at} (cluster {at // 65536}), round {latest[index]}")
    for drive in drives:
        if drive.is_idle and drive.name in images:
            at = first_difference(_read(images[drive.name]), _read(drive.base))
            assert at is None, f"{drive.name}: differs at byte {at}, and nobody wrote to it"
    return latest[0]
