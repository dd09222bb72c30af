# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/bench is made of: data (images), guest (QEMU), ways (what is timed), cell (rounds), report."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/e2e"))  # for vmtest
