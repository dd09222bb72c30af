#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that docs/restore.md prints for those who have nothing else: it unpacks what ours makes."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import packing  # noqa: E402
from archives import PROGRAM, main, make_vma  # noqa: E402

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


def command_with(text):
    """The line of the page that contains it, without its comment."""
    line, = (line for line in PAGE.read_text().splitlines() if line.startswith("    ") and text in line)
    return line.split("  #")[0].strip()


def test_machine(folder):
    """What vmabackup wrote down can be read without it."""
    (folder / "a").write_bytes(bytes(65536))
    (folder / "about").write_text('{"program":"vmabackup","machine":"pc-q35-7.2-machine"}')
    make_vma(folder / "guest.vma", f"a={folder}/a", "--config", f"vmabackup.json={folder}/about")
    said = subprocess.run(["sh", "-c", command_with("strings")], cwd=folder, capture_output=True, check=True).stdout
    assert b'"machine":"pc-q35-7.2-machine"' in said, said


def test_one_file(folder):
    """A drive that is served, as a file of its own: the page's commands, at other places."""
    image = random.Random(4).randbytes(1 << 20)
    (folder / "scsi0").write_bytes(image)
    make_vma(folder / "guest.vma", f"scsi0={folder}/scsi0")
    server = subprocess.Popen([PROGRAM, "serve", "-s", folder / "s", folder / "guest.vma"], stdout=subprocess.PIPE)
    (folder / "mnt").mkdir()
    try:
        assert server.stdout.readline()
        for text, result in (("qemu-img convert", "scsi0.qcow2"), ("nbdfuse", "mnt/nbd")):
            command = command_with(text).replace("/run/guest.sock", f"{folder}/s").replace("/mnt/scsi0", f"{folder}/mnt")
            if not shutil.which(text.split()[0]) or (text == "nbdfuse" and not os.access("/dev/fuse", os.W_OK)):
                print(f"   {text} cannot be run here")
                continue
            done = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=folder)
            wait_for(lambda: (folder / result).exists(), done)
            if text == "nbdfuse":
                assert (folder / result).read_bytes() == image
                subprocess.run(["umount", folder / "mnt"], check=True)
            assert done.wait(60) == 0
        subprocess.run(["qemu-img", "compare", "-q", folder / "scsi0.qcow2", folder / "scsi0"], check=True)
    finally:
        server.terminate()
        server.wait()


def wait_for(condition, process):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline and process.poll() in (None, 0), process.args
        time.sleep(0.01)


if __name__ == "__main__":
    main([test_program_of_the_page, test_machine, test_one_file], "vmb-page-")
