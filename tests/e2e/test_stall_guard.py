#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Copy and guest share a slow disk: when the guest's writes suffer, the copy gives way, and they are well again."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, main, product, wait_for

MIB = 1 << 20


class SlowDrive(Drive):
    """On a disk that moves so many bytes/s in all, whoever asks."""

    speed = 6 * MIB

    def _fault_node(self):
        group = {"qom-type": "throttle-group", "id": f"slow-{self.name}", "limits": {"bps-total": self.speed}}
        return ["-object", json.dumps(group),
                "-blockdev", json.dumps({"driver": "throttle", "node-name": f"faulty-{self.name}",
                                         "throttle-group": group["id"], "file": f"file-{self.name}"})]


def impacts(run):
    return [e for e in list(run.events) if e["ev"] == "impact"]


def copy_gives_way(version):
    product()
    with Scenario(version, drives=[SlowDrive("disk0", size=128 * MIB, style="blockdev", faults=("slow",))]) as s:
        run = s.backup("--no-vmstate")
        s.wait_copying(run)
        wait_for(lambda: any(e["slowing"] for e in impacts(run)), 30, "the copy to be slowed")
        began = next(e for e in impacts(run) if e["slowing"])
        assert began["write_ms"] > 100 and began["base_ms"] < 50, began
        assert [e for e in run.events if "copy slowed to" in (e.get("text") or "")], run.report()
        wait_for(lambda: any(e["write_ms"] is not None and e["write_ms"] < 100
                             for e in impacts(run) if e["seq"] > began["seq"] and e["slowing"]),
                 40, "the writes to be well again")
        s.vm.qmp.cmd("qom-set", {"path": "/objects/slow-disk0", "property": "limits", "value": {"bps-total": 0}})
        s.must_be_saved(run, seconds=120)
        s.must_be_untouched()


if __name__ == "__main__":
    main(copy_gives_way)
