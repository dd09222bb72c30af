#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Engine pull by itself: its limits, disks that cannot be read, what becomes of QEMU when the program stands still or dies.

How much is read is told by QEMU: its process counts the bytes that it reads from the images, to the byte and at any moment.
"""
import os
import pathlib
import random
import signal
import socket
import sys
import time

os.environ["VMABACKUP_ENGINE"] = "pull"
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_kill_steps import kill_at
from vmtest import Drive, Noise, QmpError, Scenario, main, older_than, option, product, wait_for
from vmtest.drives import fill_base
from vmtest.pattern import written_clusters

MIB = 1 << 20
CLUSTER = 65536
IN_FLIGHT = 64 * CLUSTER  # what may be on its way at most
BOUND_S = 0.3  # of an answer of QEMU's
BURST_S = 0.025  # what a limit leaves unused is lost after that: TOKENS_BURST_NS


def idle(name, mib, **more):
    return Drive(name, size=mib * MIB, style="blockdev", is_dense=True, is_idle=True, **more)


def boot_drive(**more):
    return Drive("drive0", size=8 * MIB, style="blockdev", **more)


def pass_time(until):
    """Nothing can be waited for but the clock."""
    wait_for(lambda: time.monotonic() >= until, 60, "the time to pass", step=0.002)


def read_between(s, begin, end):
    """Bytes between two moments, and how long that was."""
    pass_time(begin)
    start, before = time.monotonic(), s.vm.bytes_read()
    pass_time(end)
    after = s.vm.bytes_read()
    return after - before, time.monotonic() - start


def say(run, line):
    """Returns when it is carried out."""
    seen = sum(e["ev"] == "reply" for e in list(run.events))
    run.say(line)
    wait_for(lambda: sum(e["ev"] == "reply" for e in list(run.events)) > seen, 10, f"the reply to {line}", step=0.002)
    return time.monotonic()


def standing_guest(s):
    """Only the backup reads."""
    s.vm.qmp.cmd("stop")
    s.take_note()


# Limits ------------------------------------------------------------------------------------------------------------------


def must_be_kept(s, what, rate, seconds=5):
    """Never above; below by so much as this machine wakes a sleeper too late."""
    with Noise() as noise:
        amount, took = read_between(s, 0, time.monotonic() + seconds)
    lost = noise.lost(BURST_S) / took
    print(f"      {what}: {amount / took / rate - 1:+.2%} in {took:.1f} s; this machine alone loses {lost:.2%}", flush=True)
    assert -0.01 - 2 * lost <= amount / took / rate - 1 <= 0.01, f"{what}: {amount / took:.0f} bytes/s instead of {rate}"


def limits_are_exact(version):
    """The sum of two drives' limits, within 1 % over 5 s."""
    two_drives(version)


def limit_of_all_is_exact(version):
    """The whole backup's, said later, below theirs."""
    two_drives(version, 5 * MIB)


def two_drives(version, all_of_it=0):
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 128), idle("disk2", 128, bus="scsi")]) as s:
        standing_guest(s)
        run = s.backup("--no-vmstate", "--limit", "disk1=4M", "--limit", "disk2=4M", "--exclude", "drive0")
        s.wait_copying(run)
        if all_of_it:
            pass_time(say(run, f"limit all {all_of_it}") + 0.5)
        must_be_kept(s, "all of both" if all_of_it else "two drives of 4M", all_of_it or 8 * MIB)
        run.signal(signal.SIGINT)
        s.must_have_failed(run, 130)
        s.must_be_untouched()


def limits_are_in_force_at_once(version):
    """Lower, higher, pause and resume: 0.1 s later it is so."""
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 256)]) as s:
        standing_guest(s)
        run = s.backup("--no-vmstate", "--limit", "disk1=1M", "--exclude", "drive0")
        s.wait_copying(run)

        def changed(line, least, most):
            """MIB that come between 0.1 and 0.6 s after it was said."""
            said = say(run, line)
            with Noise() as noise:
                amount, took = read_between(s, said + 0.1, said + 0.6)
            kept = 1 - min(1, 2 * noise.lost(BURST_S) / took)
            told = f"{line}: {amount / MIB:.2f} MiB in {took:.2f} s; this machine alone lets {kept:.0%} of the time be used"
            print(f"      {told}", flush=True)
            assert least * kept * MIB <= amount / took * 0.5 <= most * MIB, told
        changed("limit disk1 32M", 15.5, 16.5)
        changed("limit disk1 2M", 0.9, 1.1)
        changed("pause disk1", 0, 0.01)
        changed("resume disk1", 0.9, 1.1)
        changed("limit disk1 24M", 11.5, 12.5)
        changed("pause disk1", 0, 0.01)
        say(run, "limit disk1 0")
        say(run, "resume disk1")
        run.must_succeed()
        s.must_be_untouched()


