# SPDX-License-Identifier: GPL-2.0-or-later
"""Is an archive that was called good what the guest held at its instant? Also where drives are missing from it."""
from .pattern import check_alone, check_images
from .restore import read_strictly

GOOD = (0, 3)  # all saved; all but what it names


def own_instants(run):
    """Drives that were saved at an instant of their own, later than the others'."""
    return {e["id"] for e in list(run.events) if e.get("ev") == "drive" and e.get("state") == "done" and e.get("instant_own")}


class Verdict:
    """What the archive of a run holds. images: {drive: flat image} of those called saved, vmstate: the RAM stream."""

    def __init__(self, s, run, status, archive, offered):
        result = run.find(ev="result")
        self.status, self.missing = status, set(result.get("missing") or ())
        assert status in GOOD and result["exit"] == status, f"exit status {status}: {run.report()}"
        assert status or not self.missing, f"exit status 0, and missing are {self.missing}"
        found = read_strictly(archive, s.path("unpacked"), allow_lost=bool(status))
        held = {name: path for name, (_, path) in found["devices"].items() if name not in found["lost"]}
        absent = {d.name for d in offered} - set(held) - self.missing
        assert not absent, f"{sorted(absent)} neither saved nor called missing: {run.report()}"
        self.images = {name: path for name, path in held.items() if name not in self.missing}
        self.vmstate = None if "vmstate" in self.missing else found["vmstate"]
        self.own = own_instants(run)

    def must_be_exact(self, drives):
        """Returns the round at the instant, None where no drive of the guest's tells it."""
        counted = {d.name for d in drives if d.is_counted_on()} & set(self.images)
        alone = self.own & counted
        for name in alone:
            check_alone(drives, name, self.images[name])
        together = {name: path for name, path in self.images.items() if name not in alone}
        return check_images(drives, together) if counted - alone else None
