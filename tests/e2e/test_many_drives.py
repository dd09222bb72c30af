#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""20 drives at once: exact; at full push little memory is used, and the filters' writes are answered at once.

The answers are timed at QEMU's end of each filter's connection, from the head of the request on.
With --long the push is repeated 20 times (--n), each on a guest of its own, while QEMU is asked how it does.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Asker, Drive, Noise, Scenario, main, option, product
from vmtest.relay import CLUSTER
from vmtest.run import peak_kib

N_DRIVES, N_COUNTED = 20, 16
MIB = 1 << 20
PUSHED = 192 * MIB


def many_drives(size):
    """Most on virtio-scsi: the guest's BIOS has room for about ten virtio-blk devices."""
    return [Drive(f"vd{i:02}", size=size, style="blockdev", bus="scsi" if i >= 4 else "virtio",
                  is_idle=i >= N_COUNTED) for i in range(N_DRIVES)]


def twenty_drives_are_exact(version):
    product()
    with Scenario(version, drives=many_drives(8 * MIB), rounds=20) as s:
        images, _ = s.must_be_saved(s.backup("--no-vmstate"))
        assert len(images) == N_DRIVES, sorted(images)
        s.must_be_untouched()


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def null_drives(size):
    """QEMU arguments for 20 drives of any content, which cost their host nothing."""
    arguments = []
    for index in range(N_DRIVES):
        arguments += ["-blockdev", f"driver=null-co,node-name=null{index},size={size},read-zeroes=off",
                      "-device", f"scsi-hd,bus=scsi0.0,drive=null{index},id=vd{index}"]
    return arguments


def write_all_over(s, run, size):
    """Like a guest in a hurry: from the ends of the drives, where the copy comes last."""
    for cluster in reversed(range(size // CLUSTER)):
        for index in range(N_DRIVES):
            s.vm.qmp.cmd("human-monitor-command", {
                "command-line": f'qemu-io -d vd{index} "aio_write -q {cluster * CLUSTER} 4k"'}, timeout=60)
            if run.find(ev="phase", phase="finish"):
                return


def push(s, size):
    """One backup at full push; (seconds of each filter's write, peak of memory in KiB, how late the machine was)."""
    since = s.vm.round_now()
    proxy = s.add_proxy()
    proxy.relay(r"-fl-\d+$")
    with Noise() as noise:
        run = s.backup("--no-vmstate", output="|cat > /dev/null")
        run.wait_event(ev="phase", phase="copy")
        write_all_over(s, run, size)
        run.wait_event(seconds=60, ev="phase", phase="finish")
    used = peak_kib(run.process.pid)
    run.must_succeed()
    s.must_be_untouched()
    proxy.close()
    times = [t for relay in proxy.relays.values() for t in relay.answers]
    print(f"      {len(times)} writes of filters answered: p50 {percentile(times, 50) * 1000:.1f} ms, "
          f"worst {max(times) * 1000:.1f} ms; worst guest write {s.vm.worst_write(since) * 1000:.0f} ms; {used >> 10} MiB")
    return times, used, noise


def pushed_guest(version, **options):
    return Scenario(version, drives=[Drive("drive0", size=16 * MIB)], extra=null_drives(PUSHED), **options)


def answers_at_full_push(version):
    """The archive goes nowhere: nothing slows it down. A machine that others use may spoil a try or two."""
    product()
    with pushed_guest(version) as s:
        for left in reversed(range(3)):
            times, used, noise = push(s, PUSHED)
            assert used < 200 << 10, f"{used} KiB"
            try:
                assert len(times) > 200, f"only {len(times)} writes of filters"
                noise.must_be_within(0.020, percentile(times, 99), "99 % of the answers", percent=99)
                break
            except AssertionError:
                if not left:
                    raise


def pushed_and_asked(version):
    """Returns how long the slowest answer took."""
    with pushed_guest(version, monitors=("asked",)) as s, Asker(s.vm, "asked") as asker:
        s.take_note()
        try:
            push(s, PUSHED)
        except (AssertionError, OSError):
            asker.must_be_alive()  # says more than that something took too long
            raise
        asker.must_be_alive()
        return asker.worst()[0]


def full_push_again_and_again(version):
    product()
    worst = []
    for number in range(option("n", 20)):
        worst.append(pushed_and_asked(version))
        print(f"      {number + 1}: query-status: worst {worst[-1]:.3f} s, of all {max(worst):.3f} s", flush=True)


if __name__ == "__main__":
    main(answers_at_full_push, slow=(twenty_drives_are_exact,), long=(full_push_again_and_again,))
