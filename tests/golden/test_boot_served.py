#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU gets from `boot`, told by a program in its place: overlays that read as the drives, the RAM, its end."""
import os
import pathlib
import random
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from archives import PROGRAM, SKIP, main, make_vma, run  # noqa: E402

FAKE = """#!/bin/sh
for word; do case $word in file=*) file=${word#file=}; overlay=${file%%,*};; fd:3) cat <&3 > ram.out;; esac; done
qemu-img convert -O raw "$overlay" a.out && qemu-io -c 'write -P 7 0 4096' "$overlay" > /dev/null && exit 7
"""


def test_boot(folder):
    rng = random.Random(6)
    image = bytearray(9 << 20)
    image[1 << 20:3 << 20] = rng.randbytes(2 << 20)
    (folder / "a").write_bytes(image)
    (folder / "ram").write_bytes(rng.randbytes(3000001))
    make_vma(folder / "x.vma", f"a={folder}/a", "--vmstate", folder / "ram")
    before = (folder / "x.vma").read_bytes()
    (folder / "bin").mkdir()
    (folder / "bin/qemu-system-x86_64").write_text(FAKE)
    (folder / "bin/qemu-system-x86_64").chmod(0o755)
    env = dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}", TMPDIR=str(folder))
    done = subprocess.run([PROGRAM, "boot", "--ram", folder / "x.vma", "--", "-m", "64"], env=env, cwd=folder,
                          capture_output=True, text=True, timeout=60)
    program = f"{folder}/bin/qemu-system-x86_64"
    assert done.returncode == 7 and done.stderr.startswith(f"vmabackup: starting {program} -drive "), done
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(" -m 64\n"), done
    assert (folder / "ram.out").read_bytes() == (folder / "ram").read_bytes()
    assert (folder / "a.out").read_bytes() == image
    assert (folder / "x.vma").read_bytes() == before
    assert not list(folder.glob("vmabackup-boot-*")), "something is left"


def test_refused(folder):
    (folder / "a").write_bytes(bytes(1 << 20))
    make_vma(folder / "x.vma", f"a={folder}/a")
    assert b"holds no RAM state" in run("boot", "--ram", folder / "x.vma", status=1)[1]


if __name__ == "__main__":
    if not shutil.which("qemu-img") or not shutil.which("qemu-io"):
        print("skipped: qemu-img and qemu-io are needed")
        sys.exit(SKIP)
    main([test_boot, test_refused], "vmb-boot-")
