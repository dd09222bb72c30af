#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Restoring into files and NBD servers: equal, sparse, and refused where it would do harm."""
import contextlib
import json
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import packing  # noqa: E402
from archives import SKIP, main, make_vma, run  # noqa: E402

SIZE = 9 * (1 << 20) + 1536


def make_archive(folder):
    rng = random.Random(3)
    image = bytearray(SIZE)
    for at in range(0, 3 << 20, 8192):  # every second block
        image[at:at + 4096] = rng.randbytes(4096)
    image[5 << 20:6 << 20] = rng.randbytes(1 << 20)
    image[-700:] = rng.randbytes(700)
    (folder / "a").write_bytes(image)
    (folder / "zeros").write_bytes(bytes(1 << 20))
    (folder / "ram").write_bytes(rng.randbytes(200001))
    make_vma(folder / "x.vma", f"a={folder}/a", f"zeros={folder}/zeros", "--vmstate", folder / "ram")
    return folder / "x.vma", bytes(image)


@contextlib.contextmanager
def nbd_server(folder, *command):
    """An NBD server that listens at folder/nbd: its URI."""
    path = folder / "nbd"
    process = subprocess.Popen([str(part).replace("SOCKET", str(path)) for part in command])
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert process.poll() is None and time.monotonic() < deadline, f"{command[0]} does not listen"
            time.sleep(0.01)
        yield f"nbd+unix:///?socket={path}"
    finally:
        process.terminate()
        process.wait()
        path.unlink(missing_ok=True)


def test_new_file(folder):
    archive, image = make_archive(folder)
    packed = folder / "x.vma.zst"
    packed.write_bytes(packing.pack(archive.read_bytes())[0])
    for source in (archive, packed):
        said = json.loads(run("restore", "--json", source, f"a={folder}/a.raw", f"vmstate={folder}/ram.bin")[0])
        assert [device["is_restored"] for device in said["devices"]] == [True, True]
        assert (folder / "a.raw").read_bytes() == image
        assert (folder / "ram.bin").read_bytes() == (folder / "ram").read_bytes()
        assert (folder / "a.raw").stat().st_blocks * 512 < 4 << 20, "it is not sparse"
        (folder / "a.raw").unlink()
        (folder / "ram.bin").unlink()


def test_over_a_file(folder):
    """What was there before shines through nowhere, and behind the drive's end it stays."""
    archive, image = make_archive(folder)
    target = folder / "old"
    target.write_bytes(b"\xff" * (SIZE + 4096))
    assert b"--force" in run("restore", archive, f"a={target}", status=6)[1]
    run("restore", "--force", archive, f"a={target}")
    assert target.read_bytes() == image + b"\xff" * 4096
    assert target.stat().st_blocks * 512 < SIZE, "it is not sparse"


def test_refused(folder):
    archive, _ = make_archive(folder)
    (folder / "small").write_bytes(bytes(SIZE - 512))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "q.qcow2", "100M"], check=True)
    for target, text in (("small", b"too small"), ("q.qcow2", b"no raw image"), (".", b""), ("no/dir/x", b"No such")):
        assert text in run("restore", "--force", archive, f"a={folder}/{target}", status=6)[1]
    for arguments, text in ((["a"], b"NAME=TARGET"), (["a=x", "a=y"], b"only once"), (["a=x", "zeros=x"], b"only once"),
                            ([], b"missing")):
        assert text in run("restore", archive, *arguments, status=2)[1]
    assert b"holds no drive b" in run("restore", archive, f"b={folder}/b", status=1)[1]
    assert b"cannot connect" in run("restore", archive, f"a=nbd+unix:///?socket={folder}/nobody", status=6)[1]
    assert not (folder / "b").exists()