# What is zero ------------------------------------------------------------------------------------------------------------


def sparse(name, mib, **more):
    return Drive(name, size=mib * MIB, style="blockdev", is_idle=True, **more)


def allocated(drive):
    return os.stat(drive.path).st_blocks * 512


def must_equal_its_image(s, images, drive):
    """Nobody has written to it."""
    with open(images[drive.name], "rb") as copy, open(drive.base, "rb") as base:
        while piece := base.read(MIB):
            assert copy.read(len(piece)) == piece, f"{drive.name} differs before {base.tell()}"


def has_nbd_server(s):
    """QEMU has one at most."""
    try:
        s.vm.qmp.cmd("nbd-server-stop")
        return True
    except QmpError:
        return False


def zeros_are_not_read(version):
    """The archive is exact, though QEMU has read little more than what the images hold; no server is left."""
    product()
    drives = [boot_drive(), sparse("disk1", 256), sparse("disk2", 256, format="qcow2", bus="scsi")]
    with Scenario(version, drives=drives) as s:
        standing_guest(s)
        before, held = s.vm.bytes_read(), sum(allocated(d) for d in drives)
        run = s.backup("--no-vmstate")
        images, _ = s.must_be_saved(run)
        amount = s.vm.bytes_read() - before
        told = f"read {amount / MIB:.1f} MiB, the images hold {held / MIB:.1f} of {sum(d.size for d in drives) / MIB:.0f}"
        print(f"      {told}", flush=True)
        assert amount < 1.2 * held + MIB, told
        for drive in drives[1:]:
            must_equal_its_image(s, images, drive)
        s.must_be_untouched(rounds=0)
        assert not has_nbd_server(s), "an NBD server is left"


def terabytes_in_seconds(version):
    """2 TiB that are empty but for their first 16 MiB."""
    product()
    drives = [boot_drive(), sparse("disk1", 16), sparse("disk2", 16, format="qcow2", bus="scsi")]
    with Scenario(version, drives=drives) as s:
        for drive in drives[1:]:
            s.vm.qmp.cmd("block_resize", {"node-name": f"node-{drive.name}", "size": 1 << 40})
        s.take_note()
        before, begin = s.vm.bytes_read(), time.monotonic()
        run = s.backup("--no-vmstate")
        run.must_succeed(seconds=60)
        took, amount = time.monotonic() - begin, s.vm.bytes_read() - before
        print(f"      {took:.1f} s, {amount / MIB:.0f} MiB read", flush=True)
        assert amount < 200 * MIB, amount
        s.run("verify", s.archive).must_succeed(seconds=60)
        s.must_be_untouched()


