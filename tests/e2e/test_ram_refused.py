#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""RAM that QEMU does not move: it is left out, the drives are saved, and that is said beforehand where it is known."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Drive, Scenario, main, product, standard_drives

MIB = 1 << 20
NVME = ["-drive", "if=none,id=nv,file.driver=null-co,file.size=4M,format=raw", "-device", "nvme,serial=a,drive=nv"]


def no_background(s):
    s.add_proxy().fail("migrate-set-capabilities", where=lambda m: "background-snapshot" in str(m), nth=None, desc="no userfaultfd")


def ram_of(s):
    info = s.run("info", "--json", s.vm.monitor)
    assert info.wait() == 0, info.report()
    return next(d for d in json.loads("".join(info.lines))["devices"] if d["kind"] == "ram")


def by_a_device(version):
    """info, plan and result say the same; --strict fails; without the RAM all is well."""
    product()
    with Scenario(version, drives=standard_drives(count=2), extra=NVME) as s:
        row = ram_of(s)
        if row["included"]:  # a QEMU that can move it
            s.must_be_saved(s.backup(), restore=False)
            return
        assert "nvme" in row["note"], row
        run = s.backup()
        s.must_be_saved(run, status=3)
        plan = run.find(ev="plan")
        assert [d for d in plan["devices"] if d["id"] == "vmstate" and "nvme" in d["note"] and not d["included"]], plan
        assert run.find(ev="result")["missing"] == [] or "vmstate" in run.find(ev="result")["missing"]
        assert "missing: vmstate" in run.find(ev="result")["text"], run.report()
        s.must_be_untouched()
        assert s.backup("--strict", "--force").wait() == 1
        s.must_be_untouched()
        s.must_be_saved(s.backup("--no-vmstate", "--force"))


def only_when_asked(version):
    """Nothing told of it before: the same, on a file and down a pipe, by both ways of taking it."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        for is_plain in (False, True):
            for target in (s.archive, f"|cat > {s.path('b.vma')}"):
                if s.proxy:
                    s.proxy.close()
                if is_plain:
                    no_background(s)
                else:
                    s.add_proxy()
                s.proxy.fail("migrate", desc="a device says no")
                run = s.backup("--force", output=target)
                run.must_succeed(status=3)
                assert "RAM is left out: a device says no" in "".join(run.lines), run.report()
                if target == s.archive:
                    s.must_be_exact(s.archive)
                s.must_be_untouched()
        s.proxy.close()
        s.add_proxy().fail("migrate", desc="a device says no")
        assert s.backup("--force", "--strict").wait() == 1
        s.must_be_untouched()


def second_night_of_a_paused_guest(version):
    """A plain migration leaves "postmigrate", from which QEMU moves no RAM again: the drives are saved every night."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        s.vm.qmp.cmd("stop")
        s.take_note()
        no_background(s)
        s.must_be_saved(s.backup(), restore=False)
        assert s.vm.qmp.cmd("query-status")["status"] == "postmigrate"
        row = ram_of(s)
        assert not row["included"] and "postmigrate" in row["note"], row
        for _ in range(2):
            s.must_be_saved(s.backup("--force"), status=3)
            s.must_be_untouched(ignore=("status",))
        s.vm.qmp.cmd("cont")
        s.vm.wait_rounds(20)
        assert ram_of(s)["included"]
        s.must_be_saved(s.backup("--force"))


if __name__ == "__main__":
    main(by_a_device, only_when_asked, second_night_of_a_paused_guest, both=(second_night_of_a_paused_guest,))
