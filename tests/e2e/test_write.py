#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`vmabackup write` and a QEMU that is driven by somebody else: by the recipe of docs/write.md, as it stands there."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Scenario, main, older_than, wait_for
from vmtest.restore import prove

BACKGROUND = [{"capability": "background-snapshot", "state": True}]


def begin(s, *arguments):
    """The writer, and a target node of QEMU's for each drive: {drive name: node of the drive}."""
    blocks = s.vm.qmp.cmd("query-block")
    nodes = {d.name: next(e["inserted"] for e in blocks if d.name in (e["device"], *e.get("qdev", "").split("/")))
             for d in s.drives if d.is_counted_on()}
    words = [word for name, e in nodes.items() for word in ("--drive", f"name={name},size={e['image']['virtual-size']}")]
    writer = s.run("write", "--json", "--nbd", s.path("nbd"), *words, *arguments, "-o", s.archive)
    writer.wait_event(ev="ready")
    for name in nodes:
        s.vm.qmp.cmd("blockdev-add", {"driver": "nbd", "node-name": f"to-{name}", "export": name,
                                      "server": {"type": "unix", "path": s.path("nbd")}})
    return writer, {name: e["node-name"] for name, e in nodes.items()}


def copy(s, nodes):
    """From one instant: the moment of the transaction."""
    s.vm.qmp.cmd("transaction", {"actions": [{"type": "blockdev-backup", "data": {
        "job-id": f"save-{name}", "device": node, "target": f"to-{name}", "sync": "full", "auto-dismiss": False}}
        for name, node in nodes.items()]})


def end(s, nodes):
    for name in nodes:
        error = s.vm.qmp.wait_job(f"save-{name}")
        assert not error, error
        s.vm.qmp.cmd("blockdev-del", {"node-name": f"to-{name}"})


def migration(s):
    return s.vm.qmp.cmd("query-migrate")


def ram_behind_us(s):
    """QEMU has stopped the guest for its devices' state, and streams the RAM."""
    state = migration(s)
    assert state.get("status") not in ("failed", "cancelled"), state
    return state.get("status") == "completed" or state.get("ram", {}).get("transferred", 0) > 1 << 16


def drives_and_ram(version):
    """A running guest where QEMU has background snapshots that can be trusted; else it stands still meanwhile."""
    is_live = not older_than(version, "9.0")
    with Scenario(version) as s:
        writer, nodes = begin(s, "--incoming", s.path("ram"))
        s.vm.qmp.cmd("stop")
        copy(s, nodes)
        if is_live:
            s.vm.qmp.cmd("migrate-set-capabilities", {"capabilities": BACKGROUND})
        else:
            end(s, nodes)
        s.vm.qmp.cmd("migrate", {"uri": f"unix:{s.path('ram')}"})
        wait_for(lambda: ram_behind_us(s) if is_live else migration(s)["status"] == "completed", 30, "the RAM")
        s.vm.qmp.cmd("cont")
        if is_live:
            end(s, nodes)
            wait_for(lambda: migration(s)["status"] == "completed", 30, "the RAM")
            s.vm.qmp.cmd("migrate-set-capabilities", {"capabilities": [dict(c, state=False) for c in BACKGROUND]})
        s.vm.wait_rounds(LAP)
        writer.must_succeed(60)
        images, ram = s.must_be_exact(s.archive)
        prove(s, s.drives, images, ram)
        s.must_be_untouched(rounds=LAP)


def drives_alone(version):
    """Of a running guest; a job that fails leaves no archive, and the guest goes on."""
    with Scenario(version) as s:
        writer, nodes = begin(s)
        copy(s, nodes)
        end(s, nodes)
        writer.must_succeed(60)
        s.must_be_exact(s.archive)
        pathlib.Path(s.archive).unlink()

        writer, nodes = begin(s)
        copy(s, nodes)
        writer.say("cancel")
        for name in nodes:
            s.vm.qmp.wait_job(f"save-{name}")
            s.vm.qmp.cmd("blockdev-del", {"node-name": f"to-{name}"})
        s.must_have_failed(writer, 4)
        s.must_be_untouched(rounds=LAP)


if __name__ == "__main__":
    main(drives_alone, slow=(drives_and_ram,))
