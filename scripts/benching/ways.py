# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways that are timed: each makes a new copy of all drives of a run's guest, and adds what that costs beside QEMU."""
import contextlib
import ctypes
import dataclasses
import functools
import mmap
import os
import shutil
import subprocess
import tempfile
import threading
import time

from vmtest.env import wait_for

BASE = "drive-backup"  # to which all others are compared
OURS = "push"


@dataclasses.dataclass
class Cost:
    """Of what runs beside QEMU: CPU seconds, and the largest that one process was."""

    cpu_s: float = 0.0
    rss_mib: float = 0.0

    def add(self, other):
        self.cpu_s += other.cpu_s
        self.rss_mib = max(self.rss_mib, other.rss_mib)


class Program:
    """A child, whose cost is known when it has ended. VmHWM, for ru_maxrss begins with what we are ourselves."""

    def __init__(self, *words):
        self._said = tempfile.TemporaryFile()
        self._child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said)
        self._words, self._hwm_kib, self._is_over = words, 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self):
        while not self._is_over.wait(0.02):
            with contextlib.suppress(OSError), open(f"/proc/{self._child.pid}/status", encoding="ascii") as status:
                self._hwm_kib = next((int(line.split()[1]) for line in status if line.startswith("VmHWM")),
                                     self._hwm_kib)

    def end(self, is_killed=False):
        """Its cost; exits when it has failed."""
        if is_killed:
            self._child.terminate()
        _, status, used = os.wait4(self._child.pid, 0)
        self._child.returncode = status
        self._is_over.set()
        self._watcher.join()
        if status and not is_killed:
            self._said.seek(0)
            raise RuntimeError(f"{self._words}: {self._said.read().decode(errors='replace')[-2000:]}")
        return Cost(used.ru_utime + used.ru_stime, self._hwm_kib / 1024)


# --- ours ------------------------------------------------------------------------------------------------------------

@functools.cache
def has_engine(build):
    return "--engine" in subprocess.run([f"{build}/vmabackup", "backup", "--help"], capture_output=True, text=True,
                                        check=True).stdout


def _ours(run, engine="push", target="ours.vma", level=0):
    words = [f"{run.build}/vmabackup", "backup", "--no-vmstate", "--log", "/dev/null", f"--level={level}", "-o",
             os.path.join(run.folder, target)]
    if has_engine(run.build):
        words += ["--engine", engine]
    with run.clock():
        run.cost.add(Program(*words, run.guest.monitor).end())


def _store(run, again=False):
    """The second time, everything is read and nothing is new."""
    store, words = os.path.join(run.folder, "store"), [f"{run.build}/vmabackup", "backup", "--no-vmstate", "--track", "no"]
    subprocess.run([words[0], "store", "init", store], check=True, stdout=subprocess.DEVNULL)
    words += ["--log", "/dev/null", "-o", store, run.guest.monitor]
    if again:
        Program(*words).end()
    with run.clock():
        run.cost.add(Program(*words).end())


def _casync(run):
    with run.clock():
        for drive in run.guest.drives:
            run.cost.add(Program("casync", "make", "--chunk-size=1048576", f"--store={run.folder}/casync.castr",
                                 f"{run.folder}/casync.caibx", drive.path).end())


# --- QEMU's own ------------------------------------------------------------------------------------------------------

def _idle(run):
    with run.clock():
        run.guest.qmp.pump(1)


def _drive_backup(run):
    with run.clock():
        for name in run.guest.names():
            run.guest.qmp.cmd("drive-backup", {"device": name, "job-id": f"b-{name}", "target": f"{run.folder}/{name}.b",
                                               "sync": "full", "format": "raw", "mode": "absolute-paths"})
        run.guest.wait_jobs(len(run.guest.drives))


def _in_process(run):
    """The command of Proxmox's QEMU."""
    def state():
        return run.guest.qmp.cmd("query-backup").get("status")
    with run.clock():
        run.guest.qmp.cmd("backup", {"backup-file": f"{run.folder}/in-process.vma", "format": "vma"})
        wait_for(lambda: state() != "active", 600, "the backup to end", 0.005)
    if state() != "done":
        raise RuntimeError("QEMU's own backup failed")


# --- other servers and clients of NBD --------------------------------------------------------------------------------

def _start_nbdkit(run, drive, kind):
    socket, target = f"{run.folder}/{drive.name}.nbd", f"{run.folder}/{drive.name}.kit"
    if kind == "file":
        with open(target, "wb") as file:
            file.truncate(drive.size)
    plugin = ["null", f"size={drive.size}"] if kind == "null" else ["file", target]
    server = Program("nbdkit", "-f", "-U", socket, *plugin)
    wait_for(lambda: os.path.exists(socket), 10, "nbdkit to listen")
    return server