def test_in_use(folder):
    """What a QEMU program has open for writing is locked as a guest's image is."""
    archive, image = make_archive(folder)
    target = folder / "disk"
    target.write_bytes(bytes(SIZE + 512))
    with nbd_server(folder, "qemu-nbd", "-t", "-f", "raw", "-k", "SOCKET", target):
        assert b"running guest" in run("restore", "--force", archive, f"a={target}", status=6)[1]
    run("restore", "--force", archive, f"a={target}")
    assert target.read_bytes()[:SIZE] == image


def test_nbd(folder):
    """A server with several connections, and qemu-nbd over qcow2; what was there before is overwritten."""
    archive, image = make_archive(folder)
    (folder / "disk").write_bytes(b"\xff" * (SIZE + 512))
    with nbd_server(folder, "nbdkit", "-f", "-U", "SOCKET", "file", folder / "disk") as uri:
        run("restore", archive, f"a={uri}")
    assert (folder / "disk").read_bytes()[:SIZE] == image
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "q", str(SIZE)], check=True)
    with nbd_server(folder, "qemu-nbd", "-t", "-f", "qcow2", "-k", "SOCKET", folder / "q") as uri:
        run("restore", archive, f"a={uri}")
    subprocess.run(["qemu-img", "compare", "-q", folder / "a", folder / "q"], check=True)
    subprocess.run(["qemu-img", "check", "-q", folder / "q"], check=True)


def test_nbd_refused(folder):
    archive, _ = make_archive(folder)
    with nbd_server(folder, "nbdkit", "-f", "-U", "SOCKET", "memory", "1M") as uri:
        assert b"too small" in run("restore", archive, f"a={uri}", status=6)[1]
    with nbd_server(folder, "nbdkit", "-f", "-r", "-U", "SOCKET", "memory", "100M") as uri:
        assert b"read-only" in run("restore", archive, f"a={uri}", status=6)[1]
    with nbd_server(folder, "nbdkit", "-f", "-U", "SOCKET", "--filter=error", "memory", "100M",
                    "error-pwrite=ENOSPC", "error-pwrite-rate=1") as uri:
        assert b"No space left" in run("restore", archive, f"a={uri}", status=6)[1]


@contextlib.contextmanager
def block_device(path):
    """A real one over a file, None where there can be none."""
    made = subprocess.run(["losetup", "-f", "--show", path], capture_output=True, text=True)
    name = made.stdout.strip() if not made.returncode else None
    try:
        yield name
    finally:
        if name:
            subprocess.run(["losetup", "-d", name], check=True)


def test_block_device(folder):
    """Zeros, too, over what it held before; behind the drive's end it stays. In use, or too small: refused."""
    archive, image = make_archive(folder)
    disk = folder / "disk"
    disk.write_bytes(b"\xff" * (12 << 20))
    with block_device(disk) as name:
        if not name:
            print("   no block device can be made here")
            return
        run("restore", archive, f"a={name}")
        assert pathlib.Path(name).read_bytes() == image + b"\xff" * ((12 << 20) - SIZE)
        held = os.open(name, os.O_RDONLY | os.O_EXCL)  # as a file system that is mounted holds it
        assert b"busy" in run("restore", archive, f"a={name}", status=6)[1]
        os.close(held)
    disk.write_bytes(bytes(9 << 20))
    with block_device(disk) as name:
        assert b"too small" in run("restore", archive, f"a={name}", status=6)[1]


OWN = ["/no/such/place/qemu-system-x86_64", "-machine", "pc", "-m", "512", "-nodefaults", "-daemonize",
       "-chardev", "socket,id=mon,path=/run/web.qmp,server=on", "-mon", "chardev=mon,mode=control",
       "-qmp", "unix:/run/second.qmp,server=on", "-serial", "file:/var/log/web", "-pidfile", "/run/web.pid",
       "-netdev", "tap,id=n0,ifname=tap0", "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01",
       "-drive", "file=/images/a,,b.qcow2,format=qcow2,if=none,id=d0,cache=none", "-device", "virtio-blk-pci,drive=d0",
       "-blockdev", "driver=file,node-name=zfile,filename=/images/zeros",
       "-blockdev", '{"driver":"qcow2","node-name":"znode","file":"zfile"}', "-device", "scsi-hd,drive=znode",
       "-drive", "file=/images/other,if=none,id=other", "-drive", "file=/iso/cd.iso,media=cdrom,if=none,id=cd",
       "-blockdev", '{"driver":"raw","node-name":"more","file":{"driver":"file","filename":"/images/more"}}',
       "--incoming", "tcp:0:4444", "-S"]


