# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, as tables (Markdown, for docs/performance.md), as JSON, as a plot."""
import dataclasses
import json
import os
import subprocess

from .data import TITLES
from .ways import BASE


def machine():
    """Its class only."""
    with open("/proc/meminfo", encoding="ascii") as file:
        gib = int(file.readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores, {gib:.0f} GiB of RAM, load {os.getloadavg()[0]:.1f}"


def title(cell):
    drives = f"{cell.n_drives} drive{'s' * (cell.n_drives > 1)}"
    return f"QEMU {cell.qemu}, {drives}, {cell.mib} MiB, {TITLES[cell.data]}"


def _texts(row, has_writes):
    texts = [row.way, f"{row.wall_s:.2f}", f"{row.ratio:.2f}", f"{row.qemu_cpu_s:.2f}", f"{row.other_cpu_s:.2f}",
             f"{row.rss_mib:.0f}" if row.rss_mib else ""]
    return texts + ([f"{ms:.1f}" for ms in row.write_ms] or [""] * 3) if has_writes else texts


def table(cell):
    has_writes = any(row.write_ms for row in cell.rows)
    lines = [["way", "wall s", f"× {BASE}", "CPU s QEMU", "other", "RSS MiB"]]
    if has_writes:
        lines[0] += ["writes ms p50", "p99", "worst"]
    lines += [_texts(row, has_writes) for row in cell.rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(f"{text:{width}}" if at == 0 or line is lines[0] else f"{text:>{width}}"
                                       for at, (text, width) in enumerate(zip(line, widths))) + " |" for line in lines)


def write_json(path, cells):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"machine": machine(), "cells": [dataclasses.asdict(cell) for cell in cells]}, file, indent=1)


def plot(path, cells):
    """Bars of × BASE: a group for each way, a bar in it for each kind of data. Of the first QEMU and number of drives."""
    cells = [cell for cell in cells if (cell.qemu, cell.n_drives) == (cells[0].qemu, cells[0].n_drives)]
    names = [row.way for row in cells[0].rows if row.way != "idle"]
    data = "\n".join(f'"{name}" ' + " ".join(f"{cell.ratio(name) or 0:.3f}" for cell in cells) for name in names)
    bars = ", ".join(f'$data using {number + 2}:xtic(1) title "{TITLES[cell.data]}"' for number, cell in enumerate(cells))
    script = f"""$data << END
{data}
END
set terminal pngcairo size 1000,520
set output "{path}"
set title "Wall clock, as a multiple of {BASE} to a raw file (QEMU {cells[0].qemu}, {cells[0].mib} MiB)"
set style data histograms
set style fill solid 0.8
set boxwidth 0.9
set yrange [0:*<4]
set grid ytics
set xtics rotate by -35
set key outside top center horizontal
plot {bars}, 1 notitle with lines lc "black"
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