def guest_writes_where_it_is_zero(version):
    """Before the zeros are taken, since the drive is paused, or while they are: the archive is of the instant."""
    product()
    with Scenario(version, drives=[boot_drive(), sparse("disk1", 64), idle("disk2", 64, bus="scsi")]) as s:
        drive = s.drives[1]
        run = s.backup("--no-vmstate", "--limit", "disk1=64K", "--limit", "disk2=8M")
        s.wait_copying(run, MIB)
        run.say("pause disk1")
        for cluster in range(0, drive.size // CLUSTER, 3):
            command = f'qemu-io -d disk1 "aio_write -q -P 165 {cluster * CLUSTER + 4096 * (cluster % 16)} 4096"'
            s.vm.qmp.cmd("human-monitor-command", {"command-line": command}, timeout=20)
        run.say("resume disk1")
        run.say("limit all 0")
        run.say("limit disk1 0")
        run.say("limit disk2 0")
        images, _ = s.must_be_saved(run)
        must_equal_its_image(s, images, drive)
        s.must_be_untouched()


def server_of_others_stays(version):
    """One that runs already: everything is read, and it goes on with its export."""
    product()
    with Scenario(version, drives=[boot_drive(), sparse("disk1", 64)]) as s:
        address = {"type": "unix", "data": {"path": s.path("theirs")}}
        s.vm.qmp.cmd("nbd-server-start", {"addr": address})
        s.vm.qmp.cmd("blockdev-add", {"driver": "null-co", "node-name": "theirs", "size": MIB})
        s.vm.qmp.cmd("block-export-add", {"type": "nbd", "id": "theirs", "node-name": "theirs", "name": "theirs"})
        s.take_note()
        run = s.backup("--no-vmstate", "--strict")
        images, _ = s.must_be_saved(run)
        must_equal_its_image(s, images, s.drives[1])
        s.must_be_untouched()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(s.path("theirs"))
            assert client.recv(8) == b"NBDMAGIC", "it does not answer any more"
        assert has_nbd_server(s), "it is gone"


def beside_an_iothread(version):
    """Before 10.0 QEMU might abort when a client leaves: it is not asked. Later it is."""
    product()
    drives = [boot_drive(), sparse("disk1", 64), Drive("disk2", size=4 * MIB, style="blockdev", bus="iothread")]
    with Scenario(version, drives=drives) as s:
        proxy = s.add_proxy()
        for turn in range(4):
            run = s.backup("--no-vmstate", output=s.path(f"{turn}.vma"))
            images, _ = s.must_be_saved(run, archive=s.path(f"{turn}.vma"))
            must_equal_its_image(s, images, s.drives[1])
        assert ("nbd-server-start" in proxy.names()) == (not older_than(version, "10.0")), proxy.names()
        s.must_be_untouched()


def killed_as_it_is_asked(version):
    """kill -9 with QEMU's server up, or about to be: a cleanup leaves no server, export or node."""
    product()
    with Scenario(version, drives=[boot_drive(), sparse("disk1", 16)]) as s:
        for command, is_answered in (("nbd-server-start", False), ("nbd-server-start", True), ("block-export-add", True),
                                     ("block-export-del", False), ("nbd-server-stop", False), ("nbd-server-stop", True)):
            assert kill_at(s, ["--no-vmstate"], command, 2 if command == "block-export-add" else 1, is_answered) is not None
            assert not has_nbd_server(s), f"an NBD server is left after {command}"


# Disks that cannot be read -----------------------------------------------------------------------------------------------


def cluster_left_alone(drive):
    """In its middle, with data; the guest neither writes nor reads there."""
    taken = written_clusters(drive.size)
    base = pathlib.Path(drive.path)
    fill_base(base, drive.size, f"{drive.name} 0", dense=drive.is_dense)
    return next(c for c in range(drive.size // CLUSTER // 2, drive.size // CLUSTER) if c not in taken)


def bad_drive(tmp, *rules):
    """A drive one sector of which fails to be read, as the rules say; and the offset of its cluster."""
    drive = Drive("disk1", path=str(tmp), size=16 * MIB, style="blockdev", is_dense=True)
    cluster = cluster_left_alone(drive)
    drive.path = ""
    drive.faults = tuple({"iotype": "read", "sector": cluster * 128 + 77, **rule} for rule in rules)
    return drive, cluster * CLUSTER


def with_bad_drive(version, *rules):
    path = pathlib.Path(f"/tmp/vmt-bad-{os.getpid()}")
    try:
        drive, offset = bad_drive(path, *rules)
    finally:
        path.unlink(missing_ok=True)
    return Scenario(version, drives=[boot_drive(), drive, Drive("disk2", size=8 * MIB, style="blockdev", bus="scsi")]), offset


def bad_sector(version):
    """The drive fails with the place, the others are saved and exact."""
    product()
    scenario, offset = with_bad_drive(version, {})
    with scenario as s:
        run = s.backup("--no-vmstate", "--retries", "1")
        run.must_succeed(status=3)
        result = run.find(ev="result")
        assert result["missing"] == ["disk1"], result
        error = run.find(ev="error", level="error")
        assert f"read error at {offset / MIB:.1f}M (offset {offset})" in error["text"], error
        s.drives = [d for d in s.drives if d.name != "disk1"]
        s.must_be_untouched()


def read_error_that_goes_away(version):
    """A request that fails once is asked for again cluster by cluster, without a word."""
    product()
    scenario, _ = with_bad_drive(version, {"once": True})
    with scenario as s:
        run = s.backup("--no-vmstate", "--retries", "0")
        s.must_be_saved(run)
        s.must_be_untouched()


def retried_at_the_same_instant(version):
    """It fails for longer: the operator's retry is of the same instant, and saves it."""
    product()
    retried(version, 0)


def retried_by_itself(version):
    """The same without an operator."""
    product()
    retried(version, 1)


def retried(version, times):
    scenario, _ = with_bad_drive(version, {"once": True}, {"once": True})
    with scenario as s:
        run = s.backup("--no-vmstate", "--limit", "disk2=1M", "--retries", times)
        if times:
            run.wait_event(ev="drive", id="disk1", state="retry")
        else:
            error = run.wait_event(ev="error", level="error")
            assert "retry disk1 goes on at the same instant" in error["hint"], error
            run.say("retry disk1")
        run.say("limit disk2 0")
        s.must_be_saved(run)
        assert not [e for e in run.events if e.get("instant_own")], run.report()
        s.must_be_untouched()


def one_is_cancelled(version):
    """In mid-pull; the others are saved; taken again by the operator it comes at a new instant."""
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 32), idle("disk2", 32, bus="scsi")]) as s:
        run = s.backup("--no-vmstate", "--limit", "2M")  # disk2 is busy until that is lifted: a retry needs a run
        s.wait_copying(run, MIB)
        run.say("cancel disk1 yes")
        run.wait_event(ev="drive", id="disk1", state="cancelled")
        run.say("retry disk1")
        run.say("limit all 0")
        s.must_be_saved(run, status=3)  # of a later instant
        assert not run.find(ev="result")["missing"], run.report()
        s.must_be_untouched()


