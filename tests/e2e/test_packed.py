#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FILE.vma.zst: drives and RAM compressed while they come, read back by zstd and by our own tools."""
import json
import os
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]
import proxmox_rules
from vmtest import LAP, Drive, Scenario, check_images, main, product, standard_drives
from vmtest.restore import unpack


def whole(version):
    """The restored guest goes on where it stood; zstd accepts every frame; the program reads its own archive."""
    product()
    with Scenario(version, rounds=40) as s:
        archive = s.path("a.vma.zst")
        run = s.backup("--level", "5", "--threads", "2", "--verify", output=archive)
        images, vmstate = s.must_be_saved(run, archive=archive)
        assert vmstate and len(images) == 4, sorted(images)
        subprocess.run(["zstd", "-tq", archive], check=True)
        plain = len(subprocess.run(["zstd", "-dcq", archive], stdout=subprocess.PIPE, check=True).stdout)
        packed = os.path.getsize(archive)
        assert packed < plain, f"{plain} bytes did not shrink: {packed}"
        report = subprocess.run([product(), "list", "--json", archive], stdout=subprocess.PIPE, check=True).stdout
        assert json.loads(report)["compression"] == "zstd", report
        s.must_be_untouched(rounds=LAP)


def by_cpu(version):
    """Where one thread has to work hard, the run says that the processor holds it up, not the target."""
    text = Drive("disk1", size=96 << 20, style="blockdev", is_idle=True, is_text=True)
    with Scenario(version, drives=[Drive("drive0", size=4 << 20), text]) as s:
        run = s.backup("--level", "17", "--threads", "1", "--no-vmstate", output="|cat > /dev/null")
        run.wait_event(ev="progress", bottleneck="cpu")
        run.say("cancel-all guest")
        s.must_have_failed(run, 4)
        assert not any(e["ev"] == "progress" and e["bottleneck"] == "sink" for e in list(run.events)), run.events
        s.must_be_untouched()


def into_pipes(version):
    """Without a level a pipe gets the plain archive, with one the compressed; by its name a file needs none."""
    product()
    with Scenario(version, drives=standard_drives(count=2)) as s:
        for options, magic in ((), b"VMA\0"), (("--level", "1"), b"\x28\xb5\x2f\xfd"):
            archive = s.path(f"{len(options)}.vma")
            run = s.backup("--no-vmstate", *options, output=f"|cat > {archive}")
            s.must_be_saved(run, archive=archive)
            with open(archive, "rb") as file:
                assert file.read(4) == magic
        for options, target in ((("--level", "3"), "x.vma"), (("--level", "0"), "x.vma.zst"), ((), "x.vma.gz"),
                                (("--level", "20"), "x.vma.zst"), (("--threads", "0"), "x.vma.zst")):
            refused = subprocess.run([product(), "backup", *options, "-o", s.path(target), "/nowhere"],
                                     stderr=subprocess.PIPE)
            assert refused.returncode == 2, (target, refused)
            assert not os.path.exists(s.path(target + ".partial"))
        s.must_be_untouched()


def for_proxmox(version):
    """In a folder the archive gets the name, the device names and the lines that qmrestore asks for."""
    own = "cores: 2\nvirtio1: local:mine,size=16M\n"
    with Scenario(version, drives=standard_drives(count=3)) as s:
        pathlib.Path(s.path("own.conf")).write_text(own)
        for number, options in enumerate(((), ("--config", f"qemu-server.conf={s.path('own.conf')}"))):
            folder = s.folder / f"dump{number}"
            folder.mkdir()
            s.backup("--proxmox", "117", *options, "--drive", "drive0", "--drive", "disk1", "--drive", "disk2",
                     output=folder).must_succeed()
            archive, = folder.glob("*.zst")
            proxmox_rules.check_name(archive, 117)
            images, vmstate = unpack(archive, s.path(f"unpacked{number}"))
            config = subprocess.run([product(), "config", archive, "qemu-server.conf"], stdout=subprocess.PIPE, check=True).stdout
            keys = proxmox_rules.check([*images, "vmstate"], config)
            assert keys.keys() == {"virtio0", "virtio1", "scsi0"} and vmstate, keys
            assert (own.encode() in config) == bool(options) and (b"memory: 32" in config) != bool(options), config
            check_images(s.drives, dict(zip(("drive0", "disk1", "disk2"), (images[f"drive-{key}"] for key in
                                                                          ("virtio0", "virtio1", "scsi0")))))
        s.must_be_untouched()


if __name__ == "__main__":
    main(whole, into_pipes, slow=(by_cpu, for_proxmox))
