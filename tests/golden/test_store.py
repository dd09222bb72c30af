#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of a store, on stores that were made by what docs/store.md says: list, stat, check, pin, prune."""
import fcntl
import hashlib
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from archives import BUILD, PROGRAM, assert_one_line, main, run  # noqa: E402
from stores import Store  # noqa: E402

os.environ["TZ"] = "UTC"
CHUNK = 65536
PAGE = pathlib.Path(__file__).parents[2] / "docs/store.md"


def make_store(folder):
    made = Store(folder / "bk", CHUNK)
    return made, made.path


def chunk_path(made, data):
    return made.chunk_path(hashlib.sha256(data).digest())


def noise(seed, chunks):
    return random.Random(seed).randbytes(chunks * CHUNK)


def files(store, suffix=".cacnk"):
    return sorted(path.name for path in (store / "chunks.castr").rglob("*" + suffix))


def run_json(*arguments, status=0):
    """With damage there is a line on standard error, too."""
    done = subprocess.run([PROGRAM, *map(str, arguments), "--json"], capture_output=True, timeout=60, check=False)
    assert done.returncode == status, done
    if status:
        assert_one_line(done.stderr, arguments)
    return json.loads(done.stdout)


def test_init(folder):
    store = folder / "bk"
    assert b"chunks of 64.0K" in run("store", "init", "--chunk", "64K", store)[0]
    assert (store.stat().st_mode & 0o777) == 0o700
    key = (store / "vmabackup-store").read_text(encoding="ascii").splitlines()
    assert key[:3] == ["format=1", "chunk=65536", "digest=sha256"] and key[3].startswith("created=2"), key
    assert b"a store already" in run("store", "init", store, status=6)[1]
    assert b"not empty" in run("store", "init", folder, status=6)[1]
    for chunk in ("32K", "32M", "100K", "x", "0"):
        run("store", "init", "--chunk", chunk, folder / "other", status=2)
    assert not (folder / "other").exists()
    assert b"chunk=1048576" in (run("store", "init", folder / "other") and (folder / "other" / "vmabackup-store").read_bytes())
    assert run_json("list", store) == {"store": str(store.resolve()), "snapshots": []}
    for wrong in (["store"], ["store", "stat"], ["store", "nosuch", store], ["store", "stat", "--chunk", "1M", store], ["prune"],
                  ["prune", "--keep-last", "-1", store], ["prune", "--keep-last", "x", store]):
        run(*wrong, status=2)
    for command in (["store", "stat"], ["store", "check"], ["prune"]):
        assert b"no store" in run(*command, folder, status=1)[1]
    assert b"no store" in run("info", "--store", folder, folder / "monitor", status=6)[1]


def test_list(folder):
    made, store = make_store(folder)
    a = noise(1, 3)
    made.add("web", "2026-11-28T08:10:20Z", {"scsi0": a, "scsi1": bytes(512)}, configs={"vmabackup.json": b"{}"})
    second = made.add("web", "2026-11-29T08:10:20Z", {"scsi0": a + bytes(512)}, b"stream")
    made.add("db", "2026-11-30T08:10:20Z", {"scsi0": a})
    text = run("list", store)[0].decode().splitlines()
    assert [line.split()[0] for line in text] == ["SNAPSHOT", "db/2026-11-30T08:10:20Z", "web/2026-11-28T08:10:20Z", "web/2026-11-29T08:10:20Z"]
    assert text[2].split()[1:] == ["193K", "0", "-", "scsi0", "scsi1"] and text[3].endswith("+RAM scsi0"), text
    run("store", "pin", second)
    told = run_json("list", store / "web")["snapshots"]
    assert [s["snapshot"] for s in told] == ["web/2026-11-28T08:10:20Z", "web/2026-11-29T08:10:20Z"]
    assert [s["is_pinned"] for s in told] == [False, True] and not told[1]["is_damaged"] and told[1]["instant"] == "2026-11-29T08:10:20Z"
    assert [d["name"] for d in told[1]["drives"]] == ["vmstate", "scsi0"] and told[1]["drives"][0]["is_ram"]
    assert run("list", store / "web")[0].decode().splitlines()[2].endswith("pinned")
    run("store", "unpin", store / "web" / "latest")
    assert not run_json("list", store / "web")["snapshots"][1]["is_pinned"]
    for path in (store, store / "web", folder, folder / "nosuch", store / "chunks.castr"):
        assert b"no snapshot of a store" in run("store", "pin", path, status=1)[1]
    (second / "snapshot.json").write_text("{}", encoding="ascii")
    told = run_json("list", store / "web")["snapshots"]
    assert told[1]["is_damaged"] and "snapshot.json" in told[1]["error"] and not told[0]["error"]


