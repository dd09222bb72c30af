# SPDX-License-Identifier: GPL-2.0-or-later
"""From an archive back to a guest, with an independent reader in between."""
import shutil
import sys

from .env import repo
from .pattern import LAP, check_images


def read_strictly(archive, folder, allow_lost=False):
    """What tests/vma_strict.py finds in an archive of ours; it shares no code with us."""
    sys.path.insert(0, str(repo / "tests"))
    try:
        import vma_strict
    finally:
        sys.path.pop(0)
    found = vma_strict.read(str(archive), str(folder), allow_lost)
    assert found["is_ours"] and found["has_digests"], "no digests in the archive"
    return found


def unpack(archive, folder):
    """({drive name: flat image}, path of the RAM stream or None)."""
    found = read_strictly(archive, folder)
    return {name: path for name, (_, path) in found["devices"].items()}, found["vmstate"]


def prove(lab, drives, images, vmstate, rounds=LAP):
    """The images are of one instant, and with RAM: a restored guest goes on counting and finds all it ever wrote.

    Returns the round at the instant.
    """
    instant = check_images(drives, images)
    if vmstate:
        must_go_on(lab, drives, images, vmstate, instant, rounds)
    return instant


def must_go_on(lab, drives, images, vmstate, instant, rounds=LAP):
    """A restored guest counts on from the round at the instant (None: whichever), and finds all it ever wrote."""
    own = {name: shutil.copyfile(path, f"{path}.restored") for name, path in images.items()}  # it writes to them
    guest = lab.restored(drives, own, vmstate)
    guest.resume()
    guest.wait_rounds(32, 120)
    first = guest.first_round()
    assert instant is None or instant <= first <= instant + 16, f"restored at round {first}, saved at {instant}"
    guest.wait_rounds(rounds, 120)
    guest.stop()
