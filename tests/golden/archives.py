# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the reading commands share: the program, a folder, and how an answer is judged."""
import os
import pathlib
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ.get("VMABACKUP_BUILD", pathlib.Path(__file__).parents[2] / "build/dev"))
PROGRAM, MAKE_VMA = BUILD / "vmabackup", BUILD / "tests" / "make_vma"
SKIP = 77


def run(*arguments, stdin=None, status=0):
    """Runs `vmabackup ARGUMENTS`; its exit status must be the one given. Returns (stdout, stderr) as bytes."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, timeout=120,
                          stdin=None if stdin is not None else subprocess.DEVNULL)
    assert done.returncode == status, f"{arguments}: exit {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}"
    if status:
        assert_one_line(done.stderr, arguments)
    else:
        assert not done.stderr, f"{arguments}: {done.stderr}"
    return done.stdout, done.stderr


def assert_one_line(stderr, what):
    text = stderr.decode()
    assert text.startswith("vmabackup: ") and text.endswith("\n") and text.count("\n") == 1, f"{what}: {text!r}"
    assert text[:-1].isprintable(), f"{what}: {text!r}"


def make_vma(*arguments):
    subprocess.run([MAKE_VMA, *map(str, arguments)], check=True)


def main(tests, folder_prefix):
    """Runs each test(folder) in a fresh folder."""
    for needed in (PROGRAM, MAKE_VMA):
        if not needed.exists():
            sys.exit(f"{needed}: not built")
    for test in tests:
        with tempfile.TemporaryDirectory(prefix=folder_prefix) as folder:
            test(pathlib.Path(folder))
        print(f"ok {test.__name__}", flush=True)
