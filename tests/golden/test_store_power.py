#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A power cut at any point of a backup into a store, of a check and of a prune: every snapshot that is listed then is whole, none that
was finished is gone, and what comes next works. The order of writes, syncs and renames is recorded; after each of them the machine
"fails", and what was not synced is lost: all of it, its data only, or at random."""
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from archives import BUILD, PROGRAM  # noqa: E402

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else random.randrange(10 ** 6)
NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(-\d+)?")
TRIED = 4  # states of each command that are put on the disk, for the program to go on from


class Node:
    """A file (bytes), a folder (name -> Node) or a symbolic link (text); what of it is on the disk."""

    def __init__(self, now):
        self.now = now
        self.durable = type(now)() if not isinstance(now, str) else now

    def sync(self):
        self.durable = dict(self.now) if isinstance(self.now, dict) else self.now


class Machine:
    """Carries out the record."""

    def __init__(self, root):
        self.root, self.base = Node({}), str(root)

    def folder(self, path):
        node, parts = self.root, [part for part in path[len(self.base):].split("/") if part and part != "."]
        for part in parts[:-1]:
            node = node.now[part]
        return node, parts[-1] if parts else None

    def find(self, path):
        above, name = self.folder(path)
        return above.now[name] if name else above

    def sync_all(self, node):
        node.sync()
        for child in node.now.values() if isinstance(node.now, dict) else ():
            self.sync_all(child)

    def do(self, what, path, other):
        above, name = self.folder(path)
        if what in ("create", "truncate"):
            if name not in above.now:
                above.now[name] = Node(b"")
            elif what == "truncate":
                above.now[name].now = b""
        elif what == "write":
            self.find(path).now += bytes.fromhex(other)
        elif what == "fsync":
            self.find(path).sync()
        elif what == "syncfs":
            self.sync_all(self.root)
        elif what == "mkdir":
            above.now[name] = Node({})
        elif what in ("unlink", "rmdir"):
            del above.now[name]
        elif what == "symlink":
            above.now[name] = Node(other)
        elif what == "rename":
            to, to_name = self.folder(other)
            to.now[to_name] = above.now.pop(name)
        else:
            raise AssertionError(what)

    # What is found after a power cut: nested dicts of bytes and texts.
    def after(self, names, data):
        """names(durable, now) -> the entries of a folder, data(durable, now) -> the bytes of a file."""
        def build(node):
            if isinstance(node.now, dict):
                return {name: build(child) for name, child in names(node.durable, node.now).items()}
            return node.now if isinstance(node.now, str) else data(node.durable, node.now)
        return build(self.root)


def old(durable, now):
    return durable


def new(durable, now):
    return now


def any_names(rng):
    """Each name by itself as it was or as it is."""
    def choose(durable, now):
        chosen = {}
        for name in {**durable, **now}:
            node = rng.choice((durable, now)).get(name)
            if node:
                chosen[name] = node
        return chosen
    return choose


def any_data(rng):
    def choose(durable, now):
        return now if now == durable else rng.choice((durable, now, now[:rng.randrange(len(now) + 1)]))
    return choose


def states(machine, rng):
    yield machine.after(old, old)
    yield machine.after(new, old)
    yield machine.after(new, new)
    yield machine.after(any_names(rng), any_data(rng))


# ---- what must hold ----

def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def snapshots(tree):
    return {f"{guest}/{name}": folder for guest, inside in tree.get("bk", {}).items() if isinstance(inside, dict) and guest != "chunks.castr"
            for name, folder in inside.items() if NAME.fullmatch(name) and isinstance(folder, dict)}


def must_be_whole(tree, name, folder, chunks, lost):
    """chunks: name -> what its file must be. lost: those that were damaged by hand."""
    told = json.loads(folder["snapshot.json"])
    for device in told["devices"]:
        index = folder[device["index"]]
        assert digest_of(index) == device["digest"], (name, device)
        for at in range(64, len(index) - 40, 40):
            chunk = index[at + 8:at + 40].hex()
            there = tree["bk"]["chunks.castr"].get(chunk[:4], {}).get(chunk + ".cacnk")
            assert chunk in lost or there == chunks[chunk], (name, chunk, there and len(there))
    for config in told["configs"]:
        assert digest_of(folder[config["file"]]) == config["digest"], (name, config)


def must_be_good_names(tree, chunks, lost):
    """A chunk that has its name is whole, even if no snapshot names it: the next run will not look. So is the key file."""
    assert re.fullmatch(rb"format=1\nchunk=65536\n(.*\n){2}", tree.get("bk", {}).get("vmabackup-store", b"format=1\nchunk=65536\n\n\n"))
    for folder in tree.get("bk", {}).get("chunks.castr", {}).values():
        for name, data in folder.items():
            if name.endswith(".cacnk") and name[:64] not in lost:
                assert data == chunks[name[:64]], (name, len(data))


# ---- the record ----

class Scene:
    """Commands that are recorded, and which snapshots must be there once each has ended."""

    def __init__(self, folder):
        self.root, self.log, self.steps = folder / "disk", folder / "record", []
        self.root.mkdir()
        self.env = dict(os.environ, LD_PRELOAD=str((BUILD / "tests/record_files.so").resolve()), RECORD_TO=str(self.log),
                        RECORD_BELOW=str(self.root), TZ="UTC",
                        ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")

    def run(self, *command, status=0, finished=()):
        done = subprocess.run([str(part) for part in command], env=self.env, capture_output=True, check=False, timeout=60)
        assert done.returncode == status, (command, done)
        self.steps.append((len(self.log.read_text().splitlines()), set(finished)))

    def damage(self, path):
        """By hand: not in the record, but told to the machine."""
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        os.chmod(path, 0o644)
        path.write_bytes(data)
        with self.log.open("a") as log:
            log.write(f"truncate\t{path}\t\nwrite\t{path}\t{data.hex()}\nsyncfs\t{path}\t\n")

    def choose(self, rng):
        """Some calls of each command."""
        begins = [0] + [end for end, _ in self.steps]
        return {n for begin, (end, _) in zip(begins, self.steps) for n in rng.sample(range(begin, end), min(TRIED, end - begin))}

    def must_be_there(self, n):
        """After n calls: what was finished before and is not touched by the command that goes on."""
        finished, before = set(), set()
        for end, names in self.steps:
            if n < end:
                return before & names
            before = names
        return before


DAYS = ["1970-01-01T00:16:40Z", "1970-01-01T00:33:20Z", "1970-01-01T00:50:00Z"]


def record(folder):
    scene = Scene(folder)
    store, put = scene.root / "bk", BUILD / "tests" / "store_put"
    (a, b, c), (d, e) = (f"web/{day}" for day in DAYS), (f"db/{day}" for day in DAYS[:2])
    scene.run(PROGRAM, "store", "init", "--chunk", "64K", store)
    scene.run(put, store, "web", 1000, *range(1, 9), 0, 0, finished=[a])
    victim = sorted((store / "chunks.castr").rglob("*.cacnk"))[3]
    scene.run(put, store, "web", 2000, *range(5, 12), 0, finished=[a, b])
    scene.run(PROGRAM, "store", "check", store, finished=[a, b])
    scene.damage(victim)
    scene.run(PROGRAM, "store", "check", store, status=8, finished=[a, b])
    scene.run(put, store, "web", 3000, *range(1, 12), 0, finished=[a, b, c])
    scene.run(PROGRAM, "store", "check", store, finished=[a, b, c])
    scene.damage(victim)
    scene.run(PROGRAM, "verify", store / "web" / DAYS[0], status=8, finished=[a, b, c])
    with open(store / "lock", "r+b") as lock:  # beside a backup
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqixxxx", fcntl.F_RDLCK, os.SEEK_SET, 0, 1, 0))
        scene.run(PROGRAM, "store", "check", store, status=8, finished=[a, b, c])
        scene.run(put, store, "db", 1000, 20, 21, *range(1, 12), finished=[a, b, c, d])
    scene.run(PROGRAM, "store", "check", store, finished=[a, b, c, d])
    scene.run(PROGRAM, "verify", store / "web" / DAYS[0], finished=[a, b, c, d])
    scene.run(PROGRAM, "store", "pin", store / "web" / DAYS[1], finished=[a, b, c, d])
    scene.run(PROGRAM, "prune", "--keep-last", "1", store, finished=[b, c, d])
    scene.run(PROGRAM, "store", "unpin", store / "web" / DAYS[1], finished=[b, c, d])
    scene.run(put, store, "db", 2000, 20, 21, finished=[b, c, d, e])
    scene.run(PROGRAM, "prune", "--keep-last", "1", store, finished=[c, e])
    return scene, victim.name[:64]


# ---- going on ----

def quick_folder(prefix):
    """Where a sync costs nothing: no disk fails here."""
    return tempfile.TemporaryDirectory(prefix=prefix, dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def put_on_disk(tree, folder):
    folder.mkdir()
    for name, node in tree.items():
        if isinstance(node, dict):
            put_on_disk(node, folder / name)
        elif isinstance(node, str):
            (folder / name).symlink_to(node)
        else:
            (folder / name).write_bytes(node)


def go_on(store):
    """Without repair by hand: what was damaged is found, a backup has all of it, and what is unused can go."""
    def run(*command, statuses=(0,)):
        done = subprocess.run([str(part) for part in command], capture_output=True, check=False, timeout=60)
        assert done.returncode in statuses, (command, done)
        return done.stdout
    if not (store / "vmabackup-store").exists():
        run(PROGRAM, "store", "init", "--chunk", "64K", store)
    run(PROGRAM, "store", "check", store, statuses=(0, 8))
    run(BUILD / "tests" / "store_put", store, "web", 4000, *range(1, 22), 0)
    assert b"all whole" in run(PROGRAM, "store", "check", store)
    run(PROGRAM, "prune", "--keep-last", "1", store)
    assert b"all whole" in run(PROGRAM, "store", "check", store)
    left = json.loads(run(PROGRAM, "store", "stat", "--json", store))
    assert left["unused_chunks"] == left["set_aside"] == 0 and left["chunks"] in (22, 24), left
    hidden = [path.name for path in store.rglob(".*")] + [path.name for path in store.rglob("tmp")]
    assert not hidden, hidden


def main():
    print(f"seed {SEED}")
    rng, seen = random.Random(SEED), 0
    with quick_folder("vmt-power-") as name:
        folder = pathlib.Path(name).resolve()
        scene, victim = record(folder)
        calls = [line.split("\t") for line in scene.log.read_text().splitlines()]
        machine, chunks = Machine(scene.root), {}
        tried = scene.choose(rng)
        for n, call in enumerate(calls):
            chosen = rng.randrange(4) if n in tried else None
            machine.do(*call)
            if call[0] == "rename" and call[2].endswith(".cacnk"):
                chunks.setdefault(call[2][-70:-6], machine.find(call[2]).now)
            for i, tree in enumerate(states(machine, rng)):
                there = snapshots(tree)
                must_be_good_names(tree, chunks, {victim})
                for snapshot, inside in there.items():
                    must_be_whole(tree, snapshot, inside, chunks, {victim})
                missing = scene.must_be_there(n) - set(there)
                assert not missing, (n, call[:2], missing)
                if i == chosen:
                    put_on_disk(tree, folder / f"go{n}")
                    go_on(folder / f"go{n}" / "bk")
                    seen += 1
        for snapshot, inside in snapshots(machine.after(new, new)).items():
            must_be_whole(machine.after(new, new), snapshot, inside, chunks, set())
    print(f"ok {len(calls)} calls, {4 * len(calls)} power cuts, went on from {seen} of them")


if __name__ == "__main__":
    main()
