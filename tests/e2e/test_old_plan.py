#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What was true when the plan was made is not true at the instant, or at the end: drives have grown, gone, got an image on top.

The proxy holds our `stop`, so that others can do it right before the drives are frozen.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, QmpError, Scenario, Skip, main, older_than, product, wait_for
from vmtest.pattern import check_alone
from vmtest.restore import unpack
from vmtest.tmux import Terminal

MIB = 1 << 20
SIZE = 8 * MIB


def drives(**options):
    return [Drive("disk0", size=SIZE, style="blockdev"), Drive("disk1", size=SIZE, style="blockdev", **options)]


class Held(Scenario):
    """A run whose first `stop` waits while others are at work."""

    def __init__(self, version, **options):
        super().__init__(version, drives=drives(**options))
        self.add_proxy()
        self.said = []

    def backup_while(self, act, *arguments, at="stop", where=None, **options):
        hold = self.proxy.hold(at, where=where)
        run = self.backup("--no-vmstate", *arguments, **options)
        hold.wait(30)
        act()
        hold.release()
        return run

    def grow(self):
        self.vm.qmp.cmd("block_resize", {"node-name": "node-disk1", "size": 2 * SIZE})

    def must_have_grown(self, archive):
        images, _ = unpack(archive, self.path("unpacked"))
        assert os.path.getsize(images["disk1"]) == 2 * SIZE, os.path.getsize(images["disk1"])
        os.truncate(images["disk1"], SIZE)
        for name, image in images.items():
            check_alone(self.drives, name, image)


def said(run):
    return " ".join(e.get("text") or "" for e in run.events) + run.errors


def nothing_is_left(s):
    names = [n["node-name"] for n in s.vm.qmp.cmd("query-named-block-nodes", {"flat": True})]
    assert not [n for n in names if n.startswith("vmb-")], names
    s.vm.wait_rounds(16)


def grown_before_the_instant(version):
    """The archive has the drive's new size, in its header and its description, and QEMU lives."""
    product()
    with Held(version) as s:
        run = s.backup_while(s.grow, "--verify")
        run.must_succeed()
        assert "disk1: its size has changed from 8.0M to 16.0M" in said(run), run.report()
        s.must_have_grown(s.archive)
        nothing_is_left(s)


def grown_before_a_pipe_has_it(version):
    """The old size has gone down the pipe already: the drive is left out, and why is said."""
    product()
    with Held(version) as s:
        run = s.backup_while(s.grow, output=f"|cat > {s.path('piped')}")
        run.must_succeed(status=3)
        assert "disk1: its size has changed since the plan" in said(run), run.report()
        nothing_is_left(s)


def grown_while_the_console_waits(version):
    """B begins what was planned a while ago."""
    product()
    with Held(version) as s, Terminal([product("vmabackup-tui"), "--no-vmstate", "-o", s.archive, s.vm.monitor], env=s.env) as t:
        t.wait("B begins")
        s.grow()
        t.type("B")
        t.wait("Exit status will be 0", seconds=60)
        s.must_have_grown(s.archive)


def job_before_the_instant(version):
    """Somebody begins a mirror between the plan and the freeze: that drive is left out, and the mirror is exact."""
    product()
    with Held(version) as s:
        new = s.path("new.raw")

        def mirror():
            subprocess.run([s.qemu_img, "create", "-q", "-f", "raw", new, str(SIZE)], check=True)
            s.vm.qmp.cmd("blockdev-add", {"driver": "raw", "node-name": "new", "file": {"driver": "file", "filename": new}})
            s.vm.qmp.cmd("blockdev-mirror", {"job-id": "m0", "device": "node-disk1", "target": "new", "sync": "full"})
            s.vm.qmp.wait_event("BLOCK_JOB_READY", timeout=30)
        run = s.backup_while(mirror)
        run.must_succeed(status=3)
        assert run.find(ev="result")["missing"] == ["disk1"], run.report()
        assert "block job m0 (mirror) is on it" in said(run), run.report()
        images, _ = unpack(s.archive, s.path("unpacked"))
        assert set(images) == {"disk0"}, images
        s.vm.qmp.cmd("block-job-complete", {"device": "m0"})
        s.vm.qmp.wait_event("BLOCK_JOB_COMPLETED", device="m0", timeout=30)
        s.cleanup()
        s.vm.wait_rounds(16)
        s.vm.stop()
        check_alone(s.drives, "disk1", new)


