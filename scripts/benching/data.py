# SPDX-License-Identifier: GPL-2.0-or-later
"""What the drives hold."""
import os
import pathlib
import shutil
import subprocess

MIB, BLOCK = 1 << 20, 4096
SOME_TREE = "/usr/lib"


def _interleaved():
    piece = bytearray(os.urandom(MIB))
    for at in range(0, MIB, 2 * BLOCK):
        piece[at:at + BLOCK] = bytes(BLOCK)
    return piece


# One MiB of it, given its number.
_PIECES = {
    "random": lambda _: os.urandom(MIB),
    "half": lambda number: os.urandom(MIB) if number % 2 else bytes(MIB),
    "4k": lambda _: _interleaved(),
}
KINDS = (*_PIECES, "fs")
TITLES = {"random": "random", "half": "half zero", "4k": "every second 4 KiB zero", "fs": "a file system (ext4)"}


def is_there(kind):
    return kind != "fs" or bool(shutil.which("mke2fs"))


def _copy_tree(folder, room):
    """Files of this machine, as many as fit into `room` bytes."""
    for path in sorted(pathlib.Path(SOME_TREE).rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        room -= path.stat().st_size + BLOCK
        if room < 0:
            return
        to = folder / path.relative_to("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def _make_file_system(path, size):
    """Two thirds full."""
    tree = pathlib.Path(f"{path}.tree")
    tree.mkdir()
    _copy_tree(tree, size * 2 // 3)
    with open(path, "wb") as image:
        image.truncate(size)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, path], check=True)
    shutil.rmtree(tree)


def make_image(path, kind, size, boot=b""):
    """boot: the code of a guest that boots from it."""
    if kind == "fs":
        _make_file_system(path, size)
    else:
        with open(path, "wb") as image:
            for number in range(size // MIB):
                image.write(_PIECES[kind](number))
    with open(path, "r+b") as image:
        image.write(boot)


def warm(folder, size):
    """Memory that a virtual machine has never used is slow once: so it is used before anything is timed."""
    path = f"{folder}/warm"
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(bytes(MIB))
    os.unlink(path)
