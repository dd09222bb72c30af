#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that docs/restore.md prints for those who have nothing else: it unpacks what ours makes."""
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import packing  # noqa: E402
from archives import main, make_vma  # noqa: E402

PAGE = pathlib.Path(__file__).parents[2] / "docs/restore.md"


def test_program_of_the_page(folder):
    rng = random.Random(8)
    image = bytearray(70 * 65536 + 1536)
    for at in range(0, len(image), 12288):
        image[at:at + 100] = rng.randbytes(min(100, len(image) - at))
    (folder / "a").write_bytes(image)
    (folder / "ram").write_bytes(rng.randbytes(100001))
    make_vma(folder / "x.vma", f"a={folder}/a", "--vmstate", folder / "ram", "--shuffle", 9)
    (folder / "x.zst").write_bytes(packing.pack((folder / "x.vma").read_bytes(), dead=(1,))[0])
    program = PAGE.read_text().split("```python\n")[1].split("```")[0]
    plain = subprocess.run(["zstd", "-dc", folder / "x.zst"], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run([sys.executable, "-c", program], input=plain, cwd=folder, check=True)
    assert (folder / "a.raw").read_bytes() == image
    ram = (folder / "vmstate.raw").read_bytes()
    assert ram.rstrip(b"\0") == (folder / "ram").read_bytes().rstrip(b"\0") and len(ram) % 65536 == 0


if __name__ == "__main__":
    main([test_program_of_the_page], "vmb-page-")
