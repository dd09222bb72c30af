#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console, driven by keys in a real terminal (tmux) against a real QEMU, from the plan to the summary."""
import hashlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import QemuState, Scenario, main, product, standard_drives
from vmtest.tmux import Terminal

MIB = 1 << 20


def console(s, *arguments, monitor=None, **size):
    program = product("vmabackup-tui")
    return Terminal([program, *arguments, monitor or s.vm.monitor], env=s.env, **size)


def afterwards(s, t):
    """The summary's keys: read back, hashed, reported (and the report replayed), another plan; two lines stay behind."""
    digest = hashlib.sha256(pathlib.Path(s.archive).read_bytes()).hexdigest()
    t.type("V")
    t.wait("checks +verified")
    t.type("h")
    t.wait(f"sha256 +{digest}")
    t.type("w")
    t.wait("written: ")
    assert digest in pathlib.Path(s.archive + ".report.txt").read_text()
    with Terminal([product("vmabackup-tui"), "--replay", s.archive + ".report.json", "--speed", "1000"], env=s.env) as again:
        again.wait(f"sha256 +{digest}")
    t.type("n")
    t.wait(r"new backup of guest(?s:.*)--limit=drive0=1M(?s:.*)B begins")
    t.type("q")
    t.wait(rf"saved to {s.archive}.*, verified\n{digest}.*\n(?s:.*)status=0")


def steered(version):
    """Plan changed, begun, limited, undone, paused, resumed, freed; then the archive is exact and QEMU as before."""
    with Scenario(version, drives=standard_drives(count=3, size=96 * MIB)) as s:
        with console(s, "--limit", "30M", "-o", s.archive) as t:
            t.wait("B begins")
            t.type("j", "Space")
            t.wait(r"same as: .*--exclude=drive0")
            t.type("Space")
            t.wait(r"▸\[x\] .*drive0")
            t.type("s")
            t.wait("speed limit: drive0")
            t.fill("1M")
            t.type("Enter")
            t.wait("--limit=drive0=1M")
            assert not s.jobs(), "it began by itself"
            t.type("B")
            t.wait(r"▸▶ run +drive0 .* =?1\.0M")
            t.type("+")
            t.wait(r"▸▶ run +drive0 .* =?1\.1M")
            t.type("z")
            t.wait(r"▸▶ run +drive0 .* =?1\.0M")
            t.wait("drive0 limit .* > 1.0M")
            t.type("p")
            t.wait(r"‖ pause drive0")
            t.type("p", "Enter")
            t.wait(r"─ drive0  \(\d of \d\)")
            t.type("Escape")
            t.resize(40, 12)
            t.wait(r"▸▶ drive0 ")
            t.resize(120, 36)
            t.wait(r"throughput, last 3 min")
            t.type("u", "S")
            t.wait("speed limit: the whole backup")
            t.fill("0")
            t.type("Enter")
            text = t.wait("Exit status will be 0", seconds=60)
            assert re.search(r"✓ ok +drive0", text), text
            afterwards(s, t)
        s.must_be_exact(s.archive)
        s.must_be_untouched()


def damage(path):
    """A byte in the middle becomes another."""
    with open(path, "r+b") as archive:
        archive.seek(pathlib.Path(path).stat().st_size // 2)
        byte = archive.read(1)[0]
        archive.seek(-1, 1)
        archive.write(bytes([byte ^ 1]))


def dropped(version):
    """A drive is cancelled, which asks first and opens on "keep"; the archive is whole without it, and says so.
    Then a byte of it changes, and reading it back tells."""
    with Scenario(version, drives=standard_drives(count=2, size=64 * MIB)) as s:
        with console(s, "--start", "--limit", "2M", "-o", s.archive) as t:
            t.wait(r"▶ run +drive0")
            t.wait(r"▶ run +disk1")
            t.type("G", "k", "c")
            t.wait(r"cancel disk1\?")
            t.wait_and_type("Enter", r"▸▶ run +disk1")
            t.type("c")
            t.wait(r"cancel disk1\?")
            t.wait_and_type("c", r"⊘ canc\. disk1")
            t.type("r")  # and had again, at an instant of its own
            t.wait("instants differ(?s:.*)▸▶ run +disk1")
            t.wait_and_type("c", r"cancel disk1\?|canc\. disk1")
            t.wait_and_type("c", r"⊘ canc\. disk1")
            t.type("g", "j", "S")
            t.fill("0")
            t.type("Enter")
            text = t.wait("Exit status will be 3", seconds=60)
            assert re.search(r"not saved disk1", text), text
            assert s.run("verify", s.archive).wait(60) == 3  # disk1 is missing
            damage(s.archive)
            t.type("V")
            t.wait("archive DAMAGED(?s:.*)checks +DAMAGED")
            t.type("q")
            t.wait("status=8")
        s.must_be_untouched()


def tidied(version):
    """What a killed run left is offered to be cleaned up, by a question that opens on "leave it"; then the plan is made."""
    with Scenario(version, drives=standard_drives(count=2, size=16 * MIB)) as s:
        run = s.backup("--no-vmstate", "--limit", "1M")
        s.wait_copying(run)
        run.kill()
        with console(s, "--no-vmstate", "-o", s.archive) as t:
            t.wait("has left things in QEMU")
            t.wait_and_type("Enter", r"left over .*8 nodes")  # a job may have ended with its connection
            t.type("c")
            t.wait("has left things in QEMU")
            t.wait_and_type("c", "B begins the backup")
            s.before.must_equal(QemuState(s.vm.qmp))
            t.type("B")
            t.wait("Exit status will be 0", seconds=60)
            t.type("q")
            t.wait("status=0")
        s.must_be_exact(s.archive)
        s.must_be_untouched()


def another_monitor(version):
    """Where nobody listens, the sockets nearby that answer are offered, and nothing but those."""
    with Scenario(version) as s:
        with console(s, monitor=s.path("nobody.qmp")) as t:
            text = t.wait("These monitors answer")
            assert "▸ " + s.vm.monitor in text and "guest.test" not in text, text
            t.type("Enter")
            t.wait("new backup of guest")
            t.type("q")
            t.wait("nothing was saved")
        s.must_be_untouched()


if __name__ == "__main__":
    main(steered, dropped, tidied, another_monitor)
