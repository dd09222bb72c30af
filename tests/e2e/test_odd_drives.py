#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives that cannot be saved, or not as they are: refused or told in the plan, before anything is touched."""
import os
import pathlib
import random
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, engine, main, product, standard_drives
from vmtest.restore import unpack

IF_PULL_IS_POSSIBLE = ("block-export-add", "getfd", "closefd")  # an export of no node, a descriptor that is taken back


def named_but_not_there(version):
    """--drive with an empty drive, or one that is unknown: 2, with the reason; nothing is sent to QEMU that changes it."""
    product()
    with Scenario(version, drives=standard_drives(count=1) + [Drive("cd1", bus="cd")]) as s:
        proxy = s.add_proxy()
        for name, why in (("cd0", "drive cd0 cannot be saved: no medium"), ("nobody", "guest has no drive nobody")):
            run = s.backup("--no-vmstate", "--drive", "drive0", "--drive", name)
            s.must_have_failed(run, 2)
            assert why in " ".join(e.get("text") or "" for e in run.events), run.report()
        asks = ("query-", "qom-", "qmp_", "x-debug-query-") + (IF_PULL_IS_POSSIBLE if engine() == "pull" else ())
        assert all(n.startswith(asks) for n in proxy.names()), proxy.names()
        s.must_be_untouched(rounds=0)


def shared_node(version):
    """Two devices on one node: saved once, by a job that sees the writes of both, and said to be unguarded (3); refused
    where a guard is demanded (1)."""
    product()
    folder = tempfile.mkdtemp(prefix="vmt-")
    try:
        image = f"{folder}/shared.raw"
        content = random.Random(7).randbytes(3 << 20)
        pathlib.Path(image).write_bytes(content)
        extra = ["-blockdev", f"driver=file,node-name=shared,filename={image}"]
        for name in ("sa", "sb"):
            extra += ["-device", f"scsi-hd,bus=scsi0.0,drive=shared,id={name},share-rw=on"]
        with Scenario(version, drives=standard_drives(count=1, with_odd_ones=False), extra=extra) as s:
            run = s.backup("--no-vmstate", "--guard", "filter")
            s.must_have_failed(run, 1)
            assert "two devices share its node" in run.find(ev="error")["text"], run.report()
            run = s.backup("--no-vmstate")
            run.must_succeed(status=3)
            notes = {d["id"]: d["note"] for d in run.find(ev="plan")["devices"]}
            assert "two devices" in notes["sa"] and notes["sb"] == "the same node as sa: saved there", notes
            images, _ = unpack(s.archive, s.path("unpacked"))
            assert pathlib.Path(images["sa"]).read_bytes() == content and "sb" not in images
            s.must_be_untouched()
    finally:
        shutil.rmtree(folder)


def odd_target_name(version):
    """A name with control bytes is written, read back and logged under that very name, and shown without them."""
    product()
    with Scenario(version, drives=standard_drives(count=1, with_odd_ones=False)) as s:
        s.archive = s.path("a\tb\x1b[31m\n.vma")
        run = s.backup("--no-vmstate", "--verify")
        s.must_be_saved(run)
        assert run.find(ev="result")["verified"] is True
        assert os.path.exists(s.archive + ".log")
        assert "\\u001b" not in "".join(run.lines) and "a?b?[31m" in "".join(run.lines), run.report()


if __name__ == "__main__":
    main(named_but_not_there, shared_node, odd_target_name)
