#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots of a store that Python made, read as archives: equal by every way out, and damage told with its place."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]
import make_vectors  # noqa: E402
import packing  # noqa: E402
import proxmox_rules  # noqa: E402
import stores  # noqa: E402
import vma_strict  # noqa: E402
from archives import PROGRAM, SKIP, main, run  # noqa: E402
from test_boot_served import FAKE  # noqa: E402
from test_serve import client, serving  # noqa: E402

MIB = 1 << 20
SIZE = 9 * MIB + 1536
INSTANT = "2026-11-30T08:10:20Z"
CONFIG = b"""scsi0: local:vm-100-disk-0,size=9M
virtio1: local:vm-100-disk-1,size=1M
#qmdump#map:scsi0:drive-scsi0:local:raw:
#qmdump#map:virtio1:drive-virtio1:local:raw:
"""


def images():
    rng = random.Random(4)
    image = bytearray(SIZE)
    for at in range(0, 3 * MIB, 8192):
        image[at:at + 4096] = rng.randbytes(4096)
    image[5 * MIB:7 * MIB] = rng.randbytes(2 * MIB)
    image[-700:] = rng.randbytes(700)
    return bytes(image), rng.randbytes(1500000) + bytes(3 * MIB) + b"the end of RAM"


def make(folder, chunk=MIB, checksums=False):
    """(the store, a snapshot's folder, its drive, its RAM)"""
    image, ram = images()
    store = stores.Store(folder / "store", chunk)
    if checksums:  # as our writer's frames have them, and casync's do not
        store.zstd.pack = packing.Zstd().frame
    drives = {"drive-scsi0": image, "drive-virtio1": MIB}
    return store, store.add("web-01", INSTANT, drives, ram, {"qemu-server.conf": CONFIG}), image, ram