def test_how_to_start(folder):
    """The guest's own command line, with its drives exchanged and cut off from what the original uses."""
    _, image = make_archive(folder)
    (folder / "about").write_text(json.dumps({"machine": "pc-i440fx-7.2-machine", "command_line": OWN, "drives": [
        {"name": "a", "id": "d0", "node": "#block001"}, {"name": "zeros", "id": "", "node": "znode"}]}))
    make_vma(folder / "own.vma", f"a={folder}/a", f"zeros={folder}/zeros", "--vmstate", folder / "ram", "--config",
             f"vmabackup.json={folder}/about")
    said = json.loads(run("restore", "--json", folder / "own.vma", f"a={folder}/a,1", f"zeros={folder}/z",
                          f"vmstate={folder}/ram.bin")[0])
    words = shlex.split(said["start"])
    assert words[:6] == ["qemu-system-x86_64", "-machine", "pc-i440fx-7.2", "-m", "512", "-nodefaults"], words
    assert f"file={folder}/a,,1,format=raw,if=none,id=d0" in words
    assert f"raw,node-name=znode,file.driver=file,file.filename={folder}/z" in words, words
    assert "if=none,id=other,driver=null-co,read-zeroes=on" in words
    assert "media=cdrom,if=none,id=cd" in words
    assert "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01" in words
    assert words[words.index("-netdev") + 1] == "hubport,hubid=1,id=n0"
    assert words[words.index("-chardev") + 1] == "null,id=mon" and words[words.index("-serial") + 1] == "null"
    assert words[-4:] == ["-display", "none", "-incoming", f"exec:cat '{folder}/ram.bin'"]
    for gone in ("-S", "-daemonize", "-mon", "-qmp", "-pidfile", "--incoming"):
        assert gone not in words, gone
    for gone in ("/images/", "zfile", "/run/", "/var/log", "/iso", "tap", "more"):
        assert not any(gone in word for word in words if str(folder) not in word), gone
    assert "-qmp" in said["start_lacks"] and "not in the archive, so empty: other" in said["start_lacks"]
    assert b"command  " in run("list", folder / "own.vma")[0]


def test_how_to_start_unknown(folder):
    archive, _ = make_archive(folder)
    said = run("restore", archive, f"a={folder}/new")[0].decode()
    assert said.splitlines()[-1].split() == ["qemu-system-x86_64", "-drive", f"file={folder}/new,format=raw,if=virtio,id=a",
                                             "-nic", "none", "-display", "none"], said


def test_damaged(folder):
    """Said at once; nothing new is left behind."""
    archive, _ = make_archive(folder)
    data = bytearray(archive.read_bytes())
    data[40000] ^= 1
    archive.write_bytes(data)
    line = run("restore", archive, f"a={folder}/a.raw", status=8)[1]
    assert b"does not match its digest" in line and b"not restored" not in line, line
    assert not (folder / "a.raw").exists() and not (folder / "a.raw.partial").exists()
    (folder / "old").write_bytes(bytes(SIZE))
    assert b"not restored, the targets hold parts of it" in run("restore", "--force", archive, f"a={folder}/old", status=8)[1]


if __name__ == "__main__":
    if not all(shutil.which(program) for program in ("nbdkit", "qemu-nbd", "qemu-img")):
        print("skipped: nbdkit, qemu-nbd and qemu-img are needed")
        sys.exit(SKIP)
    main([test_new_file, test_over_a_file, test_refused, test_in_use, test_nbd, test_nbd_refused, test_block_device,
          test_how_to_start, test_how_to_start_unknown, test_damaged],
         "vmb-restore-")
