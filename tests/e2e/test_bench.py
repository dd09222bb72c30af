#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/bench still measures: a table, JSON, and the exit status by its limit. Not how fast anything is."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import main, product
from vmtest.env import qemu_binary, repo

WAYS = ["drive-backup", "push", "memcpy"]


def bench(version, folder, *words):
    done = subprocess.run([repo / "scripts/bench", "--build", os.path.dirname(product()), "--qemu", qemu_binary(version),
                           "--dir", folder, "--size", "16", "--rounds", "1", "--way", *WAYS[1:], *words],
                          capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done


def a_table_for_each_kind_of_data(version):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "all.json")
        done = bench(version, folder, "--data", "random", "4k", "--limit", "1000", "--json", path)
        assert done.returncode == 0 and f"QEMU {version}, 1 drive, 16 MiB, random" in done.stdout, done.stdout
        cells = json.loads(path.read_text())["cells"]
        assert [cell["data"] for cell in cells] == ["random", "4k"], cells
        for cell in cells:
            assert [row["way"] for row in cell["rows"]] == WAYS, cell
            assert all(row["wall_s"] > 0 and row["ratio"] > 0 for row in cell["rows"]), cell
        assert os.listdir(folder) == ["all.json"], os.listdir(folder)


def more_than_the_limit_is_a_failure(version):
    with tempfile.TemporaryDirectory() as folder:
        done = bench(version, folder, "--data", "half", "--limit", "0.001")
        assert done.returncode == 1 and "| push " in done.stdout, done.stdout


def writes_of_the_guest_are_timed(version):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "all.json")
        done = bench(version, folder, "--data", "random", "--drives", "3", "--guest", "--json", path, "--way", "idle", "push")
        cell, = json.loads(path.read_text())["cells"]
        idle = cell["rows"][0]
        assert cell["n_drives"] == 3 and idle["way"] == "idle" and "| writes ms p50 |" in done.stdout, done.stdout
        assert 0 < idle["write_ms"][0] <= idle["write_ms"][1] <= idle["write_ms"][2], idle


if __name__ == "__main__":
    main(a_table_for_each_kind_of_data, more_than_the_limit_is_a_failure, writes_of_the_guest_are_timed)