def _push_to_nbdkit(run, kind):
    qmp, names = run.guest.qmp, run.guest.names()
    servers = [_start_nbdkit(run, drive, kind) for drive in run.guest.drives]
    with run.clock():
        for name in names:
            server = {"type": "unix", "path": f"{run.folder}/{name}.nbd"}
            qmp.cmd("blockdev-add", {"driver": "nbd", "node-name": f"k-{name}", "server": server})
            qmp.cmd("blockdev-backup", {"device": name, "job-id": f"k-{name}", "sync": "full", "target": f"k-{name}"})
        run.guest.wait_jobs(len(names))
    wait_for(lambda: not qmp.cmd("query-jobs"), 10, "the jobs to be gone")
    for name in names:
        qmp.cmd("blockdev-del", {"node-name": f"k-{name}"})
    for server in servers:
        run.cost.add(server.end(is_killed=True))


def _nbdcopy(run, kind):
    qmp, names, socket = run.guest.qmp, run.guest.names(), f"{run.folder}/export.nbd"
    with run.clock():
        qmp.cmd("nbd-server-start", {"addr": {"type": "unix", "data": {"path": socket}}})
        for name, node in zip(names, run.guest.node_names()):
            qmp.cmd("block-export-add", {"type": "nbd", "id": f"e-{name}", "node-name": node, "name": name})
        copies = [Program("nbdcopy", f"nbd+unix:///{name}?socket={socket}",
                          "null:" if kind == "null" else f"{run.folder}/{name}.copied") for name in names]
        for copy in copies:
            run.cost.add(copy.end())
        qmp.cmd("nbd-server-stop")


# --- floors ----------------------------------------------------------------------------------------------------------

def _shell(run, line):
    images = " ".join(drive.path for drive in run.guest.drives)
    with run.clock():
        run.cost.add(Program("sh", "-c", f"exec {line} {images} > {run.folder}/floor").end())


def _map(drive):
    with open(drive.path, "rb") as image:
        return mmap.mmap(image.fileno(), 0, mmap.MAP_PRIVATE | mmap.MAP_POPULATE, mmap.PROT_READ | mmap.PROT_WRITE)


def _memcpy(run, piece=1 << 20):
    sources, to = [_map(drive) for drive in run.guest.drives], ctypes.create_string_buffer(piece)
    views = [ctypes.c_char.from_buffer(source) for source in sources]
    began = time.process_time()
    with run.clock():
        for source, view in zip(sources, views):
            for at in range(0, len(source), piece):
                ctypes.memmove(to, ctypes.addressof(view) + at, min(piece, len(source) - at))
    run.cost.add(Cost(time.process_time() - began))


# --- the table -------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Way:
    name: str
    copy: object            # copy(run)
    is_there: object = lambda guest, build: True
    is_usual: bool = False  # measured without --full
    is_apart: bool = False  # in a QEMU of its own: it changes what later copies cost there


def _needs(program):
    return lambda guest, build: bool(shutil.which(program))


def _ours_in_all_targets(engine):
    def is_there(_guest, build):
        return engine == "push" or has_engine(build)
    for suffix, options, is_usual in (("", {}, True), (" null", {"target": "/dev/null"}, True),
                                      (" zstd:1", {"target": "ours.vma.zst", "level": 1}, False),
                                      (" zstd:3", {"target": "ours.vma.zst", "level": 3}, False)):
        yield Way(engine + suffix, functools.partial(_ours, engine=engine, **options), is_there, is_usual=is_usual)


WAYS = [
    Way("idle", _idle, lambda guest, build: guest.is_writing, is_usual=True),
    Way(BASE, _drive_backup, is_usual=True),
    *_ours_in_all_targets("push"),
    *_ours_in_all_targets("pull"),
    Way("store", _store),
    Way("store again", functools.partial(_store, again=True)),
    Way("casync make", _casync, _needs("casync")),
    Way("in-process backup", _in_process, lambda guest, build: guest.has_command("backup"), is_usual=True),
    *(Way(f"nbdkit {kind}", functools.partial(_push_to_nbdkit, kind=kind), _needs("nbdkit"), kind == "null")
      for kind in ("null", "file")),
    # Once an export was read, QEMU 10's own jobs take half the CPU: docs/performance.md.
    *(Way(f"nbdcopy {kind}", functools.partial(_nbdcopy, kind=kind), _needs("nbdcopy"), is_apart=True)
      for kind in ("null", "file")),
    Way("zstd -T2 -1", functools.partial(_shell, line="zstd -T2 -1 -q -c"), _needs("zstd")),
    Way("zstd -T2 -3", functools.partial(_shell, line="zstd -T2 -3 -q -c"), _needs("zstd")),
    Way("cat to a file", functools.partial(_shell, line="cat"), is_usual=True),
    Way("memcpy", _memcpy, is_usual=True),
]
