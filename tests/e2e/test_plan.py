#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a plan refuses or says before anything is changed: names, firmware, memory and drives of special kinds."""
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import proxmox_rules
from vmtest import Lab, Run, Scenario, Skip, main, product, standard_drives, wait_for
from vmtest.tmux import Terminal


def one_drive():
    return standard_drives(count=1, with_odd_ones=False)


def answer(run, status):
    assert run.wait() == status, run.report()
    return " ".join((run.errors + "".join(run.lines)).split())  # it folds long lines


def configurations_that_clash(version):
    """extract would write them to a drive's file: refused by name, and QEMU is as it was."""
    product()
    with Scenario(version, drives=one_drive(), rounds=1) as s:
        drive = s.drives[0].name
        for name in (f"{drive}.raw", f"{drive}.qcow2", f"{drive}.raw.partial", "vmstate.bin", "vmabackup.json"):
            said = answer(s.backup("--config", f"{name}=/dev/null"), 2)
            assert f"config {name}: extract makes another file" in said, said
            assert not os.path.exists(s.archive)
        s.must_be_untouched(rounds=1)
        run = s.backup("--no-vmstate", "--config", f"{drive}=/etc/hostname")  # no file of that name is made
        assert run.wait() == 0, run.report()


OWN_CONF = """bios: ovmf
boot: order=scsi0
efidisk0: local-lvm:vm-117-disk-0,efitype=4m,size=528K
scsi0: local-lvm:vm-117-disk-1,size=8M
scsi1: local-lvm:vm-117-disk-2,size=2M
sata0: none,media=cdrom
scsihw: virtio-scsi-pci
"""


def efi_for_proxmox(version):
    """EFI's variables become efidisk0, whatever comes first; each disk has the key it is called by, or that of its size."""
    product()
    with Lab(version) as lab:
        sizes = {"code": 262144, "vars": 540672, "big": 8 << 20, "small": 2 << 20, "plain": 1 << 20}
        for name, size in sizes.items():
            pathlib.Path(lab.path(name)).write_bytes(os.urandom(size))
        shutil.copy("/usr/share/seabios/bios-256k.bin", lab.path("code"))
        pathlib.Path(lab.path("own.conf")).write_text(OWN_CONF, encoding="utf-8")
        vm = lab.start([], extra=(
            "-drive", f"if=pflash,format=raw,readonly=on,file={lab.path('code')}",
            "-drive", f"if=pflash,format=raw,file={lab.path('vars')}",
            "-drive", f"if=none,id=first,file={lab.path('small')},format=raw", "-device", "scsi-hd,drive=first",
            "-drive", f"if=none,id=scsi0,file={lab.path('big')},format=raw", "-device", "scsi-hd,drive=scsi0",
            "-drive", f"if=none,id=drive-sata3,file={lab.path('plain')},format=raw", "-device", "virtio-blk-pci,drive=drive-sata3"))
        wanted = {"efidisk0": sizes["vars"], "scsi0": sizes["big"], "scsi1": sizes["small"], "sata3": sizes["plain"]}
        for number, options in enumerate(((), ("--config", f"qemu-server.conf={lab.path('own.conf')}"))):
            folder = lab.path(f"to-{number}")
            os.mkdir(folder)
            run = Run(["backup", "--no-vmstate", "--proxmox", "117", *options, "-o", folder, vm.monitor],
                      env={"XDG_RUNTIME_DIR": str(lab.folder), "XDG_STATE_HOME": str(lab.folder)})
            assert run.wait() == 0, run.report()
            archive, = pathlib.Path(folder).glob("*.vma.zst")
            listed = json.loads(subprocess.run([product(), "list", "--json", archive], stdout=subprocess.PIPE, check=True).stdout)
            found = {d["name"]: d["size"] for d in listed["devices"]}
            assert found == {f"drive-{key}": size for key, size in wanted.items()}, found
            config = subprocess.run([product(), "config", archive, "qemu-server.conf"], stdout=subprocess.PIPE, check=True).stdout
            assert proxmox_rules.check(list(found), config) == {key: f"drive-{key}" for key in wanted}
            assert wanted == proxmox_rules.sizes(config), config  # no line of a drive is another's
            assert config.count(b"bios: ovmf") == 1, config


def tell(lab, vm, *arguments):
    """What a command says, standard error too, without its line breaks."""
    run = Run([*arguments, vm.monitor], env={"XDG_RUNTIME_DIR": str(lab.folder), "XDG_STATE_HOME": str(lab.folder)})
    return answer(run, 0)