def test_stat(folder):
    made, store = make_store(folder)
    a, b, c = noise(1, 1), noise(2, 1), noise(3, 1)
    made.add("web", "2026-11-28T08:10:20Z", {"scsi0": a + b + bytes(2 * CHUNK)})
    made.add("web", "2026-11-29T08:10:20Z", {"scsi0": a + c + bytes(2 * CHUNK)})
    chunk_path(made, b"nobody's").parent.mkdir()
    chunk_path(made, b"nobody's").write_bytes(bytes(100))
    told, one = run_json("store", "stat", store), len(made.zstd.pack(a))
    rest = len(made.zstd.pack(bytes(CHUNK)))
    assert told["logical_bytes"] == 8 * CHUNK and told["chunks"] == 4 and told["stored_bytes"] == 3 * one + rest, told
    assert abs(told["ratio"] - 8 * CHUNK / (3 * one + rest)) < 1e-9
    assert [s["alone_bytes"] for s in told["snapshots"]] == [one, one]
    assert (told["unused_chunks"], told["unused_bytes"], told["set_aside"]) == (1, 100, 0)
    text = run("store", "stat", store)[0].decode()
    made.add("db", "2026-11-29T08:10:20Z", {"scsi0": c})
    web = run_json("store", "stat", store / "web")
    assert web["unused_bytes"] == 100 and [s["alone_bytes"] for s in web["snapshots"]] == [one, 0], web
    assert "snapshots  2, of 512K" in text and ": 1 to 2.7" in text and "vmabackup prune" in text, text


def test_check(folder):
    made, store = make_store(folder)
    images = {"scsi0": noise(1, 4) + bytes(3 * CHUNK), "scsi1": noise(2, 2)}
    first = made.add("web", "2026-11-28T08:10:20Z", images)
    second = made.add("web", "2026-11-29T08:10:20Z", {"scsi0": images["scsi0"]})
    assert b"good: 2 snapshots, all whole" in run("store", "check", store)[0]
    assert run_json("list", store)["snapshots"][0]["verified"].startswith("20")
    flipped = chunk_path(made, images["scsi0"][CHUNK:2 * CHUNK])
    data = bytearray(flipped.read_bytes())
    data[5000] ^= 1
    flipped.write_bytes(data)
    chunk_path(made, images["scsi1"][CHUNK:]).unlink()
    zeros = chunk_path(made, bytes(CHUNK))
    zeros.write_bytes(zeros.read_bytes()[:10])
    told = run_json("store", "check", store, status=8)
    assert [(f["snapshot"][4:14], f["drive"], f["offset"], f["length"]) for f in told["faults"]] == [
        ("2026-11-28", "scsi0", CHUNK, CHUNK), ("2026-11-28", "scsi0", 4 * CHUNK, 3 * CHUNK), ("2026-11-28", "scsi1", CHUNK, CHUNK),
        ("2026-11-29", "scsi0", CHUNK, CHUNK), ("2026-11-29", "scsi0", 4 * CHUNK, 3 * CHUNK)], told
    assert told["set_aside"] == told["damaged_chunks"] == 2 and not flipped.exists() and len(files(store, ".bad")) == 2
    assert told["damaged_snapshots"] == ["web/2026-11-28T08:10:20Z", "web/2026-11-29T08:10:20Z"]
    assert run("list", store)[0].count(b"damaged") == 2
    text, line = run("store", "check", store, status=8)
    assert b"scsi0: offset 65536, 65536 bytes: chunk was set aside as damaged" in text and b"2 of 2 snapshots" in line
    made.add("web", "2026-11-30T08:10:20Z", images)  # writes anew what it still has
    assert b"all whole" in run("store", "check", store)[0]
    assert not run("list", store)[0].count(b"damaged")
    assert b"2 unused chunks removed" in run("prune", store)[0] and not files(store, ".bad")
    (first / "scsi1.caibx").write_bytes(b"x")
    (second / "snapshot.json").unlink()
    told = run_json("store", "check", store, status=8)
    assert [(f["snapshot"][4:14], f["drive"], f["offset"]) for f in told["faults"]] == [("2026-11-28", "scsi1", None), ("2026-11-29", None, None)]
    before = files(store)
    assert b"unused chunks are not removed" in run("prune", "--keep-last", "9", store, status=8)[1] and files(store) == before