def last_clusters_come_by_the_filter(version):
    """Nothing is in flight when the guest brings what was left: the drive ends all the same."""
    product()
    with Scenario(version, drives=[boot_drive()]) as s:
        run = s.backup("--no-vmstate", "--limit", "64K")
        run.wait_event(ev="phase", phase="copy")  # the guest itself may bring all of it, in a moment
        for cluster in range(8 * MIB // CLUSTER):
            s.vm.qmp.cmd("human-monitor-command", {
                "command-line": f'qemu-io -d drive0 "aio_write -q -z {cluster * CLUSTER + 61440} 512"'}, timeout=20)
        run.wait_event(ev="drive", id="drive0", state="done")
        run.must_succeed()


def one_leaves_without_a_monitor(version):
    """It cannot be undone before the monitor is back; the other one is read on."""
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 64), idle("disk2", 64, bus="scsi")]) as s:
        s.add_proxy()
        run = s.backup("--no-vmstate", "--limit", "16M")
        s.wait_copying(run, MIB)
        s.proxy.hang_up(for_good=True)
        run.wait_event(ev="log", level="warning")
        run.say("cancel disk1 yes")
        run.wait_event(ev="drive", id="disk1", state="cancelled")
        run.wait_event(ev="drive", id="disk2", state="done", seconds=40)
        s.proxy.refusing = False
        run.must_succeed(status=3)
        s.must_be_untouched()


# What others do ----------------------------------------------------------------------------------------------------------


def export_is_deleted(version):
    """By another monitor: it is retried at the same instant."""
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 32)]) as s:
        run = s.backup("--no-vmstate", "--limit", "disk1=4M")
        s.wait_copying(run, MIB)
        s.end_copy(1)
        run.wait_event(ev="drive", id="disk1", state="retry")
        run.say("limit disk1 0")
        s.must_be_saved(run)
        assert not [e for e in run.events if e.get("instant_own")], run.report()
        s.must_be_untouched()


def qemu_is_killed(version):
    """5, one line."""
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 64)]) as s:
        run = s.backup("--no-vmstate", "--limit", "8M")
        s.wait_copying(run, MIB)
        s.vm.kill()
        s.must_have_failed(run, 5)
        assert len([e for e in run.events if e["ev"] == "error" and e["level"] == "error"]) == 1, run.report()


def drive_in_an_iothread(version):
    """Pushed, with a warning; refused where --strict forbids that."""
    product()
    with Scenario(version, drives=[boot_drive(), Drive("disk1", size=4 * MIB, style="blockdev", bus="iothread")]) as s:
        run = s.backup("--no-vmstate")
        s.must_be_saved(run)
        assert run.pulled() == ["drive0"], run.pulled()
        assert [e for e in run.events if "drive disk1 is pushed, not pulled" in (e.get("text") or "")], run.report()
        run = s.backup("--no-vmstate", "--strict", output=s.path("b.vma"))
        assert run.wait() == 1, run.report()
        assert "drive disk1 cannot be pulled" in run.report(), run.report()
        s.must_be_untouched()