def encrypted_image(lab, name, kind, options):
    """Of the file "flat". On a busy machine qemu-img now and then fails to measure how fast it makes keys."""
    for _ in range(20):
        made = subprocess.run([lab.qemu_img, "convert", "-f", "raw", "-O", kind, "--object", "secret,id=s,data=abc", "-o", options,
                               lab.path("flat"), lab.path(name)], stderr=subprocess.PIPE, text=True)
        if made.returncode == 0:
            return
        assert "CPU usage" in made.stderr, made.stderr
    raise Skip("qemu-img cannot make a LUKS key here")


def encrypted_drives(version):
    """LUKS as a format, inside qcow2, and under another format: saved decrypted, and that is said everywhere."""
    product()
    with Lab(version) as lab:
        data = os.urandom(1 << 20)
        pathlib.Path(lab.path("flat")).write_bytes(data)
        encrypted_image(lab, "whole", "luks", "key-secret=s,iter-time=10")
        encrypted_image(lab, "inside", "qcow2", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10")
        encrypted_image(lab, "plain", "qcow2", "compat=1.1")
        shutil.copy(lab.path("whole"), lab.path("under"))
        nodes = {"whole": "driver=luks,key-secret=s,file.driver=file,file.filename=",
                 "under": "driver=raw,file.driver=luks,file.key-secret=s,file.file.driver=file,file.file.filename=",
                 "inside": "driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.driver=file,file.filename=",
                 "plain": "driver=qcow2,file.driver=file,file.filename="}
        extra = ["-object", "secret,id=s,data=abc"]
        for name, node in nodes.items():
            extra += ["-blockdev", f"{node}{lab.path(name)},node-name={name}", "-device", f"virtio-blk-pci,drive={name},id={name}"]
        vm = lab.start([], extra=extra)
        archive = lab.path("a.vma")
        info = tell(lab, vm, "info")
        assert info.count("encrypted: saved decrypted") == 3, info
        said = tell(lab, vm, "backup", "--no-vmstate", "-o", archive)
        listed = subprocess.run([product(), "list", archive], stdout=subprocess.PIPE, check=True, text=True).stdout
        as_json = json.loads(subprocess.run([product(), "list", "--json", archive], stdout=subprocess.PIPE, check=True).stdout)
        subprocess.run([product(), "extract", "-C", lab.path("out"), archive], check=True)
        for device in as_json["devices"]:
            name, is_encrypted = device["name"], device["name"] != "plain"
            assert (f"drive {name} is encrypted, and the archive holds it decrypted" in said) == is_encrypted, said
            line, = (line for line in listed.splitlines() if line.startswith(f"{name} "))
            assert ("decrypted" in line) == is_encrypted and device["was_encrypted"] == is_encrypted, (line, device)
            assert pathlib.Path(lab.path("out"), f"{name}.raw").read_bytes() == data
        assert len(as_json["devices"]) == 4


def what_is_not_saved_is_named(version):
    """Persistent memory and firmware that no drive holds; pflash by -machine is a drive like any other."""
    product()
    with Lab(version) as lab:
        for name, size in (("nv", 64 << 20), ("pm", 64 << 20), ("vars", 540672), ("disk", 1 << 20)):
            with open(lab.path(name), "wb") as out:
                out.truncate(size)
        shutil.copy("/usr/share/seabios/bios-256k.bin", lab.path("code"))
        disk = ("-drive", f"if=none,id=disk,file={lab.path('disk')},format=raw", "-device", "virtio-blk-pci,drive=disk")
        memory = [("-m", "32,maxmem=1G,slots=2", "-machine", "pc,nvdimm=on")]
        for name, device in (("nv", "nvdimm"), ("pm", "virtio-pmem-pci")):
            memory.append(("-object", f"memory-backend-file,id=m-{name},share=on,mem-path={lab.path(name)},size=64M",
                           "-device", f"{device},id={name},memdev=m-{name}"))
        vm = lab.start([], name="memory", extra=(*sum(memory, ()), *disk, "-bios", lab.path("code")))
        for said in (tell(lab, vm, "info"), tell(lab, vm, "backup", "--no-vmstate", "-o", lab.path("a.vma"))):
            assert "nvdimm nv: persistent memory; its contents are saved only together with the RAM" in said, said
            assert "virtio-pmem-pci pm: persistent memory; its contents are not saved" in said, said
            assert f"firmware {lab.path('code')}: a file of the host; it is not saved" in said, said
        vm.kill()
        vm = lab.start([], name="flash", extra=(
            "-blockdev", f"driver=raw,node-name=code,read-only=on,file.driver=file,file.filename={lab.path('code')}",
            "-blockdev", f"driver=raw,node-name=vars,file.driver=file,file.filename={lab.path('vars')}",
            "-machine", "pflash0=code,pflash1=vars", *disk))
        rows = {d["id"]: d for d in json.loads(tell(lab, vm, "info", "--json"))["devices"]}
        assert rows["code"]["note"] == "read-only: skipped" and rows["vars"]["included"], rows
        assert "persistent memory" not in tell(lab, vm, "info")


def may_pull():
    told = subprocess.run([product(), "backup", "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    if "--engine" not in told:
        raise Skip("no engine but push is built")


def planned(run):
    """What the plan says of engines: of the whole, of each drive, and why no drive is pulled."""
    plan = run.find(ev="plan")
    return plan["engine"], {d["id"]: d.get("engine") for d in plan["devices"] if d["included"]}, plan.get("pull_obstacle")


def warnings(run):
    return [e["text"] for e in run.events if e["ev"] == "log" and e["level"] == "warning"]


def engine_pull(version):
    """Planned, and told in the archive; a drive that has no filter is pushed, which --strict refuses."""
    may_pull()
    drives = [dataclasses.replace(drive, bus="virtio" if drive.bus == "iothread" else drive.bus) for drive in standard_drives(count=2)]
    with Scenario(version, drives=drives, rounds=1) as s:
        run = s.backup("--engine", "pull", "--no-vmstate")
        assert run.wait() == 0, run.report()
        engine, drives, why = planned(run)
        assert (engine, why) == ("pull", None) and set(drives.values()) == {"pull"}, run.find(ev="plan")
        assert " --engine=pull " in run.find(ev="plan")["same_as"]
        assert not [w for w in warnings(run) if "pull" in w], run.report()
        listed = subprocess.run([product(), "list", s.archive], stdout=subprocess.PIPE, check=True, text=True).stdout
        assert "\nengine   pull\n" in listed, listed
        about = json.loads(subprocess.run([product(), "config", s.archive, "vmabackup.json"], stdout=subprocess.PIPE, check=True).stdout)
        assert about["engine"] == "pull" and {d["engine"] for d in about["drives"]} == {"pull"}, about
        os.unlink(s.archive)
        run = s.backup("--no-vmstate")  # push goes without a warning
        assert run.wait() == 0 and planned(run) == ("push", dict.fromkeys(drives, "push"), None), run.report()
        os.unlink(s.archive)
        run = s.backup("--engine", "pull", "--no-vmstate", "--guard", "direct")
        assert run.wait() == 3, run.report()
        assert planned(run) == ("push", dict.fromkeys(drives, "push"), "no drive stands behind a filter"), run.report()
        assert "drives are pushed, not pulled: no drive stands behind a filter" in warnings(run), run.report()
        os.unlink(s.archive)
        said = answer(s.backup("--engine", "pull", "--no-vmstate", "--guard", "direct", "--strict"), 1)
        assert "drives cannot be pulled: no drive stands behind a filter; use --engine push" in said, said
        assert not os.path.exists(s.archive)
        s.must_be_untouched(rounds=1)


def drives_of_iothreads(version):
    """Such a drive is pushed, with a warning; where there is no other, nothing is pulled, and --strict refuses it."""
    may_pull()
    with Scenario(version, drives=standard_drives(count=2), rounds=1) as s:
        run = s.backup("--engine", "pull", "--no-vmstate")
        assert run.wait() == 0, run.report()
        assert planned(run) == ("pull", {"drive0": "pull", "disk1": "push"}, None), run.report()
        assert [w for w in warnings(run) if w.startswith("drive disk1 is pushed, not pulled: it belongs to an iothread")], run.report()
        said = answer(s.backup("--engine", "pull", "--no-vmstate", "--strict", output=s.path("b.vma")), 1)
        assert "drive disk1 cannot be pulled: it belongs to an iothread" in said, said
        run = s.backup("--engine", "pull", "--no-vmstate", "--exclude", "drive0", output=s.path("b.vma"))
        assert run.wait() == 0, run.report()
        assert planned(run)[2] == "the drives belong to iothreads", run.report()
        s.must_be_untouched(rounds=1)


def one_drive_is_pushed(version):
    """Two devices write to its node, so it has no filter."""
    may_pull()
    with Lab(version) as lab:
        pathlib.Path(lab.path("shared")).write_bytes(os.urandom(1 << 20))
        pathlib.Path(lab.path("own")).write_bytes(os.urandom(1 << 20))
        extra = ["-device", "virtio-scsi-pci,id=scsi9"]
        for name, devices in (("shared", ("sa", "sb")), ("own", ("own",))):
            extra += ["-blockdev", f"driver=file,node-name={name},filename={lab.path(name)}"]
            for device in devices:
                extra += ["-device", f"scsi-hd,bus=scsi9.0,drive={name},id={device},share-rw=on"]
        vm = lab.start([], extra=extra)
        env = {"XDG_RUNTIME_DIR": str(lab.folder), "XDG_STATE_HOME": str(lab.folder)}
        arguments = ("backup", "--json", "--engine", "pull", "--no-vmstate", "-o", lab.path("a.vma"), vm.monitor)
        run = Run(arguments, env=env)
        assert run.wait() == 3, run.report()  # unguarded
        assert planned(run) == ("pull", {"sa": "push", "own": "pull"}, None), run.find(ev="plan")
        notes = {d["id"]: d["note"] for d in run.find(ev="plan")["devices"]}
        assert notes["sa"] == "unguarded: two devices share its node; pushed" and not notes["own"], notes
        assert "drive sa is pushed, not pulled: it is written to without a filter" in warnings(run), run.report()
        os.unlink(lab.path("a.vma"))
        said = answer(Run((*arguments[:2], "--strict", *arguments[2:]), env=env), 1)
        assert "drive sa cannot be pulled: it is written to without a filter; use --engine push" in said, said


def no_pull_by_this_monitor(version):
    """TCP, and a UNIX socket that is forwarded: neither passes descriptors, which is seen before anything begins."""
    may_pull()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Scenario(version, drives=one_drive(), rounds=1, extra=["-qmp", f"tcp:127.0.0.1:{port},server=on,wait=off"]) as s:
        path = s.path("forwarded")
        socat = subprocess.Popen(["socat", f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{s.vm.monitor}"])
        s.at_end(lambda: (socat.kill(), socat.wait()))
        wait_for(lambda: os.path.exists(path), 10, "socat to listen")
        why = "this monitor passes no descriptors"
        for monitor in (path, f"127.0.0.1:{port}"):
            run = s.run("backup", "--json", "--engine", "pull", "--no-vmstate", "-o", s.archive, monitor)
            assert run.wait() == 0, run.report()
            assert planned(run)[::2] == ("push", why), run.report()
            assert f"drives are pushed, not pulled: {why}" in warnings(run), run.report()
            os.unlink(s.archive)
            said = answer(s.run("backup", "--engine", "pull", "--strict", "-o", s.archive, monitor), 1)
            assert f"drives cannot be pulled: {why}" in said, said
        s.must_be_untouched(rounds=1)


def configured(s):
    """The configuration says it where the command line does not; a mistake is refused by its line."""
    path = pathlib.Path(s.path("config"), "vmabackup/config")
    path.parent.mkdir(parents=True)
    env = {**s.env, "XDG_CONFIG_HOME": s.path("config")}
    for text, why in (("engine=Pull", "2: engine: is push or pull"), ("engine=pull\nlevel=3", "3: level: unknown; there are engine and track")):
        path.write_text(f"[backup]\n{text}\n", encoding="utf-8")
        done = subprocess.run([product("vmabackup-tui"), "--plain", s.vm.monitor], env={**os.environ, **env}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == 2 and f"config:{why}" in done.stderr, done
    path.write_text("[backup]\nengine=pull\n", encoding="utf-8")
    for options, engine in (((), "pull"), (("--engine", "push"), "push"), (("--engine", "pull"), "pull")):
        with Terminal([product("vmabackup-tui"), *options, "-o", s.archive, s.vm.monitor], env=env) as t:
            t.wait(rf"engine +{engine}   \w")
            t.type("q")
            t.wait("status=4")


def engine_by_key(version):
    """p in the console's plan, there and back; where it cannot be, p says why."""
    may_pull()
    with Scenario(version, drives=one_drive(), rounds=1) as s:
        with Terminal([product("vmabackup-tui"), "-o", s.archive, s.vm.monitor], env=s.env) as t:
            t.wait(r"engine +push   QEMU's jobs write to us +\[p\] change")
            t.type("p")
            t.wait(r"engine +pull   read through shared memory +\[p\] change(?s:.*)same as: .*--engine=pull")
            t.resize(40, 24)
            t.wait(r"engine +pull .*\[p\]")
            t.resize(120, 36)
            t.type("p")
            t.wait(r"engine +push ")
            assert "--engine" not in t.screen()
            t.type("q")
            t.wait("status=4")
        with Terminal([product("vmabackup-tui"), "--guard", "direct", "-o", s.archive, s.vm.monitor], env=s.env) as t:
            t.wait(r"engine +push   no pull: no drive stands behind a filter *\n")
            t.type("p")
            t.wait("pull is not possible: no drive stands behind a filter")
            t.type("q")
            t.wait("status=4")
        configured(s)
        s.must_be_untouched(rounds=1)


if __name__ == "__main__":
    main(configurations_that_clash, efi_for_proxmox, encrypted_drives, what_is_not_saved_is_named,
         engine_pull, drives_of_iothreads, one_drive_is_pushed, no_pull_by_this_monitor, engine_by_key,
         both=(efi_for_proxmox,))