def days(made, guest, names, seed):
    for i, name in enumerate(names):
        made.add(guest, name, {"scsi0": noise(0, 1) + noise(seed + i, 1)})


def test_prune(folder):
    made, store = make_store(folder)
    names = [f"2026-11-{day:02}T{hour:02}:00:00Z" for day in range(20, 31) for hour in (3, 15)]
    days(made, "web", names, 100)
    days(made, "db", names[:3], 200)
    run("store", "pin", store / "web" / names[0])
    (store / "web" / names[1]).rename(store / "web" / "before-upgrade")
    assert len(files(store)) == 1 + len(names) + 3
    options = ["--keep-last", "2", "--keep-daily", "2", "--keep-weekly", "1"]
    dry = run_json("prune", "--dry-run", *options, store, "web")
    assert [s["snapshot"][4:] + "=" + s["kept_by"] for s in dry["snapshots"] if s["is_kept"]] == [
        "2026-11-20T03:00:00Z=pinned", "2026-11-22T15:00:00Z=weekly", "2026-11-28T15:00:00Z=daily", "2026-11-29T15:00:00Z=daily",
        "2026-11-30T03:00:00Z=last", "2026-11-30T15:00:00Z=last", "before-upgrade=pinned"], dry
    assert len(files(store)) == 1 + len(names) + 3 and dry["removed"] == len(names) - 7 == dry["removed_chunks"]
    text = run("prune", *options, store, "web")[0].decode()
    assert f"{dry['removed']} snapshots removed, {dry['removed']} unused chunks removed" in text, text
    assert len(files(store)) == 1 + 7 + 3 and len(list((store / "db").iterdir())) == 4  # latest among them
    assert b"all whole" in run("store", "check", store)[0]
    assert b"0 snapshots removed" in run("prune", store)[0]  # no rule
    assert b"of a guest nosuch" in run("prune", "--keep-last", "1", store, "nosuch", status=1)[1]
    assert b"name the store" in run("prune", store / "web", status=2)[1]
    (store / "db" / names[2] / "damaged").touch()  # by a check: the last whole one stays, too
    run("prune", "--keep-last", "1", store)
    assert len(run_json("list", store / "db")["snapshots"]) == 2
    (store / "db" / names[2] / "damaged").unlink()
    run("prune", "--keep-last", "1", store)
    assert len(run_json("list", store / "db")["snapshots"]) == 1
    assert os.readlink(store / "db" / "latest") == names[2]
    newest = os.readlink(store / "web" / "latest")
    shutil.rmtree(store / "web" / newest)  # by hand
    run("prune", store)
    assert os.readlink(store / "web" / "latest") == names[0] and newest == names[-1]  # the pinned one is left
    assert len(files(store)) == 1 + 2 + 1


