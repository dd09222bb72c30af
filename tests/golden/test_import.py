#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`vmabackup import`: what casync unpacks of the snapshot is what the archive held; foreign archives, damage, no room."""
import json
import os
import pathlib
import random
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]
from archives import PROGRAM, SKIP, assert_one_line, main, make_vma, run  # noqa: E402
import make_vectors  # noqa: E402
from test_archives import make_archive  # noqa: E402


def make_store(folder, chunk):
    (folder / "chunks.castr").mkdir(parents=True)
    (folder / "vmabackup-store").write_text(f"format=1\nchunk={chunk}\ndigest=sha256\n")
    return folder


def unpack(store, snapshot, folder):
    """{device: bytes}"""
    folder.mkdir()
    found = {}
    for device in json.loads((snapshot / "snapshot.json").read_text())["devices"]:
        path = folder / device["name"]
        subprocess.run(["casync", "extract", f"--store={store}/chunks.castr", snapshot / device["index"], path], check=True,
                       capture_output=True)
        found[device["name"]] = path.read_bytes()
        assert len(found[device["name"]]) == device["size"], device
    return found


def must_be_clean(store):
    left = list(store.glob("*/.*.partial")) + list(store.glob("chunks.castr/tmp/*"))
    assert not left, left


def test_ours(folder):
    """Clusters in no order, several sizes of chunks; its time is the archive's, and twice is no harm."""
    archive, image = make_archive(folder)
    for chunk in (64 << 10, 128 << 10, 4 << 20):
        store = make_store(folder / f"store{chunk}", chunk)
        text = run("import", archive, store, "web 01")[0].decode()
        snapshot, = [p for p in store.glob("web_01/*") if p.is_dir() and not p.is_symlink()]
        assert f"as {snapshot}: new " in text and (store / "web_01/latest").resolve() == snapshot.resolve(), text
        found = unpack(store, snapshot, folder / f"out{chunk}")
        assert found == {"a": image, "zeros": bytes(1 << 20), "vmstate": (folder / "ram").read_bytes()}
        assert (snapshot / "guest.conf").read_bytes() == b"cores: 1\n"
        again = run("import", archive, store, "web 01")[0].decode()
        assert f"as {snapshot}-2: new 0 of " in again, again
        must_be_clean(store)
        ctime, = struct.unpack_from(">q", archive.read_bytes(), 24)
        assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ctime)) == snapshot.name


def test_foreign_archives(folder):
    """Those of Proxmox' own writer, where they are there."""
    golden = pathlib.Path(os.environ.get("VMABACKUP_GOLDEN", "/nonexistent"))
    for archive in sorted(golden.glob("*.vma.zst")):
        store = make_store(folder / archive.name, 1 << 20)
        run("import", archive, store, "g")
        found = unpack(store, (store / "g/latest").resolve(), folder / f"out-{archive.name}")
        run("extract", "-C", folder / f"plain-{archive.name}", archive)
        for name, content in found.items():
            plain = folder / f"plain-{archive.name}" / ("vmstate.bin" if name == "vmstate" else f"{name}.raw")
            assert plain.read_bytes() == content, (archive, name)


