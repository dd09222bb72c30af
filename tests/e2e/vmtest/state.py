# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU looks like from outside, to be the same after a backup as before."""
import re

# Change by themselves while a guest writes.
VOLATILE = {"actual-size", "write_threshold", "io-status"}


def _is_tracked(bitmap):
    """Counts what changes after a backup into a store: it is to stay."""
    return re.fullmatch("vmb-[0-9a-f]{8}(-[0-9a-f]{8}(-end)?)?", bitmap.get("name", ""))


def _steady(value):
    if isinstance(value, dict):
        for kind in ("dirty-bitmaps", "bitmaps"):  # of a node; that a qcow2 had when it was opened
            bitmaps = [b for b in value.get(kind, []) if not _is_tracked(b)]
            value = {k: v for k, v in value.items() if k != kind} | ({kind: bitmaps} if bitmaps else {})
        # The file under a qcow2 grows; the size of the drive itself must not change.
        skipped = VOLATILE | {"virtual-size"} if value.get("format") == "file" else VOLATILE
        return {k: _steady(v) for k, v in value.items() if k not in skipped}
    if isinstance(value, list):
        return [_steady(v) for v in value]
    return value


def _flat(value, path=""):
    """{"drives/vda/inserted/ro": False, …}: members of lists go by what names them."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in _flat(item, f"{path}/{key}").items()}
    if isinstance(value, list):
        found = {}
        for index, item in enumerate(value):
            names = item if isinstance(item, dict) else {}
            name = next((names[k] for k in ("node-name", "qdev", "capability", "id", "device") if names.get(k)), index)
            found.update(_flat(item, f"{path}/{name}"))
        return found
    return {path: value}


class QemuState:
    """nodes, drives, jobs, exports, migration settings and run state at one moment."""

    def __init__(self, qmp):
        self.parts = {
            "nodes": _steady(qmp.cmd("query-named-block-nodes")),
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
            if part in ignore:
                continue
            before, after = _flat(mine, part), _flat(other.parts[part], part)
            found += [f"{k}: {before.get(k, 'absent')} -> {after.get(k, 'absent')}"
                      for k in sorted(set(before) | set(after)) if before.get(k) != after.get(k)]
        return found[:20]

    def must_equal(self, other, ignore=()):
        found = self.differences(other, ignore)
        assert not found, "QEMU is not as it was:\n  " + "\n  ".join(found)
