#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A limit that is set while it runs reaches QEMU, and the measured rate follows within 10 % in 5 s."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Scenario, main, product, standard_drives, wait_for

MIB = 1 << 20


def speed(s, drive_row):
    return sorted(s.jobs(), key=lambda j: j["device"])[drive_row]["speed"]


def measured(s, seconds):
    """Bytes/s of the first job, by QEMU's own count."""
    def offset():
        return sorted(s.jobs(), key=lambda j: j["device"])[0]["offset"], time.monotonic()
    (first, begin) = offset()
    wait_for(lambda: time.monotonic() - begin >= seconds, seconds + 5, "the interval")
    (last, end) = offset()
    return (last - first) / (end - begin)


def limit_is_live(version):
    product()
    with Scenario(version, drives=standard_drives(count=2, size=128 << 20)) as s:
        run = s.backup("--limit", "1M", "--no-vmstate")
        s.wait_copying(run)
        assert [j["speed"] for j in s.jobs()] == [MIB, MIB]
        s.vm.wait_rounds(LAP)  # from here on the guest finds everything it writes to copied
        run.say("limit drive0 6M")
        wait_for(lambda: speed(s, 0) == 6 * MIB, 5, "the limit to reach QEMU")
        assert speed(s, 1) == MIB
        run.wait_event(ev="limit", new=6 * MIB)
        measured(s, 1)
        rate = measured(s, 4)
        assert 5.4 * MIB <= rate <= 6.6 * MIB, f"{rate / MIB:.1f} MiB/s instead of 6"
        shown = [d["rate"] for e in run.events if e["ev"] == "progress" for d in e["devices"] if d["id"] == "drive0"]
        assert shown and 5 * MIB <= shown[-1] <= 7 * MIB, f"shown: {shown[-3:]}"
        run.say('{"id":7,"cmd":"limit","target":"all","bps":2097152}')
        run.wait_event(ev="reply", id=7, ok=True)
        wait_for(lambda: [j["speed"] for j in s.jobs()] == [2 * MIB, 2 * MIB], 5, "the limit of all")
        run.say("limit nosuch 5M")
        run.wait_event(ev="reply", ok=False)
        run.say("pause drive0")
        wait_for(lambda: sorted(s.jobs(), key=lambda j: j["device"])[0]["paused"], 5, "a paused job")
        run.say("resume drive0")
        run.say("limit all none")
        s.must_be_saved(run)
        s.must_be_untouched()


if __name__ == "__main__":
    main(limit_is_live)