def test_damage(folder):
    """Nothing appears, and nothing is left but chunks."""
    archive, _ = make_archive(folder)
    store = make_store(folder / "store", 1 << 20)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert b"damaged at offset" in run("import", archive, store, "g", status=8)[1]
    archive.write_bytes(content[:len(content) // 2])
    run("import", archive, store, "g", status=8)
    archive.write_bytes(b"hello")
    run("import", archive, store, "g", status=8)
    assert not list(store.glob("g/2*"))
    must_be_clean(store)


def test_hostile(folder):
    """Sound by its checksums, but no snapshot could be made of it, or its index would take all memory: it never begins."""
    store = make_store(folder / "store", 64 << 10)

    def judge(devices, text, configs=(), ctime=None):
        head = bytearray(make_vectors.header(devices, configs, extension=False))
        if ctime is not None:
            head[24:32], head[32:48] = struct.pack(">q", ctime), bytes(16)
            head = make_vectors.fill_md5(bytes(head), 32)
        clusters = [make_vectors.extent_header([(0, i, 0)], b"", 0) for i in devices]
        (folder / "x.vma").write_bytes(bytes(head) + b"".join(clusters))
        if not text:
            run("import", folder / "x.vma", store, "g")
            assert b"good" in run("verify", store / "g/latest")[0]
            shutil.rmtree(store / "g")
            return
        said = run("import", folder / "x.vma", store, "g", status=8)[1]
        assert text in said and not list(store.glob("g/*")), said
        must_be_clean(store)

    judge({1: ("a", 65536), 254: ("vmstate", 65536)}, None, [("pinned", b"x"), ("snapshot.json", b"")])
    for size in (16 << 40, 256 << 40):  # no single one of them would take it all
        judge({i: (f"a{i}", size) for i in range(1, 255)}, b"of memory")
    for size in (1, 1000):
        judge({1: ("a", size)}, b"size of its device 1")
    judge({1: ("vmstate", 1000)}, None)
    for name in ("a/b", "..", ".a", "a\nb", "a" * 250):
        judge({7: (name, 65536)}, b"name of its device 7")
    for name in ("a/b", "..", "a\nb"):
        judge({1: ("a", 65536)}, b"name of its configuration 1", [("b", b""), (name, b"")])
    for ctime in (1 << 60, -(1 << 62), -46388678400):
        judge({1: ("a", 65536)}, b"no time", ctime=ctime)
    judge({1: ("a", 65536)}, None, ctime=-5)


def test_no_store(folder):
    archive, _ = make_archive(folder)
    store = make_store(folder / "store", 1 << 20)
    (folder / "other").mkdir()
    assert b"no store" in run("import", archive, folder / "other", "g", status=6)[1]
    assert b"no store" in run("import", archive, folder / "nowhere", "g", status=1)[1]
    run("import", folder / "none.vma", store, "g", status=1)
    run("import", "--level", "20", archive, store, "g", status=2)
    run("import", archive, store, status=2)


def test_no_room(folder):
    archive, _ = make_archive(folder)
    store = make_store(folder / "store", 1 << 20)
    done = subprocess.run([PROGRAM, "import", archive, store, "g"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert done.returncode == 6 and b"full" in done.stderr, done
    must_be_clean(store)
    run("import", archive, store, "g")


def import_that_waits(folder, store):
    """Its buffers are full of clusters whose chunks are not whole, and there is no spool: it reads no more. For 5 s."""
    if not (folder / "large.vma").exists():
        (folder / "large").write_bytes(random.Random(1).randbytes(72 << 20))
        make_vma(folder / "large.vma", f"a={folder}/large", "--shuffle", 1)
    process = subprocess.Popen([PROGRAM, "import", "-", store, "g", "--spool-dir", folder / "nowhere"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.set_blocking(process.stdin.fileno(), False)
    data, done = (folder / "large.vma").read_bytes(), 0
    while select.select([], [process.stdin], [], 0.3)[1]:
        assert done < len(data), "all of it was read"
        done += os.write(process.stdin.fileno(), data[done:done + 65536])
    assert list(store.glob("g/.*.partial"))
    return process


def test_signals(folder):
    """Wherever it waits, it ends at once, of the signal, and leaves nothing but chunks."""
    store = make_store(folder / "store", 16 << 20)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = import_that_waits(folder, store)
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(timeout=60) == -number
        assert time.monotonic() - began < 3, "it gave up by itself"
        said = process.stderr.read()
        assert_one_line(said, "import")
        assert b"interrupted" in said and not process.stdout.read(), said
        must_be_clean(store)
        assert not list(store.glob("g/*"))
        process.communicate()
    run("import", folder / "large.vma", store, "g")


def test_killed(folder):
    """What is left then goes with the next prune, or with whoever writes into the store next."""
    store = make_store(folder / "store", 16 << 20)
    archive, _ = make_archive(folder)
    for tidies in (["prune", store, "--keep-last", "1"], ["import", archive, store, "h"]):
        process = import_that_waits(folder, store)
        process.kill()
        process.communicate()
        assert list(store.glob("g/.*.partial"))
        run(*tidies)
        must_be_clean(store)
        assert b"good" in run("store", "check", store)[0]


def test_progress(folder):
    archive, _ = make_archive(folder)
    ours, theirs = os.openpty()
    subprocess.run([PROGRAM, "import", archive, make_store(folder / "store", 1 << 20), "g"], stderr=theirs,
                   stdout=subprocess.DEVNULL, check=True)
    told = os.read(ours, 4096)
    assert told.startswith(b"\rimporting: ") and told.endswith(b"\r\x1b[K") and b"\n" not in told, told


if __name__ == "__main__":
    if not shutil.which("casync"):
        print("no casync here")
        sys.exit(SKIP)
    main([test_ours, test_foreign_archives, test_damage, test_hostile, test_no_store, test_no_room, test_signals, test_killed,
          test_progress], "import-")
