# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are, what can be had here, and how a test file is run."""
import argparse
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import traceback

repo = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77  # what ctest takes for "skipped"


class Skip(Exception):
    """Raised by a test that cannot be run here; says why."""


def engine():
    """What all backups are asked to read drives by: VMABACKUP_ENGINE; without it, what the program does by itself."""
    return os.environ.get("VMABACKUP_ENGINE", "push")


def of_push(why):
    """Decorates a test of what only engine push does."""
    def decorate(test):
        @functools.wraps(test)
        def run(version):
            if engine() != "push":
                raise Skip(f"of engine push alone: {why}")
            return test(version)
        return run
    return decorate


def wait_for(condition, seconds, what, step=0.02):
    """Returns condition() once it is true; fails after so many seconds. Never a sleep for its own sake."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(step)


@functools.cache
def _version(binary):
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\d+\.\d+)", text)
    return match.group(1) if match else None


def older_than(version, other):
    """Of "9.2" and "10.0" the first; what depends on a QEMU's age is asked like this, for any of them may be tried."""
    return [int(n) for n in version.split(".")] < [int(n) for n in other.split(".")]


def _unpacked(major):
    """Where scripts/get-qemu puts it, unless VMABACKUP_QEMU10 or VMABACKUP_QEMU11 name another folder."""
    binary = pathlib.Path(os.environ.get(f"VMABACKUP_QEMU{major}", repo / f"build/qemu{major}"), "bin/qemu-system-x86_64")
    return str(binary) if binary.exists() else None


def _given():
    """The program that VMABACKUP_QEMU_PATH names, None without it."""
    path = os.environ.get("VMABACKUP_QEMU_PATH")
    if path and not (os.access(path, os.X_OK) and _version(os.path.abspath(path))):
        sys.exit(f"VMABACKUP_QEMU_PATH: {path} is no QEMU that tells its version")
    return path and os.path.abspath(path)


def qemu_binaries():
    """{"7.2": path, "10.0": path, "11.1": path}: the system's QEMU, those that scripts/get-qemu has unpacked, and over them
    the one of VMABACKUP_QEMU_PATH."""
    found = {}
    for binary in (_unpacked(11), _unpacked(10), shutil.which("qemu-system-x86_64"), _given()):
        version = _version(binary) if binary else None
        if version:
            found[version] = binary
    return found


def qemu_versions():
    """The versions a test is run with. VMABACKUP_QEMU=10.0 picks one; 11.1 is used only when asked for like this.
    VMABACKUP_QEMU_PATH=/path/to/qemu-system-x86_64 picks that program, whatever its version."""
    wanted = _version(_given()) if _given() else os.environ.get("VMABACKUP_QEMU")
    return [wanted] if wanted else ["7.2", "10.0"]


def qemu_binary(version):
    binary = qemu_binaries().get(version)
    if not binary:
        hint = f"; scripts/get-qemu {version} may fetch it" if version in ("10.0", "11.1") else ""
        raise Skip(f"no QEMU {version} here{hint}")
    return binary


@functools.cache
def _can_pull(program):
    return "--engine" in subprocess.run([program, "backup", "--help"], capture_output=True, text=True, check=False).stdout


def product(name="vmabackup"):
    """The program under test, from $VMABACKUP_BUILD (ctest sets it)."""
    build = pathlib.Path(os.environ.get("VMABACKUP_BUILD", repo / "build/dev"))
    program = build / name
    if not program.exists():
        raise Skip(f"{name} is not built in {build}")
    if engine() == "pull" and not _can_pull(build / "vmabackup"):
        raise Skip("engine pull is not built in")
    return str(program)


def _versions_for(index, test, both, newest):
    """Every version for what matters most, the newest for what was worst there, one in turn for the rest: the whole suite
    has to end within ten minutes on two cores. VMABACKUP_FULL=1: every version for all."""
    versions = qemu_versions()
    if os.environ.get("VMABACKUP_FULL") or test in both:
        return versions
    there = [v for v in versions if v in qemu_binaries()]
    if there and test in newest:
        return there[-1:]
    return [there[index % len(there)]] if there else versions


def arguments():
    """The command line of a test file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="tests by a part of their name, whichever kind")
    parser.add_argument("--slow", action="store_true", help="those that the ordinary suite leaves out")
    parser.add_argument("--long", action="store_true", help="those that take many minutes")
    parser.add_argument("--seed", type=int, help="where a test is random: what it does")
    parser.add_argument("--n", type=int, help="where something is repeated: how often")
    return parser.parse_args()


def option(name, usual):
    """--seed or --n of the command line."""
    given = getattr(arguments(), name)
    return usual if given is None else given


def _chosen(tests, slow, long):
    given = arguments()
    if given.names:
        return [t for t in (*tests, *slow, *long) if any(name in t.__name__ for name in given.names)]
    return long if given.long else slow if given.slow else tests


def main(*tests, versions=None, both=(), newest=(), slow=(), long=()):
    """Runs each test(version) with the QEMU versions; the end of a test file. Exit 0, 1 or 77 (all skipped).

    slow, long: tests that run only with --slow, --long (ctest's labels); those that take long with every version.
    """
    passed = failed = 0
    for index, test in enumerate(_chosen(tests, slow, long)):
        for version in versions or _versions_for(index, test, (*both, *long), newest):
            start = time.monotonic()
            label = f"{test.__name__} [{version}]"
            try:
                test(version)
                passed += 1
                print(f"ok    {label} {time.monotonic() - start:.1f} s", flush=True)
            except Skip as reason:
                print(f"skip  {label}: {reason}", flush=True)
            except Exception:  # the other tests are still worth running
                failed += 1
                traceback.print_exc()
                print(f"FAIL  {label} {time.monotonic() - start:.1f} s", flush=True)
    sys.exit(1 if failed else 0 if passed else SKIPPED)
