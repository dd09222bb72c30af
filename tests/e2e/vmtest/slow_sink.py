#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target at the end of a pipe that is slow, and stands still now and then: slow_sink.py FILE MIB_PER_SECOND SEED"""
import random
import sys
import time

PIECE = 1 << 18


def main():
    chance, seconds = random.Random(sys.argv[3]), PIECE / (float(sys.argv[2]) * (1 << 20))
    with open(sys.argv[1], "wb") as file:
        while piece := sys.stdin.buffer.read(PIECE):
            file.write(piece)
            time.sleep(seconds * (20 if chance.random() < 0.02 else 1))


if __name__ == "__main__":
    main()