def test_in_use(folder):
    """While somebody reads or writes, snapshots go, and their chunks later."""
    made, store = make_store(folder)
    days(made, "web", ["2026-11-28T03:00:00Z", "2026-11-29T03:00:00Z"], 1)
    run("list", store)  # makes the lock
    with open(store / "lock", "r+b") as lock:
        fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 1, 0))  # F_OFD_SETLK
        told = run_json("prune", "--keep-last", "1", store)
        assert told["removed"] == 1 and not told["is_collected"] and len(files(store)) == 3
        assert b"the store is in use" in run("prune", store)[0]
    assert b"1 unused chunk removed" in run("prune", store)[0] and len(files(store)) == 2


def run_meanwhile(*arguments, at, do, status=0):
    """`do` happens in the moment when the program opens a path that ends with `at`."""
    env = dict(os.environ, LD_PRELOAD=str((BUILD / "tests/meanwhile.so").resolve()), MEANWHILE_AT=at, MEANWHILE_DO=do,
               ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    done = subprocess.run([PROGRAM, *map(str, arguments)], env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == status, done
    return done.stdout


def test_verify(folder):
    """It notes what it found of the snapshot that it has read, whichever is the latest by then."""
    made, store = make_store(folder)
    first, second = "2026-11-28T03:00:00Z", "2026-11-29T03:00:00Z"
    days(made, "web", [first, second], 1)
    os.replace(store / "web" / second, folder / second)
    (store / "web" / "latest").unlink()
    (store / "web" / "latest").symlink_to(first)
    told = run_meanwhile("verify", store / "web" / "latest", at=".cacnk",
                         do=f"mv {folder / second} {store / 'web'} && ln -sfn {second} {store / 'web/latest'}")
    assert first.encode() in told and second.encode() not in told, told
    assert [bool(s["verified"]) for s in run_json("list", store)["snapshots"]] == [True, False]
    victim = chunk_path(made, noise(1, 1))
    victim.write_bytes(b"x")
    run("verify", store / "web" / first, status=8)
    assert [bool(s["verified"]) for s in run_json("list", store)["snapshots"]] == [False, False]


def test_pinned_meanwhile(folder):
    made, store = make_store(folder)
    names = [f"2026-11-{day}T03:00:00Z" for day in (27, 28, 29)]
    days(made, "web", names, 1)
    pin = f"{PROGRAM} store pin {store / 'web' / names[1]}"
    told = run_meanwhile("prune", "--keep-last", "1", store, at=names[0], do=pin)
    assert f"stays    pinned   web/{names[1]}".encode() in told and b"1 snapshot removed" in told, told
    assert [s["snapshot"][4:] for s in run_json("list", store)["snapshots"]] == names[1:]
    assert b"all whole" in run("store", "check", store)[0]


def test_strays(folder):
    """What lies out of place keeps all chunks, and is named; a backup does not go through a link."""
    made, store = make_store(folder)
    days(made, "web", ["2026-11-28T03:00:00Z"], 1)
    os.replace(store / "web", folder / "web")
    (store / "web").symlink_to(folder / "web")
    before = files(store)
    line = run("prune", "--keep-last", "1", store, status=1)[1]
    assert f"{store.resolve()}/web: a symbolic link".encode() in line and files(store) == before, line
    (store / "web").unlink()
    os.replace(folder / "web", store / "web")
    assert b"0 unused chunks" in run("prune", "--keep-last", "1", store)[0]


def test_casync(folder):
    """It takes our store as its own, by the line of the page."""
    if not shutil.which("casync"):
        return
    (made, store), image = make_store(folder), noise(1, 2) + bytes(CHUNK) + noise(2, 1)[:512]
    snapshot = made.add("web", "2026-11-28T08:10:20Z", {"scsi0": image})
    run("store", "check", store)
    line, = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("    casync extract"))
    line = line.replace("/backup", str(store)).replace("web-01/2026-11-30T08:10:20Z", f"web/{snapshot.name}")
    subprocess.run(line.split(), cwd=folder, check=True)
    assert (folder / "scsi0.raw").read_bytes() == image


if __name__ == "__main__":
    main([test_init, test_list, test_stat, test_check, test_prune, test_in_use, test_verify, test_pinned_meanwhile, test_strays, test_casync], "vmt-store-")
