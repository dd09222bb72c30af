# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/bench is made of: data (images), guest (QEMU), ways (what is timed), cell (rounds), report."""
