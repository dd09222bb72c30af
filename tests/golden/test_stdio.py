#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that is started without standard descriptors says what it has to say, and does not abort."""
import os
import pathlib
import subprocess
import sys

BUILD = pathlib.Path(os.environ.get("VMABACKUP_BUILD", "build/dev"))


def run(program, *arguments, closed):
    script = f"exec {closed}; exec \"$@\""
    return subprocess.run(["sh", "-c", script, "sh", BUILD / program, *arguments], capture_output=True, timeout=30)


def main():
    for program, arguments in (("vmabackup", ["backup", "-o", "/nonexistent/a.vma", "/nonexistent/monitor"]),
                               ("vmabackup-tui", ["--json", "-o", "/nonexistent/a.vma", "/nonexistent/monitor"])):
        for closed in ("<&-", "<&- >&-", "<&- >&- 2>&-"):
            done = run(program, *arguments, closed=closed)
            assert done.returncode in (1, 5), (program, closed, done)
    assert b"/nonexistent/monitor" in run("vmabackup", "info", "/nonexistent/monitor", closed="<&- >&-").stderr
    lost = run("vmabackup", "--version", closed=">&-")
    assert lost.returncode == 1 and b"standard output" in lost.stderr, lost
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
