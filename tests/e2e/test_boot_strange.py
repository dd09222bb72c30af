#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with networks, folders, memory files, secrets and nameless disks: a copy of them opens none of it, and runs."""
import json
import os
import pathlib
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_boot import Booted
from vmtest import Scenario, main, standard_drives

SECRETS = ["json-SECRET1", "comma,SECRET2", "U0VDUkVUMw==", "SECRET4", "SECRET5"]
SECRET_OPTIONS = ["-object", json.dumps({"qom-type": "secret", "id": "s1", "data": SECRETS[0]}),
                  "-object", "secret,id=s2,data=comma,,SECRET2",
                  "-object", json.dumps({"qom-type": "secret", "id": "s3", "data": SECRETS[2], "format": "base64"}),
                  "-fw_cfg", "name=opt/pw,string=SECRET4", "-smbios", "type=11,value=io.systemd.credential:root=SECRET5"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def image(path):
    path.write_bytes(os.urandom(1 << 20) * 2)
    return path


def below(pid):
    """A process and its children: QEMU may be started by a script."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [p for child in children for p in below(int(child))]


def open_files(booted):
    links = set()
    for pid in below(booted.process.pid):
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                links.add(os.readlink(fd))
            except FileNotFoundError:
                pass
    return links


def must_open_nothing_in(booted, folder):
    there = open_files(booted)
    assert any("vmabackup-boot-" in name for name in there), there
    assert not [name for name in there if name.startswith(f"{folder}/")], there


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except ConnectionRefusedError:
        return False


def opens_nothing(version):
    """Forwarded ports, a folder of the host and secrets stay with the guest; disks without a name are found again."""
    with tempfile.TemporaryDirectory(prefix="vmt-") as name:
        folder, port = pathlib.Path(name), free_port()
        extra = ["-nic", f"user,hostfwd=tcp:127.0.0.1:{port}-:22", "-hdb", str(image(folder / "hdb.raw")), "-virtfs",
                 f"local,path={folder},mount_tag=m,security_model=none", *SECRET_OPTIONS]
        with Scenario(version, drives=standard_drives(count=2), extra=extra) as s:
            s.backup("--no-vmstate").must_succeed()
            archive = pathlib.Path(s.archive).read_bytes()
            for secret in SECRETS:
                assert secret.encode() not in archive, f"{secret} is in the archive"
            s.vm.stop()
            assert not listens(port)
            booted = Booted(s, "copy", s.archive)
            booted.wait_rounds(4)
            said = booted.said.read_text()
            assert "-virtfs" in said and "id=ide0-hd1" in said and "index=1,media=disk,driver=null-co" not in said, said
            must_open_nothing_in(booted, folder)
            assert not listens(port)
            booted.end()


def goes_on(version):
    """With the RAM: every front end is there, its back end is not. The guest that was saved runs beside it all the time."""
    with tempfile.TemporaryDirectory(prefix="vmt-") as name:
        folder = pathlib.Path(name)
        extra = ["-object", f"memory-backend-file,id=ram0,size=32M,mem-path={folder}/ram,share=on", "-machine",
                 "memory-backend=ram0", "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0", "-device",
                 "virtio-serial-pci", "-chardev", f"socket,id=ga,path={folder}/agent,server=on,wait=off", "-device",
                 "virtserialport,chardev=ga,name=org.qemu.guest_agent.0", "-audiodev", "none,id=a0", "-device",
                 "AC97,audiodev=a0", "-object", "rng-random,id=r0", "-device", "virtio-rng-pci,rng=r0", "-drive",
                 f"file={image(folder / 'idle.raw')},format=raw,index=1"]
        with Scenario(version, drives=standard_drives(count=2), extra=extra) as s:
            s.backup().must_succeed()
            booted = Booted(s, "copy", "--ram", s.archive)
            booted.wait_rounds(20)
            must_open_nothing_in(booted, folder)
            booted.end()
            s.must_be_untouched()


if __name__ == "__main__":
    main(opens_nothing, goes_on, both=(opens_nothing, goes_on))
