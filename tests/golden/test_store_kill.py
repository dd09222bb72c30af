#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of whatever works in a store, after each of its calls that change a file: every snapshot that is listed then is whole, none is
gone that should stay, and what comes next works without repair by hand."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from archives import BUILD, PROGRAM  # noqa: E402
from test_store_power import DAYS, go_on, must_be_whole, quick_folder, snapshots  # noqa: E402

PUT = BUILD / "tests" / "store_put"


def read_tree(folder):
    return {path.name: os.readlink(path) if path.is_symlink() else read_tree(path) if path.is_dir() else path.read_bytes()
            for path in folder.iterdir()}


def run(*command, env=None):
    return subprocess.run([str(part) for part in command], env=env, capture_output=True, check=False, timeout=60)


def must_run(*command):
    done = run(*command)
    assert done.returncode == 0, (command, done)


def make(folder):
    """Two guests that share chunks, and chunks that nobody names."""
    store = folder / "bk"
    must_run(PROGRAM, "store", "init", "--chunk", "64K", store)
    must_run(PUT, store, "web", 1000, *range(1, 9), 0)
    must_run(PUT, store, "web", 2000, *range(5, 12), 0)
    must_run(PUT, store, "db", 1000, 20, 21, 1)
    must_run(PUT, store, "gone", 1000, 30, 31)
    shutil.rmtree(store / "gone")


def chunks_in(folder):
    return {path.name[:64]: path.read_bytes() for path in folder.rglob("*.cacnk")}


def damage(store):
    """The second chunk of web's first snapshot, by its index."""
    name = (store / "web" / DAYS[0] / "scsi0.caibx").read_bytes()[64 + 40 + 8:64 + 80].hex()
    path = store / "chunks.castr" / name[:4] / f"{name}.cacnk"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    os.chmod(path, 0o644)
    path.write_bytes(data)
    return name


def killed(folder, original, n, command):
    """In a copy, after n calls (0: never); None: it has ended."""
    shutil.copytree(original, folder, symlinks=True)
    env = dict(os.environ, LD_PRELOAD=str((BUILD / "tests/record_files.so").resolve()), RECORD_TO=str(folder) + ".log", RECORD_BELOW=str(folder),
               RECORD_KILL=str(n), TZ="UTC", ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    done = run(*(str(part).replace(str(original), str(folder)) for part in command), env=env)
    assert done.returncode in (0, 8, -signal.SIGKILL), (command, done)
    return folder if done.returncode == -signal.SIGKILL else None


def must_live(folder, chunks, lost, stays):
    tree = read_tree(folder)
    there = snapshots(tree)
    for name, inside in there.items():
        must_be_whole(tree, name, inside, chunks, lost)
    assert stays <= set(there), (stays, set(there))
    told = json.loads(run(PROGRAM, "list", "--json", folder / "bk").stdout)["snapshots"]
    assert {s["snapshot"] for s in told} == set(there) and not any(s["error"] for s in told), told


def kill_everywhere(folder, name, command, stays, is_damaged=False):
    original = folder / name
    command = [str(part).replace("STORE", str(original / "bk")) for part in command]
    original.mkdir()
    make(original)
    chunks, lost, n = chunks_in(original), {damage(original / "bk")} if is_damaged else set(), 1
    assert killed(folder / f"{name}-whole", original, 0, command) is None
    chunks = {**chunks_in(folder / f"{name}-whole"), **chunks}
    while killed(folder / f"{name}-{n}", original, n, command):
        must_live(folder / f"{name}-{n}", chunks, lost, stays)
        if n % 3 == 1:  # it takes a while
            go_on(folder / f"{name}-{n}" / "bk")
        shutil.rmtree(folder / f"{name}-{n}")
        n += 1
    assert n > 3, (command, n)
    print(f"ok {name}: killed {n - 1} times", flush=True)


def main():
    a, b, c = f"web/{DAYS[0]}", f"web/{DAYS[1]}", f"db/{DAYS[0]}"
    with quick_folder("vmt-kill-") as name:
        folder = pathlib.Path(name).resolve()
        kill_everywhere(folder, "prune", [PROGRAM, "prune", "--keep-last", "1", "STORE"], {b, c})
        kill_everywhere(folder, "check", [PROGRAM, "store", "check", "STORE"], {a, b, c})
        kill_everywhere(folder, "check-damaged", [PROGRAM, "store", "check", "STORE"], {a, b, c}, is_damaged=True)
        kill_everywhere(folder, "verify", [PROGRAM, "verify", f"STORE/{b}"], {a, b, c})
        kill_everywhere(folder, "backup", [PUT, "STORE", "web", "3000", "1", "2", "40", "41"], {a, b, c})


if __name__ == "__main__":
    main()
