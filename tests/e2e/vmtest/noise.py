# SPDX-License-Identifier: GPL-2.0-or-later
"""How late this machine is by itself, for tests that time something while others use it, too.

    with Noise() as noise:
        ...
    noise.must_be_within(0.25, slowest, "a write of the guest")

A thread asks for a nap of a few ms again and again; by how much it oversleeps is what nobody under test can help.
"""
import threading
import time

NAP_S = 0.004


class Noise:
    def __enter__(self):
        self._late = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._doze, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _doze(self):
        while not self._is_over.is_set():
            begin = time.monotonic()
            time.sleep(NAP_S)
            self._late.append(time.monotonic() - begin - NAP_S)

    def lost(self, spared):
        """Seconds that naps were too long by, but for so many of each."""
        return sum(max(0, late - spared) for late in self._late)

    def must_be_within(self, bound, seconds, what, percent=100):
        """percent: of what the seconds are a percentile. Two processes take part in most answers: each may be that late."""
        late = sorted(self._late)
        late = late[min(len(late) - 1, len(late) * percent // 100)]
        print(f"      {what}: {seconds * 1000:.1f} ms; this machine alone is late by {late * 1000:.1f} ms")
        assert seconds < bound + 2 * late, f"{what} took {seconds:.3f} s"
