#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""20 drives of a writing guest, one backup after the other, random commands, limits, spools and targets: QEMU answers all the time.

    test_stress.py                    a few backups on each QEMU
    test_stress.py --long             34 on each
    test_stress.py --seed 17 [--n 5]  those of this seed, and all that was said

query-status is asked ten times a second on another monitor. A backup may end as it likes; one that is called good is exact.
"""
import contextlib
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Asker, Drive, Noise, Qmp, Scenario, bound_s, main, option, product
from vmtest.judge import GOOD, Verdict

MIB = 1 << 20
N_DRIVES, N_COUNTED = 20, 16
BUSES = ["virtio"] * 4 + ["iothread"] * 3 + ["scsi"] * 6 + ["scsi-iothread"] * 7
SINK = pathlib.Path(__file__).parent / "vmtest/slow_sink.py"
PLAY_S = 4  # so long is a backup played with
STATUSES = (0, 1, 3, 6)  # all saved; none is left; some are; the target is too slow for what cannot wait


def drives(size=8 * MIB):
    return [Drive(f"vd{index:02}", size=size, style="blockdev", bus=BUSES[index], is_dense=True,
                  is_idle=index >= N_COUNTED) for index in range(N_DRIVES)]


class Operator:
    """Says what a seed chooses until the run has ended."""

    def __init__(self, chance, run, log):
        self.chance, self.run, self.log = chance, run, log
        self.next_at = time.monotonic()

    def drive(self):
        return self.chance.choice([f"vd{index:02}" for index in range(N_DRIVES)])

    def line(self):
        kind = self.chance.choice(["limit", "limit", "limit all", "pause", "pause", "resume", "resume all", "retry", "cancel"])
        rate = self.chance.choice(["512K", "2M", "8M", "64M", "none"])
        return {"limit": f"limit {self.drive()} {rate}", "limit all": f"limit all {self.chance.choice(['8M', '40M', 'none'])}",
                "pause": f"pause {self.drive()}", "resume": f"resume {self.drive()}", "resume all": "resume all",
                "retry": f"retry {self.drive()}", "cancel": f"cancel {self.drive()} yes"}[kind]

    def on_tick(self, elapsed):
        if time.monotonic() < self.next_at:
            return
        if elapsed > PLAY_S:  # it has to end some day
            self.next_at += 1
            self.say("limit all none", "resume all", *(f"limit vd{index:02} none" for index in range(N_DRIVES)))
        else:
            self.next_at = time.monotonic() + self.chance.uniform(0.02, 0.4)
            self.say(self.line())

    def say(self, *lines):
        self.log("; ".join(lines))
        with contextlib.suppress(AssertionError):  # it has ended
            for line in lines:
                self.run.say(line)


class Stress:
    """One guest and its backups."""

    def __init__(self, s, asker, seed):
        self.s, self.asker, self.chance = s, asker, random.Random(f"stress {seed}")
        self.timeline, self.began = [], time.monotonic()
        self.statuses, self.worst_write = [], 0.0

    def log(self, text):
        self.timeline.append(f"{time.monotonic() - self.began:8.3f} {text}")

    def options(self, number):
        spool = self.chance.choice(["0", "1M", "4M", "64M"])
        limit = self.chance.choice([[], [], ["--limit", "64M"], ["--limit", "vd03=2M"]])
        archive, rate = self.s.path(f"{number}.vma"), self.chance.choice([8, 30, 100])
        is_slow = self.chance.random() < 0.7
        target = f"|{sys.executable} {SINK} {archive} {rate} {number}" if is_slow else archive
        return archive, ["--no-vmstate", "--retries", "20", "--spool", spool, *limit], target

    def backup(self, number):
        archive, options, target = self.options(number)
        self.log(f"backup {number}: {' '.join(options)} -o {target}")
        since = self.s.vm.round_now()
        run = self.s.backup(*options, output=target)
        operator, began = Operator(self.chance, run, self.log), time.monotonic()
        while run.process.poll() is None:
            self.asker.must_be_alive()
            operator.on_tick(time.monotonic() - began)
            assert time.monotonic() - began < 120, f"no end after 120 s: {run.report()}"
            time.sleep(0.01)
        status = run.wait()
        late = (run.find(ev="result") or {}).get("loop_max_ms")
        self.log(f"backup {number} has ended: exit status {status}; its loop was late by {late} ms at most")
        self.statuses.append(status)
        assert status in STATUSES, run.report()
        self.must_be_sound(run, status, archive)
        self.worst_write = max(self.worst_write, self.s.vm.worst_write(since))

    def must_be_sound(self, run, status, archive):
        """The archive, QEMU and the guest."""
        if status in GOOD:
            Verdict(self.s, run, status, archive, self.s.drives).must_be_exact(self.s.drives)
        if os.path.exists(archive):
            os.unlink(archive)
        self.s.must_be_untouched(rounds=8)


    def tell(self, asker):
        worst, _ = asker.worst()
        print(f"      {len(self.statuses)} backups, exit statuses {self.statuses}; {asker.refused} errors of jobs; query-status: worst "
              f"of {len(asker.answers)} {worst:.3f} s; worst guest write {self.worst_write:.3f} s", flush=True)


def stressed(version, seed, n):
    product()
    with Scenario(version, drives=drives(), rounds=8, monitors=("asked",)) as s, Noise() as noise, \
            Asker(s.vm, "asked") as asker:
        s.take_note()
        stress = Stress(s, asker, seed)
        try:
            for number in range(n):
                stress.backup(number)
            stress.tell(asker)
            asker.must_be_within(bound_s(), noise)
            noise.must_be_within(bound_s(), stress.worst_write, "worst write of the guest")
        except BaseException:
            print(f"      seed {seed}, QEMU {version}: --seed {seed} --n {n} repeats it. What was done:")
            print("\n".join(stress.timeline[-200:]))
            raise


def a_few_backups(version):
    stressed(version, option("seed", 1), option("n", 2))


def many_backups(version):
    stressed(version, option("seed", 1), option("n", 34))


# How jobs end ----------------------------------------------------------------------------------------------------------

def ends_beside_others(events):
    """(ends of jobs of ours, how many of them while another one was running), as QEMU tells it."""
    states, n_ends, n_beside = {}, 0, 0
    for event in events:
        if event["event"] != "JOB_STATUS_CHANGE" or not event["data"]["id"].startswith("vmb-"):
            continue
        job, status = event["data"]["id"], event["data"]["status"]
        if status == "waiting":  # it has done its work: what comes next makes QEMU wait for the others
            n_ends += 1
            n_beside += any(state == "running" for other, state in states.items() if other != job)
        states[job] = status
    return n_ends, n_beside


def jobs_end_one_at_a_time(version):
    """Drives of one size, so that all would end together."""
    product()
    alike = [Drive(f"vd{index}", size=24 * MIB, style="blockdev", bus=["virtio", "iothread", "scsi"][index % 3], is_dense=True)
             for index in range(6)]
    with Scenario(version, drives=alike, rounds=8, monitors=("told",)) as s:
        told = Qmp(s.vm.monitor_path("told"))
        s.must_be_saved(s.backup("--no-vmstate", "--spool", "0", output=f"|{sys.executable} {SINK} {s.archive} 40 1"))
        told.pump(0.2)
        n_ends, n_beside = ends_beside_others(told.events)
        told.close()
        print(f"      {n_ends} jobs ended, {n_beside} of them while another one was running", flush=True)
        assert n_ends >= len(alike) and n_beside == 0


if __name__ == "__main__":
    main(a_few_backups, jobs_end_one_at_a_time, newest=(a_few_backups,), long=(many_backups,))
