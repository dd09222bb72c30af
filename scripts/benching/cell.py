# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell of the matrix – a QEMU, a kind of data, so many drives – measured in rounds in which the ways take turns."""
import contextlib
import dataclasses
import os
import shutil
import statistics
import tempfile
import time

from .guest import Guest
from .ways import BASE, WAYS, Cost


class Run:
    """One way, once: what it needs, and what it has taken."""

    def __init__(self, guest, folder, build):
        self.guest, self.folder, self.build = guest, folder, build
        self.wall_s = self.qemu_cpu_s = 0.0
        self.cost, self.write_times = Cost(), []

    @contextlib.contextmanager
    def clock(self):
        """Around what is to be timed."""
        self.guest.forget_events()
        since, cpu_s, began = self.guest.round_now(), self.guest.cpu_s(), time.monotonic()
        yield
        self.wall_s, self.qemu_cpu_s = time.monotonic() - began, self.guest.cpu_s() - cpu_s
        self.write_times = self.guest.write_times(since)


@dataclasses.dataclass
class Row:
    """A way's medians over all rounds. ratio: the median of what it took, each time, against BASE in the same round."""

    way: str
    wall_s: float
    ratio: float
    qemu_cpu_s: float
    other_cpu_s: float
    rss_mib: float
    write_ms: tuple  # of the guest: median, 99 %, worst; empty where it stands still
    wall_s_of_rounds: list


@dataclasses.dataclass
class Cell:
    qemu: str
    data: str
    n_drives: int
    mib: int
    rows: list

    def ratio(self, way):
        return next((row.ratio for row in self.rows if row.way == way), None)


def _run(way, guest, folder, build):
    run, before = Run(guest, folder, build), set(os.listdir(folder))
    way.copy(run)
    for name in set(os.listdir(folder)) - before:
        path = f"{folder}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    return run


def _write_ms(runs):
    times = sorted(seconds * 1000 for run in runs for seconds in run.write_times)
    return (times[len(times) // 2], times[len(times) * 99 // 100], times[-1]) if times else ()


def _row(name, runs, base):
    def median(value):
        return statistics.median(map(value, runs))
    return Row(name, median(lambda run: run.wall_s),
               statistics.median(run.wall_s / other.wall_s for run, other in zip(runs, base)),
               median(lambda run: run.qemu_cpu_s), median(lambda run: run.cost.cpu_s),
               max(run.cost.rss_mib for run in runs), _write_ms(runs), [run.wall_s for run in runs])


def _is_wanted(o, way):
    return way.name == BASE or (way.name in o.way if o.way else o.full or way.is_usual)


def _take_turns(o, guest, folder, ways):
    """{name of a way: its runs}."""
    runs = {way.name: [] for way in ways}
    for number in range(o.rounds):
        for way in ways[number % len(ways):] + ways[:number % len(ways)]:
            runs[way.name].append(_run(way, guest, folder, o.build))
    return runs


def _rows(o, qemu, kind, n_drives, is_apart):
    """The version of QEMU, and the rows of those ways that are measured apart, or of the others."""
    folder = tempfile.mkdtemp(prefix="bench.", dir=o.dir)  # short: sockets have their place here
    try:
        with Guest(qemu, folder, kind, n_drives, o.size << 20, o.guest) as guest:
            ways = [way for way in WAYS if (way.is_apart == is_apart or way.name == BASE) and _is_wanted(o, way) and
                    way.is_there(guest, o.build)]
            runs = _take_turns(o, guest, folder, ways)
            return guest.version, [_row(name, of_way, runs[BASE]) for name, of_way in runs.items()]
    finally:
        shutil.rmtree(folder)


def measure(o, qemu, kind, n_drives):
    """o: the options of scripts/bench."""
    version, rows = _rows(o, qemu, kind, n_drives, is_apart=False)
    if any(way.is_apart and _is_wanted(o, way) for way in WAYS):
        rows += [row for row in _rows(o, qemu, kind, n_drives, is_apart=True)[1] if row.way != BASE]
    return Cell(version, kind, n_drives, o.size, rows)