# The program stands still, or dies ---------------------------------------------------------------------------------------


def stand_still(version, seconds):
    """Nothing of the guest's waits for us: QEMU answers at once all the time."""
    product()
    with Scenario(version, drives=[boot_drive(), idle("disk1", 96)]) as s:
        run = s.backup("--no-vmstate", "--limit", "16M", "--exclude", "drive0")
        s.wait_copying(run, MIB)
        since, until = s.vm.round_now(), time.monotonic() + seconds
        run.signal(signal.SIGSTOP)
        with Noise() as noise:
            worst, slowest = {}, 0
            while time.monotonic() < until:
                s.vm.wait_rounds(16)
                slowest = max(slowest, s.vm.worst_write(since))
                for command in ("stop", "cont", "system_reset"):
                    worst[command] = max(worst.get(command, 0), s.vm.answers_within(10, command))
                boots = s.vm.output().count("S\n")
                wait_for(lambda: s.vm.output().count("S\n") > boots and s.vm.rounds() >= 0, 10, "the guest to boot again")
                since = 1
        for command, took in worst.items():
            noise.must_be_within(BOUND_S, took, command)
        noise.must_be_within(BOUND_S, slowest, "worst write of the guest")
        run.signal(signal.SIGCONT)
        run.say("limit all 0")
        run.must_succeed()
        s.must_be_untouched()


def stopped_for_seconds(version):
    stand_still(version, 5)


def stopped_for_long(version):
    stand_still(version, 20)


def writes_wait_once(version):
    """With its drives behind filters a write of the guest waits for cbw-timeout, once for each, and no longer."""
    product()
    drives = [boot_drive(), Drive("disk1", size=16 * MIB, style="blockdev", is_dense=True)]
    timeout = min(max(2, 10 // len(drives)), 4 if older_than(version, "9.1") else 10)
    with Scenario(version, drives=drives) as s:
        run = s.backup("--no-vmstate", "--limit", "1M", "--retries", "0")
        s.wait_copying(run)
        since = s.vm.round_now()
        run.signal(signal.SIGSTOP)
        with Noise() as noise:
            s.vm.wait_rounds(32, seconds=2 * timeout + 30)
            times = s.vm.write_times(since)
        noise.must_be_within(timeout + 0.5, max(times), "worst write of the guest")
        assert max(times) > timeout - 0.5, "QEMU did not wait as long as it was told"
        assert sum(took > 0.5 for took in times) <= len(drives), "a drive's writes waited more than once"
        run.signal(signal.SIGCONT)
        run.say("limit all 0")
        assert run.wait() in (1, 3), run.report()
        s.must_be_untouched()


def killed_often(version, times):
    """kill -9 at random moments: QEMU lives, the guest is sound, a cleanup leaves nothing."""
    product()
    chance = random.Random(option("seed", 1))
    with Scenario(version, drives=[boot_drive(), idle("disk1", 64), idle("disk2", 64, bus="scsi")]) as s:
        for _ in range(times):
            limit = chance.choice(["0", "8M", "64M"])
            run = s.backup("--no-vmstate", "--limit", limit)
            run.wait_event(ev="phase", phase="freeze")
            wait_for(lambda: s.copies() or run.process.poll() is not None, 20, "a drive that is read", step=0.001)
            pass_time(time.monotonic() + chance.uniform(0, 0.15))
            run.kill()
            s.vm.answers_within(5, "query-status")
            s.vm.wait_rounds(16)
            s.cleanup()
            s.must_be_untouched(rounds=16)
            if os.path.exists(s.archive):  # it was quicker
                os.unlink(s.archive)


def killed_some_times(version):
    killed_often(version, 4)


def killed_twenty_times(version):
    killed_often(version, 20)


if __name__ == "__main__":
    main(zeros_are_not_read, guest_writes_where_it_is_zero, server_of_others_stays, beside_an_iothread,
         limits_are_exact, bad_sector, last_clusters_come_by_the_filter, retried_at_the_same_instant, export_is_deleted, stopped_for_seconds, killed_some_times,
         slow=(terabytes_in_seconds, killed_as_it_is_asked, limit_of_all_is_exact, limits_are_in_force_at_once, retried_by_itself, read_error_that_goes_away, one_is_cancelled, one_leaves_without_a_monitor, qemu_is_killed, drive_in_an_iothread,
               stopped_for_long, writes_wait_once, killed_twenty_times))
