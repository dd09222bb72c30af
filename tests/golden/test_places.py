#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A cron job's run is found from a login: the two have other places for their sockets. In namespaces of its own."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

build = pathlib.Path(os.environ.get("VMABACKUP_BUILD", "build/dev")).resolve()

# $1: both programs' folder, $2: a monitor that is never answered. All of it goes with the namespace.
SCRIPT = """
set -e
mount -t tmpfs none /run
mkdir -p /run/user/0
env -u XDG_RUNTIME_DIR "$1/vmabackup" backup -o /run/x.vma "$2" > /run/out 2>&1 &
for i in $(seq 200); do test -n "$(ls /run/vmabackup/*.sock 2>/dev/null)" && break; sleep 0.05; done
echo cron: $(ls /run/vmabackup)
XDG_RUNTIME_DIR=/run/user/0 "$1/vmabackup" runs
echo apart: $(XDG_RUNTIME_DIR=/run/apart "$1/vmabackup" runs 2>&1)
kill $!
wait
"""


def main():
    if subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/run"], capture_output=True,
                      check=False).returncode:
        print("no namespaces here")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="vmt-") as folder, socket.socket(socket.AF_UNIX) as monitor:
        path = os.path.join(folder, "monitor")
        monitor.bind(path)
        monitor.listen()
        done = subprocess.run(["unshare", "-Urm", "sh", "-c", SCRIPT, "sh", str(build), path], capture_output=True,
                              text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) >= 3 and ".sock" in lines[0], done
    run = next(word for word in lines[0].split() if word.endswith(".sock"))[:8]
    assert lines[1].startswith(run), f"a login does not see the cron job's run: {done.stdout}{done.stderr}"
    assert lines[-1] == "apart: vmabackup: no backup goes on", lines
    print("ok")


if __name__ == "__main__":
    main()
