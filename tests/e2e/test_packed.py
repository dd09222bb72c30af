#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FILE.vma.zst: drives and RAM compressed while they come, read back by zstd and by our own tools."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Scenario, main, product, standard_drives


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


if __name__ == "__main__":
    main(whole, into_pipes)