def snapshot_before_the_instant(version):
    """The drive has another node by then: that one is saved, and given back."""
    product()
    with Held(version) as s:
        def snapshot():
            s.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": "node-disk1", "snapshot-file": s.path("ov"), "format": "qcow2",
                                                    "snapshot-node-name": "ov"})
        run = s.backup_while(snapshot)
        s.must_be_saved(run)
        assert "node ov has taken the place of node-disk1" in said(run), run.report()
        shown = [d["inserted"]["node-name"] for d in s.vm.qmp.cmd("query-block") if "/disk1/" in d.get("qdev", "")]
        assert shown == ["ov"], shown
        nothing_is_left(s)


def unplugged_before_the_instant(version):
    """It is left out while the other one goes on."""
    product()
    with Held(version, is_idle=True, bus="scsi") as s:
        def unplug():
            s.vm.qmp.cmd("device_del", {"id": "disk1"})
            wait_for(lambda: not any(d.get("qdev") == "disk1" for d in s.vm.qmp.cmd("query-block")), 20, "it to be gone")
        run = s.backup_while(unplug)
        run.must_succeed(status=3)
        assert "disk1: it was unplugged" in said(run), run.report()
        nothing_is_left(s)


def is_filter_of_disk1(message):
    """The drives were looked at for the last time, and the guest stands still."""
    arguments = message["arguments"]
    return arguments["driver"] == "copy-before-write" and arguments["node-name"].endswith("-cbw-1")


def snapshot_at_the_instant(version):
    """After the last look: that drive is left out, and the other one is saved."""
    product()
    with Held(version) as s:
        def snapshot():
            s.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": "node-disk1", "snapshot-file": s.path("ov"), "format": "qcow2",
                                                    "snapshot-node-name": "ov"})
        run = s.backup_while(snapshot, at="blockdev-add", where=is_filter_of_disk1)
        run.must_succeed(status=3)
        assert run.find(ev="result")["missing"] == ["disk1"], run.report()
        assert "disk1: its node is no longer node-disk1" in said(run), run.report()
        nothing_is_left(s)


def reset_at_the_instant(version):
    """What QEMU calls a guest that was reset while it stood still is "prelaunch": it goes on all the same."""
    product()
    with Held(version) as s:
        def reset():
            s.vm.qmp.cmd("system_reset")
            wait_for(lambda: s.vm.qmp.cmd("query-status")["status"] == "prelaunch", 20, "the reset")
        s.backup_while(reset, at="blockdev-add", where=is_filter_of_disk1).must_succeed()
        assert s.vm.is_running()


def unplugged_while_drives_are_woken(version):
    """QEMU 7.2 wakes them one by one after a plain migration: the other one is, and is saved with the RAM."""
    if not older_than(version, "9.0"):
        raise Skip("no plain migration there")
    product()
    with Held(version, is_idle=True, bus="scsi") as s:
        hold = s.proxy.hold("block-export-add", where=lambda message: message["arguments"]["node-name"] == "node-disk1")
        run = s.backup()
        hold.wait(30)
        s.vm.qmp.cmd("device_del", {"id": "disk1"})
        s.vm.qmp.wait_event("DEVICE_DELETED", timeout=20)
        wait_for(lambda: not any(d.get("qdev") == "disk1" for d in s.vm.qmp.cmd("query-block")), 20, "it to be gone")
        for node in ("node-disk1", "file-disk1"):
            s.vm.qmp.cmd("blockdev-del", {"node-name": node})
        hold.release()
        run.must_succeed(status=3)
        assert run.find(ev="result")["missing"] == ["disk1"], run.report()
        nothing_is_left(s)


def graph_that_is_not_told(version):
    """Where QEMU does not tell what is below a filter, it stays, and the guest never notices."""
    product()
    with Scenario(version, drives=drives()) as s:
        s.add_proxy().fail("x-debug-query-block-graph", nth=None, klass="CommandNotFound", desc="no such command")
        s.proxy.alter_reply("query-named-block-nodes", lambda m: [n.pop("children", None) for n in m.get("return", [])])
        run = s.backup("--no-vmstate")
        s.must_be_saved(run, status=3)
        assert "stays in QEMU, where it does no harm, because of QEMU, which does not tell" in said(run), run.report()
        s.vm.wait_rounds(16)
        s.cleanup(status=1)
        s.proxy.close()
        s.proxy = None
        s.cleanup()
        s.must_be_untouched(rounds=16)


