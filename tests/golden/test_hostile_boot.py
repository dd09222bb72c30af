#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Archives of strangers under `boot`: nothing of the host is run, opened or connected by what their descriptions say.

A program in QEMU's place writes down what it is given. Everything that must not come through is called EVIL.
"""
import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from archives import PROGRAM, SKIP, main, make_vma, run  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parents[2]
DRIVES = [{"name": "a", "id": "d0", "node": "n0", "device": "/machine/peripheral/vda/virtio-backend"}]
DISK = ["-drive", "file=/EVIL.img,if=none,id=d0", "-device", "virtio-blk-pci,drive=d0"]

# Command lines without their program: none of it may reach QEMU. {f}: a folder in which EVIL lies.
LINES = {
    "hook": ["-netdev", "tap,id=n0,script={f}/EVIL,downscript={f}/EVIL"],
    "forward": ["-nic", "user,hostfwd=tcp:127.0.0.1:22022-:22,guestfwd=tcp:10.0.2.9:1-cmd:EVIL", "-net", "user,smb=/EVIL"],
    "bridge": ["-nic", "bridge,br=EVIL", "-netdev", "bridge,id=b,helper={f}/EVIL", "-device", "e1000,netdev=b"],
    "listen": ["-netdev", "socket,id=s,listen=:4444,fd=EVIL", "-netdev", '{{"type":"stream","id":"t","server":true,"addr":'
               '{{"type":"unix","path":"/EVIL"}}}}'],
    "dump": ["-nic", "user,id=u", "-object", "filter-dump,id=f,netdev=u,file={f}/EVIL"],
    "folder": ["-virtfs", "local,path=/EVIL,mount_tag=m,security_model=none", "-fsdev", "local,id=fs,path=/EVIL",
               "-device", "virtio-9p-pci,fsdev=fs,mount_tag=EVIL", "-virtfs_synth"],
    "mtp": ["-device", "usb-mtp,rootdir=/EVIL,readonly=off"],
    "memory file": ["-object", "memory-backend-file,id=mem,size=64M,mem-path={f}/EVIL,share=on", "-machine",
                    "memory-backend=mem"],
    "memory path": ["-mem-path", "/EVIL", "-mem-prealloc"],
    "shared memory": ["-object", '{{"qom-type":"memory-backend-shm","id":"m","size":1048576,"shm":"EVIL"}}', "-device",
                      "ivshmem-plain,memdev=m,x=EVIL"],
    "nvdimm": ["-machine", "pc,nvdimm=on", "-object", "memory-backend-file,id=nv,size=16M,mem-path=/EVIL,readonly=on",
               "-device", "nvdimm,memdev=nv,id=nvd"],
    "vfio": ["-device", "vfio-pci,host=EVIL", "-device", "vfio-pci,sysfsdev=/EVIL"],
    "host usb": ["-device", "usb-host,hostbus=1,hostaddr=2,id=EVIL", "-usbdevice", "host:EVIL", "-usbdevice", "braille"],
    "host input": ["-object", "input-linux,id=k,evdev=/dev/EVIL", "-device", "virtio-input-host-pci,evdev=/dev/EVIL"],
    "host scsi": ["-blockdev", "host_device,node-name=h,filename=/dev/EVIL", "-device", "scsi-generic,drive=h,x=EVIL"],
    "host tpm": ["-tpmdev", "passthrough,id=tpm,path=/dev/EVIL", "-device", "tpm-tis,tpmdev=tpm,x=EVIL"],
    "host gpu": ["-device", "virtio-vga-gl,x=EVIL", "-display", "egl-headless,rendernode=/dev/EVIL"],
    "vhost": ["-chardev", "socket,id=vc,path=/EVIL", "-device", "vhost-user-fs-pci,chardev=vc,tag=EVIL", "-device",
              "vhost-vsock-pci,guest-cid=3,vhostfd=EVIL"],
    "sockets": ["-chardev", "socket,id=c,path={f}/EVIL,server=on,wait=off", "-mon", "chardev=c,mode=control", "-qmp",
                "unix:{f}/EVIL,server", "-monitor", "unix:{f}/EVIL,server", "-gdb", "tcp::EVIL", "-qmp-pretty", "stdio"],
    "console files": ["-serial", "file:{f}/EVIL", "-parallel", "file:{f}/EVIL", "-debugcon", "file:{f}/EVIL", "-chardev",
                      "file,id=x,path={f}/EVIL", "-chardev", "pipe,id=p,path={f}/EVIL", "-serial", "pty", "-serial",
                      "tcp:EVIL:1", "-serial", "chardev:x,/EVIL"],
    "screens": ["-vnc", "0.0.0.0:1,password=EVIL", "-spice", "port=5900,password=EVIL,disable-ticketing=on", "-display",
                "vnc=:7,to=EVIL", "-k", "/EVIL"],
    "plugin": ["-plugin", "{f}/EVIL.so,arg=1", "-readconfig", "{f}/EVIL", "-writeconfig", "{f}/EVIL"],
    "written": ["-D", "{f}/EVIL", "-d", "EVIL", "-trace", "events=/EVIL,file={f}/EVIL", "-pidfile", "{f}/EVIL",
                "-dump-vmstate", "{f}/EVIL", "-perfmap"],
    "machine files": ["-machine", "pc,dumpdtb={f}/EVIL,kernel=/EVIL,initrd=EVIL,firmware=EVIL,append=EVIL,dtb=EVIL"],
    "kernel": ["-kernel", "/EVIL", "-initrd", "/EVIL", "-append", "EVIL", "-dtb", "/EVIL", "-shim", "/EVIL"],
    "firmware": ["-bios", "/etc/EVIL", "-L", "{f}/EVIL", "-option-rom", "/EVIL", "-acpitable", "file=/EVIL", "-fw_cfg",
                 "name=opt/EVIL,file=/EVIL", "-boot", "splash=/EVIL,menu=on", "-smbios", "file=/EVIL"],
    "firmware beside": ["-bios", "/usr/share/qemu/../../../EVIL"],
    "firmware here": ["-bios", "EVIL.bin"],
    "flash": ["-drive", "if=pflash,unit=0,file=/EVIL,readonly=on", "-pflash", "/EVIL", "-machine", "pc,pflash0=fw",
              "-blockdev", "raw,node-name=fw,file.driver=file,file.filename=/EVIL"],
    "rom": ["-device", "e1000,romfile={f}/EVIL", "-device", "virtio-net-pci,romfile=EVIL.rom", "-global",
            "e1000.romfile=EVIL", "-global", "driver=VGA,property=romfile,value=EVIL"],
    "loader": ["-device", "loader,file=/EVIL,addr=0", "-device", "guest-loader,kernel=EVIL,addr=0"],
    "disks": ["-hdb", "EVIL.img", "-cdrom", "/EVIL", "-fda", "/EVIL", "-mtdblock", "/EVIL",
              "EVIL.img", "-drive", "file=/EVIL,if=virtio,format=raw", "-iscsi", "initiator-name=EVIL"],
    "card": ["-sd", "/EVIL", "-drive", "if=sd,index=1,file=/EVIL"],
    "addresses": ["-drive", "file=nbd://EVIL:1/x,if=virtio", "-drive", "file=ssh://u@EVIL/x,if=virtio", "-drive",
                  'file=json:{{"driver":"file",,"filename":"/EVIL"}},if=virtio', "-drive",
                  "driver=file,filename=/EVIL,if=virtio", "-drive", "file.driver=file,file.filename=/EVIL,if=none,id=q"],
    "nodes": ["-blockdev", '{{"driver":"raw","node-name":"n1","file":{{"driver":"file","filename":"/EVIL"}}}}', "-device",
              "virtio-blk-pci,drive=n1", "-blockdev", "vvfat,node-name=v,dir=/EVIL", "-device", "virtio-blk-pci,drive=v",
              "-blockdev", "nbd,node-name=EVIL,server.type=inet,server.host=EVIL", "-blockdev", '{{"driver":'],
    "drive of ours": ["-drive", "file=/EVIL,if=none,id=d0,snapshot=on,file.driver=ssh,backing.filename=/EVIL,format=EVIL"],
    "node of ours": ["-blockdev", "qcow2,node-name=n0,file=EVIL,backing=EVIL", "-device", "virtio-blk-pci,drive=n0,id=vda"],
    "commas": ["-device", "virtio-net-pci,mac=52:54:00:00:00:01,,romfile=/EVIL", "-netdev", "user,id=n1,,script=/EVIL",
               "-name", "a,,b/EVIL", "-m", "64,mem-path=/EVIL"],
    "secrets": ["-object", "secret,id=s,file=/EVIL", "-object", "secret_keyring,id=k,serial=EVIL", "-object",
                "tls-creds-x509,id=t,dir=/EVIL", "-object", '{{"qom-type":"secret","id":"EVIL","data":"x"}}'],
    "random": ["-object", "rng-random,id=r,filename={f}/EVIL", "-object", "rng-egd,id=e,chardev=EVIL", "-device",
               "virtio-rng-pci,rng=r"],
    "sound": ["-audiodev", "wav,id=w,path={f}/EVIL", "-audiodev", "pa,id=p,server=EVIL", "-device", "AC97,audiodev=w"],
    "rights": ["-runas", "EVIL", "-run-with", "user=EVIL", "-chroot", "/EVIL", "-sandbox", "off,x=EVIL", "-overcommit",
               "mem-lock=on", "-add-fd", "fd=0,set=1,opaque=EVIL", "-daemonize"],
    "incoming": ["-incoming", "exec:{f}/EVIL", "-loadvm", "EVIL", "--incoming", "tcp:0:1", "-S", "-snapshot"],
    "settings": ["-set", "drive.d0.file=/EVIL", "-set", "device.x.romfile=/EVIL", "-compat", "EVIL", "-msg", "EVIL",
                 "-prom-env", "EVIL", "-semihosting-config", "enable=on,chardev=EVIL"],
    "accelerators": ["-accel", "qtest,x=EVIL", "-machine", "pc,accel=qtest:EVIL", "-accel", "kvm,device=/EVIL", "-qtest",
                     "unix:/EVIL", "-xen-domid", "EVIL", "-xen-attach"],
    "unknown": ["-EVIL", "x", "--EVIL=y", "-x-EVIL", "-nonesuch", "/EVIL", "-", "EVIL", "", "--", "EVIL", "- EVIL", "-device"],
    "lines": ["-name", "a\n-EVIL", "-device", "e1000\n,romfile=/EVIL", "-cpu", "qemu64,x=/EVIL", "-serial", "\n/EVIL"],
    "shell": ["-name", "$(EVIL/x)`/EVIL`", "-uuid", ";EVIL", "-vga", "std;EVIL", "-usbdevice", "tablet EVIL", "-rtc",
              "base=$(EVIL)"],
    "dimensions": ["-smp", "cpus=EVIL", "-numa", "node,memdev=m,cpus=EVIL", "-numa", "hmat-lb,x=/EVIL", "-icount",
                   "rr=record,rrfile={f}/EVIL", "-global", "migration.x=/EVIL"],
}

# Whole descriptions, where the shape is what is hostile.
SHAPES = {
    "no list": {"command_line": "EVIL"},
    "empty": {"command_line": []},
    "no texts": {"command_line": [{"EVIL": 1}, ["-hda", "/EVIL"], 7, None, "-hda", {"EVIL": 1}]},
    "deep": {"command_line": ["qemu", "-device", '{"driver":"e1000","a":' + '{"a":' * 20 + '"/EVIL"' + "}" * 21]},
    "long": {"command_line": ["qemu"] + ["-device", "e1000,mac=" + "/EVIL" * 50] * 90},
    "shell as program": {"command_line": ["/bin/sh", "-c", "touch {f}/EVIL.ran", *DISK]},
    "program of a folder": {"command_line": ["{f}/EVIL/qemu-system-x86_64", *DISK]},
    "program that climbs": {"command_line": ["qemu-system-/../EVIL", *DISK]},
    "program of another name": {"command_line": ["EVIL", *DISK]},
    "machine": {"machine": "pc,dumpdtb=/EVIL", "command_line": ["qemu", *DISK]},
    "machine of blanks": {"machine": "pc -hda /EVIL"},
    "version": {"qemu": "7.2;EVIL", "machine": "none\n/EVIL", "command_line": ["qemu", "-M", "pc,/EVIL"]},
    "names": {"drives": [{"name": "a", "id": "d0,file=/EVIL", "node": "/EVIL", "device": "/machine/peripheral/EVIL/x"}],
              "command_line": ["qemu", "-device", "virtio-blk-pci,id=EVIL,drive=EVIL"][:1] + DISK},
    "all at one place": {"drives": [{"name": "a", "id": "d0"}, {"name": "b", "id": "d0"}, {"name": 7}, "EVIL", None],
                         "command_line": ["qemu", *DISK]},
    "without": {"command_line": ["qemu", *DISK], "command_line_without": ["EVIL\033[2J", 7, {"EVIL": 1}]},
}

RECORDER = """#!/bin/sh
[ "$1" = --version ] && exit 1
printf '%s\\n\\n' "$0" "$@" > "${0%/*}/argv"
"""


def lay_traps(folder):
    """A QEMU that writes down its arguments, and programs called EVIL that nobody may run."""
    for place in ("bin/qemu-system-x86_64", "EVIL/qemu-system-x86_64", "bin/EVIL", "EVILs/EVIL"):
        path = folder / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORDER if place == "bin/qemu-system-x86_64" else f"#!/bin/sh\ntouch {folder}/EVIL.ran\n")
        path.chmod(0o755)
    return dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}", TMPDIR=str(folder))


def filled(value, folder):
    """{f} in all texts; {{ is {."""
    if isinstance(value, str):
        return value.replace("{{", "{").replace("}}", "}").replace("{f}", str(folder))
    if isinstance(value, list):
        return [filled(part, folder) for part in value]
    return {key: filled(part, folder) for key, part in value.items()} if isinstance(value, dict) else value


def archive_of(folder, description):
    (folder / "a").write_bytes(bytes(1 << 20))
    (folder / "about").write_text(json.dumps(description))
    make_vma(folder / "x.vma", f"a={folder}/a", "--config", f"vmabackup.json={folder}/about")
    return folder / "x.vma"


def descriptions(folder):
    for name, line in LINES.items():
        yield name, {"machine": "pc-i440fx-7.2-machine", "qemu": "7.2.0", "drives": DRIVES,
                     "command_line": ["/usr/bin/qemu-system-x86_64", *([] if "ours" in name else DISK), *filled(line, folder)]}
    for name, shape in SHAPES.items():
        yield name, {"drives": DRIVES, **filled(shape, folder)}


# What each option may say, in the words of this test: a second opinion on the program's own table.
HARMLESS = {"-netdev": ("hubport,", "user,restrict=on,id="), "-nic": ("hubport,", "user,restrict=on", "none"),
            "-net": ("nic", "none", "restrict=on,type=user"), "-chardev": ("null,id=",),
            "-serial": ("null", "none", "chardev:"), "-parallel": ("null", "none"), "-debugcon": ("null",),
            "-display": ("none",), "-audiodev": ("none,id=",),
            "-object": ("memory-backend-ram,", "rng-builtin,", "iothread,", "cryptodev-backend-builtin,"),
            "-blockdev": ("qcow2,node-name=", "null-co,")}
NEVER = {"-virtfs", "-fsdev", "-fw_cfg", "-plugin", "-readconfig", "-qmp", "-mon", "-monitor", "-gdb", "-vnc", "-spice", "-kernel",
         "-mem-path", "-pidfile", "-D", "-incoming", "-chroot", "-runas", "-run-with", "-set", "-add-fd", "-L", "-trace"}


def must_be_harmless(name, words, folder):
    ours = f"{folder}/vmabackup-boot-"
    for at, word in enumerate(words):
        before, what = words[at - 1] if at else "", f"{name}: {word!r} of {words}"
        assert "EVIL" not in word and word.isprintable() and word not in NEVER, what
        assert "/" not in word or ours in word or word.startswith("/usr/share/"), what
        if before in HARMLESS:
            assert word.startswith(HARMLESS[before]), what
    drives = [word for word in words if ours in word]
    assert len(drives) == 1, f"{name}: its drive is there {len(drives)} times: {words}"


def test_nothing_comes_through(folder):
    env = lay_traps(folder)
    cases = list(descriptions(folder))
    assert len(cases) >= 40
    for name, description in cases:
        archive = archive_of(folder, description)
        done = subprocess.run([PROGRAM, "boot", archive], env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, f"{name}: {done}"
        program, *words = (folder / "bin/argv").read_text().split("\n\n")[:-1]
        (folder / "bin/argv").unlink()
        assert program == f"{folder}/bin/qemu-system-x86_64", f"{name}: {program}"
        must_be_harmless(name, words, folder)
        told = done.stderr.replace(str(folder), "")
        assert "/EVIL" not in told and "\033" not in told, f"{name}: {told}"
        must_be_harmless(name, shlex.split(told.splitlines()[-1].replace("-boot-", f"{folder}/vmabackup-boot-"))[3:], folder)
        assert not (folder / "EVIL.ran").exists(), f"{name}: it has run a program of the archive"
    assert not list(folder.glob("vmabackup-boot-*")), "something is left"


def test_front_ends_stay(folder):
    """What the guest sees is not taken from it."""
    env = lay_traps(folder)
    line = ["qemu-system-x86_64", "-nodefaults", "-m", "size=64M,slots=2,maxmem=1G", "-smp", "2", "-cpu", "qemu64,+x2apic",
            "-object", "memory-backend-file,id=ram,size=64M,mem-path=/EVIL,share=on", "-machine", "pc,memory-backend=ram",
            "-object", '{"qom-type":"iothread","id":"io0"}', "-netdev", "tap,id=n0,fd=9", "-device",
            '{"driver":"virtio-net-pci","netdev":"n0","mac":"52:54:00:00:00:01","mq":true,"bus":"pci.0","addr":"0x3"}',
            "-device", "virtio-serial-pci", "-chardev", "socket,id=ga,path=/EVIL", "-device",
            "virtserialport,chardev=ga,name=org.qemu.guest_agent.0", *DISK, "-device", "AC97", "-global",
            "kvm-pit.lost_tick_policy=discard", "-smbios", "type=1,uuid=00112233-4455-6677-8899-aabbccddeeff,serial=EVIL"]
    archive = archive_of(folder, {"drives": DRIVES, "machine": "pc-i440fx-7.2-machine", "command_line": line})
    subprocess.run([PROGRAM, "boot", archive], env=env, check=True, capture_output=True)
    words = (folder / "bin/argv").read_text().split("\n\n")[1:-1]
    for wanted in ("64M,slots=2,maxmem=1G", "qemu64,+x2apic", "memory-backend-ram,id=ram,size=64M",
                   "pc-i440fx-7.2,memory-backend=ram", "iothread,id=io0", "hubport,hubid=1,id=n0",
                   "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01,mq=on,bus=pci.0,addr=0x3", "null,id=ga",
                   "virtserialport,chardev=ga,name=org.qemu.guest_agent.0", "AC97,audiodev=vmb-silent", "none,id=vmb-silent",
                   "driver=kvm-pit,property=lost_tick_policy,value=discard",
                   "type=1,uuid=00112233-4455-6677-8899-aabbccddeeff"):
        assert wanted in words, f"{wanted} is not in {words}"


def qemu_of(folder, name, version):
    """A QEMU that says what version it is, and writes down its arguments."""
    (folder / name).mkdir()
    path = folder / name / "qemu-system-x86_64"
    path.write_text(RECORDER.replace("exit 1", f"echo 'QEMU emulator version {version}' && exit 0"))
    path.chmod(0o755)
    (folder / name / "qemu-img").symlink_to(shutil.which("qemu-img"))


def test_which_qemu(folder):
    """The first that is not older than the one that was saved; what boots anew in an older one gets a machine of its own."""
    qemu_of(folder, "old", "7.2.5 (Debian)")
    qemu_of(folder, "new", "99.1.0")
    archive = archive_of(folder, {"drives": DRIVES, "qemu": "98.0.2", "machine": "pc-q35-98.0-machine",
                                  "command_line": ["/EVIL/qemu-system-x86_64", "-M", "q35", *DISK]})
    for path, more, wanted in ((["old", "new"], [], "new"), (["new", "old"], [], "new"), (["old"], [], "old"),
                               (["new"], ["--qemu", folder / "old/qemu-system-x86_64"], "old")):
        env = dict(os.environ, TMPDIR=str(folder), PATH=":".join([*(f"{folder}/{part}" for part in path), "/bin"]))
        done = subprocess.run([PROGRAM, "boot", *more, archive], env=env, capture_output=True, text=True, check=True)
        words = (folder / wanted / "argv").read_text().split("\n\n")
        (folder / wanted / "argv").unlink()
        assert words[1:3] == ["-M", "q35" if wanted == "old" else "pc-q35-98.0"], words
        assert ("is older than QEMU 98.0.2" in done.stderr) == (wanted == "old"), done.stderr


def test_firmware(folder):
    """Taken from this host where packages put it, and told where it is not there."""
    env = lay_traps(folder)
    there = next(iter(pathlib.Path("/usr/share/seabios").glob("bios*.bin")), None)
    if not there:
        print("   no firmware here")
        return
    archive = archive_of(folder, {"drives": DRIVES, "command_line": [
        "qemu", "-bios", there.name, "-drive", f"if=pflash,unit=0,file={there}", "-pflash", "/usr/share/OVMF/none.fd", *DISK,
        "-machine", "pc,pflash0=f,pflash1=g", "-blockdev", f"file,node-name=s,filename={there}", "-blockdev", "raw,node-name=f,file=s",
        "-blockdev", "raw,node-name=g,file.driver=file,file.filename=/usr/share/OVMF/none.fd"]})
    done = subprocess.run([PROGRAM, "boot", archive], env=env, capture_output=True, text=True, check=True)
    words = (folder / "bin/argv").read_text().split("\n\n")[1:-1]
    bios = pathlib.Path(words[words.index("-bios") + 1])
    assert bios.name == there.name and bios.is_relative_to("/usr/share"), words
    assert f"file={there},format=raw,if=pflash,unit=0,readonly=on,id=pflash0" in words, words
    assert f"raw,node-name=f,read-only=on,file.driver=file,file.filename={there}" in words and "pc,pflash0=f" in words, words
    assert "none.fd" not in " ".join(words) and "-drive if=pflash" in done.stderr and "-blockdev g" in done.stderr, done


def test_found_again(folder):
    """A drive by its device, where a snapshot has given it another node since; by QEMU's own name, where it has none."""
    env = lay_traps(folder)
    lines = (({"device": "/machine/peripheral/vda/virtio-backend", "node": "snap1", "id": ""},
              ["-blockdev", "qcow2,node-name=top,file.driver=file,file.filename=/EVIL", "-device", "virtio-blk-pci,id=vda,drive=top"],
              "qcow2,node-name=top,file.driver=file,file.filename="),
             ({"device": "ide0-hd0", "node": "#block1", "id": "ide1-hd0"}, ["-M", "q35", "-hdb", "/EVIL"],
              "index=1,media=disk,id=ide1-hd0"),
             ({"id": "d9"}, DISK, "if=virtio,id=a"))
    for about, line, wanted in lines:
        archive = archive_of(folder, {"drives": [{"name": "a", **about}], "command_line": ["qemu", *line]})
        subprocess.run([PROGRAM, "boot", archive], env=env, capture_output=True, check=True)
        words = (folder / "bin/argv").read_text().split("\n\n")[1:-1]
        assert any(wanted in word and "vmabackup-boot-" in word for word in words), words


def test_the_operators_own(folder):
    """What he adds replaces what says the same thing: by its name, or by its id."""
    env = lay_traps(folder)
    archive = archive_of(folder, {"drives": DRIVES, "machine": "pc-i440fx-7.2-machine",
                                  "command_line": ["qemu", "-machine", "accel=kvm", "-enable-kvm", "-netdev", "tap,id=n0", "-netdev", "tap,id=n1", "-serial",
                                                   "pty", "-m", "64", *DISK]})
    own = ["-netdev", "user,id=n0", "-m", "1G", "-accel", "tcg", "-M", "q35", "-nographic"]
    subprocess.run([PROGRAM, "boot", archive, "--", *own], env=env, check=True, capture_output=True)
    words = (folder / "bin/argv").read_text().split("\n\n")[1:-1]
    assert words[-len(own):] == own
    rest = words[:-len(own)]
    assert "hubport,hubid=2,id=n1" in rest and not any("id=n0" in word for word in rest), rest
    assert not {"-m", "-machine", "-serial", "-display", "-enable-kvm"} & set(rest), rest


def test_trust(folder):
    """All of the line after a question: no answer, or another than y, is a no. The guest's images and memory stay its own."""
    env = lay_traps(folder)
    archive = archive_of(folder, {"drives": DRIVES, "command_line": [
        "/EVIL/qemu-system-x86_64", "-virtfs", "local,path=/EVIL", "-qmp", "unix:/EVIL", "-fw_cfg", "name=opt/x,string=LEGACY",
        "-object", "memory-backend-file,id=m,size=1M,mem-path=/EVIL.ram,share=on", "-drive", "file=/EVIL.img,if=virtio", *DISK,
        "-bios", "/EVIL.bin", "-device", "e1000,romfile=/EVIL.rom"]})
    for answer in ("", "n\n", "\n", "yesterday\n"):
        done = subprocess.run([PROGRAM, "boot", "--trust", archive], env=env, input=answer, capture_output=True, text=True)
        assert done.returncode == 4 and "local,path=/EVIL" in done.stderr, done
        assert not (folder / "bin/argv").exists(), answer
    done = subprocess.run([PROGRAM, "boot", "--trust", archive], env=env, input="y\n", capture_output=True, text=True)
    program, *words = (folder / "bin/argv").read_text().split("\n\n")[:-1]
    assert done.returncode == 0 and program == f"{folder}/bin/qemu-system-x86_64", done
    assert "local,path=/EVIL" in words and "name=opt/x,string=LEGACY" in words, words
    assert "/EVIL.bin" in words and "e1000,romfile=/EVIL.rom" in words, words
    assert "-qmp" not in words and "memory-backend-ram,id=m,size=1M" in words, words
    assert not any("EVIL.img" in word or "EVIL.ram" in word for word in words), words
    assert "LEGACY" not in done.stderr.splitlines()[-1], "a secret in the log"


def test_masked(folder):
    """Archives of earlier versions hold everything; what looks like a secret is not shown."""
    secrets = ["-object", "secret,id=s,data=SECRET1", "-object", '{"qom-type":"secret","id":"t","data":"SECRET2"}', "-fw_cfg",
               "name=opt/x,string=SECRET3", "-drive", "file=rbd:p/i:id=admin:key=SECRET4,id=d0", "-drive",
               "file=https://u:SECRET5@host/x", "-vnc", ":1,password=SECRET6", "-append", "pw=SECRET7", "-smbios",
               "type=11,value=SECRET8", "-device", "isa-applesmc,osk=SECRET9", "-iscsi", "user=me,password=SECRET0", "-drive",
               "file=nbd://h/x?tls-psk=SECRETa", "-drive", 'file=json:{"password":"SECRETb"},if=none', "-chardev",
               "socket,id=c,path=/run/plain"]
    archive = archive_of(folder, {"drives": DRIVES, "command_line": ["qemu-system-x86_64", *secrets]})
    for command in (["list"], ["list", "--json"], ["config"]):
        more = ["vmabackup.json"] if command == ["config"] else []
        said = run(*command, archive, *more)[0].decode()
        assert "SECRET" not in said, said
        assert "path=/run/plain" in said.replace("\\/", "/"), said
    said = run("restore", archive, f"a={folder}/new")[0].decode()
    assert "SECRET" not in said, said


# ---- real ones ----

# Lines that QEMU would refuse beside others: they name the same thing twice, or want another machine.
APART = {"drive of ours", "node of ours", "dimensions", "nvdimm", "unknown", "card"}
TOGETHER = [name for name in LINES if name not in APART]


def qemus():
    if os.environ.get("VMABACKUP_QEMU_PATH"):
        return [os.path.abspath(os.environ["VMABACKUP_QEMU_PATH"])]
    unpacked = pathlib.Path(os.environ.get("VMABACKUP_QEMU10", REPO / "build/qemu10")) / "bin/qemu-system-x86_64"
    return [str(path) for path in (shutil.which("qemu-system-x86_64"), unpacked) if path and pathlib.Path(path).exists()]


def wait_for(condition, process, said):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, f"QEMU does not come up: {said.read_text()}"
        time.sleep(0.02)


def answers(path):
    try:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(path))
            return b"QMP" in monitor.recv(4096)
    except OSError:
        return False


def qemu_below(process):
    """The QEMU that a process has started, perhaps by way of a script."""
    children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return qemu_below(int(children[0])) if children else process


def open_things(pid):
    found = []
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except FileNotFoundError:
            pass
    return found


def test_real_qemu(folder):
    """All of the lines in one, under QEMU itself: what it has open is its own, the overlay and our monitor."""
    if not qemus():
        print("   no QEMU here")
    for number, qemu in enumerate(qemus()):
        lay_traps(folder)
        env = dict(os.environ, TMPDIR=str(folder))
        words = [word for name in TOGETHER for word in filled(LINES[name], folder)]
        archive = archive_of(folder, {"drives": DRIVES, "command_line": ["qemu", *DISK, *words]})
        monitor = folder / f"m{number}"
        process = subprocess.Popen([PROGRAM, "boot", "--qemu", qemu, archive, "--", "-S", "-accel", "tcg", "-M", "pc", "-m", "64", "-qmp",
                                    f"unix:{monitor},server=on,wait=off"], env=env, cwd=folder, stdin=subprocess.DEVNULL,
                                   stderr=open(folder / "said", "wb"))
        try:
            wait_for(lambda: answers(monitor), process, folder / "said")
            things = open_things(qemu_below(process.pid))
            files = [t for t in things if t.startswith("/") and "EVIL" in t or t.startswith("/dev/") and t != "/dev/null"]
            assert not files, files
            listening = {line.split()[6]: line for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]}
            inet = [line.split()[9] for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "packet")
                    for line in pathlib.Path(f"/proc/net/{kind}").read_text().splitlines()[1:] if len(line.split()) > 9]
            sockets = [t[8:-1] for t in things if t.startswith("socket:[")]
            assert not set(sockets) & set(inet), f"it is on a network: {things}"
            named = [listening[s].split()[7] for s in sockets if s in listening and len(listening[s].split()) > 7]
            assert all(name == str(monitor) for name in named), named
            assert not (folder / "EVIL.ran").exists()
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    if not shutil.which("qemu-img"):
        print("skipped: qemu-img is needed")
        sys.exit(SKIP)
    main([test_nothing_comes_through, test_front_ends_stay, test_found_again, test_which_qemu, test_firmware,
          test_the_operators_own, test_trust, test_masked, test_real_qemu],
         "vmb-hostile-")