def test_reading(folder):
    store, snapshot, image, ram = make(folder)
    for path in (snapshot, store.path / "web-01/latest"):
        told = run("list", path)[0].decode()
        assert f"archive  {path}\n" in told and "packing  store\n" in told and "created  2026-11-30 " in told, told
        listed = json.loads(run("list", "--json", path)[0])
        assert [(d["name"], d["size"]) for d in listed["devices"]] == \
            [("vmstate", -(-len(ram) // 65536) * 65536), ("drive-scsi0", SIZE), ("drive-virtio1", MIB)]
        assert listed["is_ours"] and listed["compression"] == "store"
        assert b"good: every extent's data matches its digest" in run("verify", path)[0]
        assert json.loads((snapshot / "snapshot.json").read_text())["verified"] > INSTANT
        assert run("config", path)[0] == b"qemu-server.conf\n" and run("config", path, "qemu-server.conf")[0] == CONFIG
        for command in ("verify", "serve"):
            assert b"it is a store; name a snapshot" in run(command, store.path, status=1)[1]
            assert b"a guest's folder in a store; name a snapshot" in run(command, store.path / "web-01", status=1)[1]


def test_extract(folder):
    for chunk in (1 << 16, MIB, 16 * MIB):
        here = folder / str(chunk)
        _, snapshot, image, ram = make(here, chunk)
        run("extract", "-C", here / "raw", snapshot)
        assert (here / "raw/drive-scsi0.raw").read_bytes() == image
        assert (here / "raw/drive-virtio1.raw").read_bytes() == bytes(MIB)
        assert (here / "raw/vmstate.bin").read_bytes() == ram
        assert (here / "raw/qemu-server.conf").read_bytes() == CONFIG
        assert (here / "raw/drive-scsi0.raw").stat().st_blocks * 512 < 5 * MIB, "it is not sparse"
        run("extract", "--format", "qcow2", "-C", here / "qcow2", snapshot)
        client("qemu-img", "compare", str(here / "raw/drive-scsi0.raw"), str(here / "qcow2/drive-scsi0.qcow2"))
        run("restore", snapshot, f"drive-scsi0={here}/restored")
        assert (here / "restored").read_bytes() == image


def test_casync_agrees(folder):
    """It reads the same store, so what Python makes is one."""
    if not shutil.which("casync"):
        return
    store, snapshot, image, ram = make(folder)
    for name, want in (("drive-scsi0", image), ("vmstate", ram)):
        client("casync", "extract", f"--store={store.path}/chunks.castr", str(snapshot / f"{name}.caibx"), str(folder / name))
        assert (folder / name).read_bytes() == want


def test_serve(folder):
    _, snapshot, image, _ = make(folder)
    (folder / "a").write_bytes(image)
    with serving(folder, snapshot) as uris:
        assert set(uris) == {"drive-scsi0", "drive-virtio1"}
        uri = uris["drive-scsi0"]
        for option in ([], ["--synchronous"]):
            client("nbdcopy", *option, uri, str(folder / "copy"))
            assert (folder / "copy").read_bytes() == image
        client("qemu-img", "compare", "-f", "raw", "-F", "raw", str(folder / "a"), uri)
        kinds = json.loads(client("nbdinfo", "--map", "--json", uri))
        assert [(k["offset"], k["type"]) for k in kinds] == [(0, 0), (3 * MIB, 3), (5 * MIB, 0), (7 * MIB, 3), (9 * MIB, 0)]
        assert sum(k["length"] for k in kinds) == SIZE


def test_boot(folder):
    image, ram = images()
    snapshot = stores.Store(folder / "store").add("web-01", INSTANT, {"scsi0": image[:9 * MIB]}, ram)
    (folder / "bin").mkdir()
    (folder / "bin/qemu-system-x86_64").write_text(FAKE)
    (folder / "bin/qemu-system-x86_64").chmod(0o755)
    env = dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}", TMPDIR=str(folder))
    done = subprocess.run([PROGRAM, "boot", "--ram", snapshot], env=env, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done
    assert (folder / "ram.out").read_bytes() == ram and (folder / "a.out").read_bytes() == image[:9 * MIB]


def test_export(folder):
    """For Proxmox: by its rules, strictly valid, as small as our own, and the same again from a pipe."""
    _, snapshot, image, ram = make(folder)
    name = "vzdump-qemu-100-2026_11_30-08_10_20.vma"
    for path in (folder / name, folder / f"{name}.zst"):
        run("export", snapshot, "-o", path)
        proxmox_rules.check_name(path, 100)
        devices = [d["name"] for d in json.loads(run("list", "--json", path)[0])["devices"]]
        proxmox_rules.check(devices, run("config", path, "qemu-server.conf")[0])
        assert b"good" in run("verify", path)[0]
        run("extract", "-C", folder / "out", path)
        assert (folder / "out/drive-scsi0.raw").read_bytes() == image and (folder / "out/vmstate.bin").read_bytes() == ram
        shutil.rmtree(folder / "out")
    vma_strict.read(str(folder / name), str(folder / "strict"))
    plain = (folder / name).read_bytes()
    blocks = sum(any(image[at:at + 4096]) for at in range(0, SIZE, 4096)) + -(-len(ram) // 65536) * 16
    assert len(plain) < blocks * 4096 + 40000, "zeros are stored"
    assert run("export", snapshot, "-o", "-")[0] == plain
    run("export", snapshot, "-o", f"|cat >{folder}/piped")
    assert (folder / "piped").read_bytes() == plain
    assert b"exists" in run("export", snapshot, "-o", folder / name, status=6)[1]
    run("export", folder / f"{name}.zst", "--force", "-o", folder / name)  # any archive will do; its order may be another
    assert len((folder / name).read_bytes()) == len(plain) and b"good" in run("verify", folder / name)[0]
    run("export", snapshot, status=2)
    run("export", snapshot, "-o", folder / "x.vma", "--level", 3, status=2)


def test_export_fails(folder):
    """Nothing is left of it."""
    store, snapshot, image, _ = make(folder)
    damage_chunk(store, image, 5 * MIB)
    said = run("export", snapshot, "-o", folder / "x.vma", status=8)[1]
    assert b"drive-scsi0, bytes 5242880 to 6291455" in said, said
    assert not list(folder.glob("x.vma*"))
    _, snapshot, _, _ = make(folder / "other")
    assert b"status" in run("export", snapshot, "-o", "|cat >/dev/null; exit 3", status=6)[1]


def test_export_incomplete(folder):
    """A RAM state whose end the writer knew to be missing is not whole after it either."""
    drive, payload = make_vectors.extent(1, [(0, {0, 3}), (1, {2})])
    ram, stream = make_vectors.extent(2, [(0, set(range(16)))])
    for told in (0, 65537, 200000):
        end = make_vectors.end_mark([drive, ram], (len(payload) + len(stream)) // 4096, told, 3)
        (folder / "x.vma").write_bytes(make_vectors.header({1: ("a", 131072), 2: ("vmstate", 5 << 20)}, []) + drive + payload +
                                       ram + stream + end)
        run("export", folder / "x.vma", "--force", "-o", folder / "y.vma")
        for path in (folder / "x.vma", folder / "y.vma"):
            devices = json.loads(subprocess.run([PROGRAM, "verify", "--json", path], capture_output=True).stdout)["conditions"]
            assert [d["is_whole"] for d in devices] == [True, False], devices
        assert b"incomplete" in subprocess.run([PROGRAM, "verify", folder / "y.vma"], capture_output=True).stderr


# ---- damage ----

def damage_chunk(store, image, offset, how="flip"):
    path = store.chunk_path(hashlib.sha256(image[offset:offset + store.chunk]).digest())
    if how == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data[:-1] if how == "truncated" else data)
    return path


def judge_damage(folder, snapshot, image, lost, told):
    """verify names the place; extract refuses, unless it is to salvage: then all but `lost` is there. Serve goes on."""
    report, line = run("verify", snapshot.parent / "latest", status=8)
    assert str(snapshot).encode() in report and str(snapshot).encode() in line, (report, line)
    for text in told:
        assert text in report, (text, report)
    run("extract", "-C", folder / "out", snapshot, status=8)
    assert not list((folder / "out").iterdir())
    done = subprocess.run([PROGRAM, "extract", "--salvage", "-C", folder / "out", snapshot], capture_output=True, check=False)
    assert done.returncode == 8, done
    got = (folder / "out/drive-scsi0.raw").read_bytes()
    want = bytearray(image)
    want[lost:lost + MIB] = bytes(len(want[lost:lost + MIB]))
    assert got == want
    shutil.rmtree(folder / "out")


def test_damaged_chunk(folder):
    for offset in (0, 5 * MIB, 9 * MIB):
        for how in ("flip", "truncated", "missing"):
            store, snapshot, image, _ = make(folder / f"{offset}{how}")
            path = damage_chunk(store, image, offset, how)
            end = min(offset + MIB, SIZE) - 1
            told = [f"device drive-scsi0, bytes {offset} to {end}: chunk {path}: ".encode()]
            judge_damage(folder / f"{offset}{how}", snapshot, image, offset, told)


def test_serve_with_damage(folder):
    for checksums in (False, True):
        here = folder / str(checksums)
        store, snapshot, image, _ = make(here, checksums=checksums)
        damage_chunk(store, image, 5 * MIB)
        with serving(here, snapshot, is_damaged=True) as uris:
            uri = uris["drive-scsi0"]
            done = subprocess.run(["nbdcopy", uri, "null:"], capture_output=True, check=False)
            assert done.returncode, "the damage was not noticed"
            client("qemu-io", "-r", "-f", "raw", "-c", f"read {6 * MIB} {MIB}", uri)
        assert "drive-scsi0, bytes 5242880 to 6291455" in (here / "said").read_text()


def test_exchanged_chunk(folder):
    """Another one's whole frame under this name: verify tells it, and serve, too, where nothing but the digest could."""
    for checksums in (False, True):
        here = folder / str(checksums)
        store, snapshot, image, _ = make(here, checksums=checksums)
        path, other = (store.chunk_path(hashlib.sha256(image[at:at + MIB]).digest()) for at in (5 * MIB, 6 * MIB))
        path.write_bytes(other.read_bytes())
        assert f"{path}: its digest is wrong".encode() in run("verify", snapshot, status=8)[0]
        with serving(here, snapshot, is_damaged=not checksums) as uris:
            done = subprocess.run(["nbdcopy", uris["drive-scsi0"], "null:"], capture_output=True, check=False)
            assert bool(done.returncode) != checksums


def test_damaged_index(folder):
    """One with another chunk's name in it still serves for the rest; one that is none loses its drive, and only that."""
    _, snapshot, image, _ = make(folder / "a")
    index = snapshot / "drive-scsi0.caibx"
    data = bytearray(index.read_bytes())
    data[64 + 40 * 6 + 8] ^= 1
    index.write_bytes(data)
    judge_damage(folder / "a", snapshot, image, 6 * MIB, [f"device drive-scsi0: index {index}: ".encode()])
    for number, bad in enumerate((data[:-1], data[:-40], b"", data[:32] + b"\xff" + data[33:], None)):
        store, snapshot, image, ram = make(folder / str(number))
        index = snapshot / "drive-scsi0.caibx"
        index.unlink() if bad is None else index.write_bytes(bad)
        report, _ = run("verify", snapshot, status=8)
        assert f"device drive-scsi0: index {index}: ".encode() in report, report
        run("serve", "-s", folder / "sock", snapshot, status=8)
        out = folder / str(number) / "out"
        subprocess.run([PROGRAM, "extract", "--salvage", "-C", out, snapshot], capture_output=True, check=False)
        assert (out / "vmstate.bin").read_bytes() == ram and (out / "drive-virtio1.raw").read_bytes() == bytes(MIB)
        run("list", snapshot)


def test_damaged_manifest(folder):
    _, snapshot, _, _ = make(folder)
    path = snapshot / "snapshot.json"
    text = path.read_bytes()
    for bad in (b"", text[:-2], text.replace(b"scsi0", b"scsi1", 1), text.replace(b"9438720", b"9438208"), b"{}", b"[" * 100000):
        path.write_bytes(bad)
        for command in ("list", "verify", "extract", "serve"):
            said = run(command, snapshot, *(["-s", folder / "sock"] if command == "serve" else []), status=8)[1]
            assert b"snapshot.json" in said and INSTANT.encode() in said, said
    path.write_bytes(text)
    (snapshot / "qemu-server.conf").write_bytes(b"other")
    assert b"configuration qemu-server.conf" in run("verify", snapshot, status=8)[0]


def test_hostile_manifest(folder):
    """Well made, and a lie: refused, or at least no crash, no file elsewhere and no huge memory."""
    store, snapshot, _, _ = make(folder)
    path = snapshot / "snapshot.json"
    told = {k: v for k, v in json.loads(path.read_text()).items() if k != "digest"}
    for change in ({"size": 1 << 47}, {"size": -1}, {"size": 1000}, {"name": "../x"}, {"index": "../../x"}, {"name": "a\nb"}):
        devices = [{**told["devices"][0], **change}, *told["devices"][1:]]
        path.write_text(stores.sealed({**told, "devices": devices}))
        run("verify", snapshot, status=8)
        run("extract", "-C", folder / "out", snapshot, status=8)
    for chunk in (0, 1, 3 << 20, 1 << 40):
        path.write_text(stores.sealed({**told, "chunk": chunk}))
        run("verify", snapshot, status=8)
    assert sorted(p.name for p in folder.iterdir()) in (["out", "store"], ["store"])


def test_read_only(folder):
    """Media that nobody can write need no lock. As root nothing is read-only by its mode: then it is only read."""
    store, snapshot, _, _ = make(folder)
    (store.path / "lock").unlink()
    store.path.chmod(0o555)
    before = sorted(p for p in store.path.rglob("*") if p.name != "lock")
    assert b"good" in run("verify", snapshot)[0]
    store.path.chmod(0o755)
    assert sorted(p for p in store.path.rglob("*") if p.name != "lock") == before


def test_large_and_sparse(folder):
    """1 TiB of zeros, but for some chunks: open within a second, in some tens of MiB."""
    store = stores.Store(folder / "store")
    rng = random.Random(2)
    ids = [store.put_zeros(MIB)] * (1 << 20)
    for _ in range(20):
        ids[rng.randrange(1 << 20)] = store.put(rng.randbytes(MIB))
    store.put_image = lambda image: (ids, 1 << 40)
    snapshot = store.add("web-01", INSTANT, {"scsi0": None})
    start = time.monotonic()
    with serving(folder, snapshot) as uris:
        taken = time.monotonic() - start
        assert taken < 1, f"open after {taken:.1f} s"
        total = json.loads(client("nbdinfo", "--map", "--json", uris["scsi0"]))
        assert sum(k["length"] for k in total) == 1 << 40 and sum(k["length"] for k in total if k["type"] == 0) == 20 * MIB
    code = "import resource,subprocess,sys; subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL); " \
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    peak = int(client(sys.executable, "-c", code, str(PROGRAM), "verify", str(snapshot)))
    is_plain = b"__asan_init" not in PROGRAM.read_bytes()  # what is freed is kept for a while there
    assert peak < (100 if is_plain else 300) << 10, f"{peak} KiB to verify"


if __name__ == "__main__":
    for needed in ("nbdcopy", "nbdinfo", "qemu-img", "qemu-io"):
        if not shutil.which(needed):
            print(f"skipped: {needed} is needed")
            sys.exit(SKIP)
    main([test_reading, test_extract, test_casync_agrees, test_serve, test_boot, test_export, test_export_fails, test_export_incomplete,
          test_damaged_chunk, test_serve_with_damage, test_exchanged_chunk, test_damaged_index, test_damaged_manifest,
          test_hostile_manifest, test_read_only, test_large_and_sparse], "vmb-store-")