def children_of_nodes(version):
    """QEMU 10.1 and later tell of each node's children, with or without the command for the whole graph."""
    product()
    with Scenario(version, drives=drives()) as s:
        def tell(message):
            graph = s.vm.qmp.cmd("x-debug-query-block-graph")
            names = {n["id"]: n["name"] for n in graph["nodes"]}
            for node in message.get("return", []):
                node["children"] = [{"child": e["name"], "node-name": names[e["child"]]} for e in graph["edges"]
                                    if names[e["parent"]] == node["node-name"]]
        s.add_proxy().fail("x-debug-query-block-graph", nth=None, klass="CommandNotFound", desc="no such command")
        s.proxy.alter_reply("query-named-block-nodes", tell)
        s.must_be_saved(s.backup("--no-vmstate"))
        s.must_be_untouched(rounds=16)


def job_that_is_not_ours(version):
    """QEMU says of the source that some job has it: its own words are shown."""
    product()
    with Scenario(version, drives=drives()) as s:
        why = "Node 'node-disk0' is busy: block device is in use by block job: commit"
        s.add_proxy().fail("blockdev-backup", desc=why)
        run = s.backup("--no-vmstate", "--guard", "direct")
        s.must_have_failed(run, status=1)
        assert why in said(run), run.report()
        s.must_be_untouched(rounds=16)


def refused_stream(version):
    """A stream that QEMU refuses leaves a user without a name on our filter, for good: neither can be taken away.

    What is seen of it: a block backend without a name in x-debug-query-block-graph. The guest is not harmed, the archive is
    good, it is said, and the next backup is whole.
    """
    product()
    with Scenario(version, drives=drives(format="qcow2")) as s:
        s.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": "node-disk1", "snapshot-file": s.path("ov"), "format": "qcow2",
                                                "snapshot-node-name": "ov"})
        run = s.backup("--no-vmstate", "--limit", "4M")
        run.wait_event(ev="phase", phase="copy")
        filter_ = next(d["inserted"]["node-name"] for d in s.vm.qmp.cmd("query-block") if "/disk1/" in d.get("qdev", ""))
        try:
            s.vm.qmp.cmd("block-stream", {"job-id": "st", "device": filter_})
            raise AssertionError("QEMU streams through a filter")
        except QmpError:
            pass
        graph = s.vm.qmp.cmd("x-debug-query-block-graph")
        ids = {n["id"]: n for n in graph["nodes"]}
        nameless = [e for e in graph["edges"] if ids[e["child"]]["name"] == filter_ and ids[e["parent"]]["type"] == "block-backend"
                    and not ids[e["parent"]]["name"]]
        s.must_be_saved(run, status=3 if nameless else 0)
        if nameless:
            assert f"filter {filter_} stays in QEMU, where it does no harm" in said(run), run.report()
            assert "a user without a name" in s.cleanup(status=1).errors
        s.vm.wait_rounds(16)
        s.archive = s.path("next.vma")
        s.must_be_saved(s.backup("--no-vmstate", output=s.archive))
        s.vm.wait_rounds(16)


def shown_of_disk1(s):
    return next(d["inserted"]["node-name"] for d in s.vm.qmp.cmd("query-block") if "/disk1/" in d.get("qdev", ""))


def snapshot_as_its_filter_goes(version):
    """After the last look at what stands on it: QEMU refuses to give the drive what is below, and it is looked at anew."""
    product()
    with Held(version) as s:
        def snapshot():
            s.vm.qmp.cmd("blockdev-snapshot-sync", {"node-name": shown_of_disk1(s), "snapshot-file": s.path("ov"), "format": "qcow2",
                                                    "snapshot-node-name": "ov"})
        run = s.backup_while(snapshot, at="qom-set", where=lambda m: m["arguments"]["value"] == "node-disk1")
        s.must_be_saved(run)
        assert shown_of_disk1(s) == "ov" and "stays in QEMU" not in said(run), run.report()
        nothing_is_left(s)


if __name__ == "__main__":
    main(grown_before_the_instant, job_before_the_instant, snapshot_before_the_instant, graph_that_is_not_told, refused_stream,
         snapshot_as_its_filter_goes,
         slow=(grown_before_a_pipe_has_it, grown_while_the_console_waits, unplugged_before_the_instant,
               snapshot_at_the_instant, reset_at_the_instant, children_of_nodes,
               unplugged_while_drives_are_woken, job_that_is_not_ours), both=(grown_before_the_instant,))
