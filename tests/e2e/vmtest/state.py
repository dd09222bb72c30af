# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU looks like from outside, to be the same after a backup as before."""
import json

# Change by themselves while a guest writes.
VOLATILE = {"actual-size", "write_threshold", "io-status"}


def _steady(value):
    if isinstance(value, dict):
        # The file under a qcow2 grows; the size of the drive itself must not change.
        skipped = VOLATILE | {"virtual-size"} if value.get("format") == "file" else VOLATILE
        return {k: _steady(v) for k, v in value.items() if k not in skipped}
    if isinstance(value, list):
        return [_steady(v) for v in value]
    return value


class QemuState:
    """nodes, drives, jobs, exports, migration settings and run state at one moment."""

    def __init__(self, qmp):
        self.parts = {
            "nodes": sorted(_steady(qmp.cmd("query-named-block-nodes")), key=lambda n: n["node-name"]),
            "drives": _steady(qmp.cmd("query-block")),
            "jobs": qmp.cmd("query-jobs"),
            "block jobs": qmp.cmd("query-block-jobs"),
            "exports": qmp.cmd("query-block-exports"),
            "capabilities": qmp.cmd("query-migrate-capabilities"),
            "parameters": qmp.cmd("query-migrate-parameters"),
            "status": qmp.cmd("query-status"),
        }

    def differences(self, other, ignore=()):
        """Lines saying what is not the same."""
        found = []
        for part, mine in self.parts.items():
            theirs = other.parts[part]
            if part in ignore or mine == theirs:
                continue
            if isinstance(mine, list):
                gone = [json.dumps(x)[:300] for x in mine if x not in theirs]
                new = [json.dumps(x)[:300] for x in theirs if x not in mine]
                found += [f"{part}: - {x}" for x in gone] + [f"{part}: + {x}" for x in new]
            elif isinstance(mine, dict):
                found += [f"{part}: {k}: {mine.get(k)} -> {theirs.get(k)}"
                          for k in sorted(set(mine) | set(theirs)) if mine.get(k) != theirs.get(k)]
        return found

    def must_equal(self, other, ignore=()):
        found = self.differences(other, ignore)
        assert not found, "QEMU is not as it was:\n  " + "\n  ".join(found)
