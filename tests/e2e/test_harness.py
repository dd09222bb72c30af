#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The judges judged: guest, oracle, proxy and relay notice what they are there to notice."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Lab, Proxy, Qmp, QmpError, QemuState, check_images, main, standard_drives, wait_for
from vmtest.pattern import slot_lba
from vmtest.recipe import Recipe
from vmtest.relay import CLUSTER, WRITE


def must_fail(function, *arguments):
    try:
        function(*arguments)
    except AssertionError as reason:
        return str(reason)
    raise AssertionError(f"{function.__name__} found nothing")


def guest_finds_faults(version):
    """A slot that went back in time on a drive that nobody looks at for a while: the guest says BAD."""
    with Lab(version) as lab:
        guest = lab.guest(standard_drives(count=2))
        guest.wait_rounds(LAP)
        guest.qmp.cmd("stop")
        drive = guest.drives[0]
        latest = guest.rounds()
        with open(drive.path, "r+b") as image:
            image.seek(slot_lba(drive.size // 512, latest - 60) * 512 + 256)
            image.write(bytes(4))
        guest.qmp.cmd("cont")
        reason = must_fail(guest.wait_rounds, LAP)
        assert "BADS 00000080" in reason, reason


def guest_times_its_writes(version):
    """A write that the host holds back for half a second is told as that slow; others are not."""
    with Lab(version) as lab:
        guest = lab.guest(standard_drives(count=2, with_odd_ones=False))
        guest.wait_rounds(100)
        usual = sorted(guest.write_times(1))
        print(f"      median {usual[len(usual) // 2] * 1000:.2f} ms, worst {usual[-1] * 1000:.1f} ms")
        assert 0 < usual[len(usual) // 2] < 0.1 and usual[-1] < 0.4, usual[-5:]
        none = {"bps": 0, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0}
        since = guest.round_now()
        guest.qmp.cmd("block_set_io_throttle", {"device": "drive0", **none, "iops_wr": 2})
        wait_for(lambda: guest.round_now() >= since + 3, 20, "three slow rounds")
        guest.qmp.cmd("block_set_io_throttle", {"device": "drive0", **none})
        guest.wait_rounds(20)
        worst = guest.worst_write(since)
        assert 0.4 < worst < 0.8, f"{worst:.3f} s instead of half a second"
        since = guest.round_now()
        guest.wait_rounds(20)
        assert guest.worst_write(since) < 0.4


def guest_tells_io_errors(version):
    """One failed write, hundreds of rounds after the start, ends it with a word."""
    with Lab(version) as lab:
        drives = standard_drives(count=3, with_odd_ones=False)
        drives[2].faults = ({"iotype": "write", "sector": slot_lba(drives[2].size // 512, 100), "once": True},)
        guest = lab.guest(drives)
        reason = must_fail(guest.wait_rounds, LAP)
        assert "BADE 00000082 00000064" in reason, reason


def oracle_finds_faults(version):
    """Images of a stopped guest are accepted; one older sector, one lost write, one flipped byte are not."""
    with Lab(version) as lab:
        guest = lab.guest(standard_drives(count=3))
        guest.wait_rounds(100)
        guest.qmp.cmd("stop")
        images = {}
        for drive in guest.drives:
            if drive.is_counted_on():
                images[drive.name] = lab.path(f"{drive.name}.copy")
                subprocess.run([lab.qemu_img, "convert", "-U", "-f", drive.format, "-O", "raw", drive.path,
                                images[drive.name]], check=True)
        latest = check_images(guest.drives, images)
        last = guest.drives[2]
        for at, data in ((slot_lba(last.size // 512, latest - 5) * 512, bytes(512)), (CLUSTER * 3 + 77, b"\x5a"),
                         (512, bytes(512))):
            broken = dict(images, **{last.name: lab.path("broken")})
            shutil.copyfile(images[last.name], broken[last.name])
            with open(broken[last.name], "r+b") as image:
                image.seek(at)
                image.write(data)
            must_fail(check_images, guest.drives, broken)


def proxy_meddles(version):
    """Hold, fail, drop, swallow, alter, hang up: each does what it says, and the rest passes."""
    with Lab(version) as lab:
        guest = lab.guest(standard_drives(count=1))
        proxy = Proxy(lab.path("proxy"), guest.monitor)
        lab.at_end(proxy.close)
        client = Qmp(proxy.path)
        hold = proxy.hold("cont")
        client.cmd("stop")
        token = client.begin("cont")
        hold.wait(5)
        assert not client.cmd("query-status")["running"]
        hold.release()
        client.finish(token)
        assert client.cmd("query-status")["running"]

        proxy.fail("query-jobs", nth=2, desc="not today")
        assert client.cmd("query-jobs") == []
        try:
            client.cmd("query-jobs")
            raise RuntimeError("no error came")
        except QmpError as error:
            assert error.desc == "not today"

        proxy.alter_reply("query-kvm", lambda message: message["return"].update(present="perhaps"))
        assert client.cmd("query-kvm")["present"] == "perhaps"

        proxy.swallow_event("STOP")
        client.events.clear()
        client.cmd("stop")
        client.cmd("cont")
        client.pump(0.1)
        assert [e["event"] for e in client.events] == ["RESUME"]

        proxy.drop_reply("query-version")
        late = client.begin("query-version")
        client.cmd("query-status")
        try:
            client.finish(late, timeout=0.2)
            raise RuntimeError("the reply came")
        except TimeoutError:
            pass

        proxy.hang_up_at("query-name")
        try:
            client.cmd("query-name")
            raise RuntimeError("still there")
        except (ConnectionError, OSError):
            pass
        assert Qmp(proxy.path).cmd("query-status")["running"], "a new client gets in"


def relay_stops_in_mid_cluster(version):
    """A WRITE stalled half-way and cut: the job fails, a retry of the frozen image is exact, QEMU is as before."""
    with Lab(version) as lab:
        guest = lab.guest(standard_drives(count=2))
        guest.wait_rounds(60)
        before = QemuState(guest.qmp)
        proxy = Proxy(lab.path("proxy"), guest.monitor)
        lab.at_end(proxy.close)
        proxy.relay(r"-tgt-0$", lambda relay: relay.stall_write(cluster=10, after=30000))
        recipe = Recipe(lab, guest)
        recipe.qmp = Qmp(proxy.path)
        sockets = guest.sockets()
        recipe.add_targets()
        recipe.qmp.cmd("stop")
        recipe.freeze()
        recipe.qmp.cmd("cont")
        with open(guest.drives[0].base, "r+b") as base:  # what is not zero comes as a WRITE
            base.seek(10 * CLUSTER)
            assert base.read(CLUSTER).strip(b"\0"), "choose a cluster with data"
        recipe.start_job(0)
        name = recipe.name("tgt", 0)
        relay = proxy.relays[name]
        assert relay.stalled.wait(10)
        assert relay.export == "d0"
        wait_for(lambda: (WRITE, 10 * CLUSTER, CLUSTER) in recipe.filters[0].requests, 90, "the guest to write there")
        relay.cut()
        assert recipe.qmp.wait_job(recipe.name("job", 0))
        recipe.qmp.cmd("blockdev-del", {"node-name": name})
        recipe.targets[0] = recipe.add_target(0)
        recipe.start_jobs()
        recipe.wait_jobs()
        recipe.thaw()
        check_images(guest.drives, recipe.images())
        assert not recipe.names_left()
        QemuState(guest.qmp).must_equal(before)
        wait_for(lambda: guest.sockets() == sockets, 5, "QEMU's sockets to be closed")
        guest.wait_rounds(60)


if __name__ == "__main__":
    main(guest_finds_faults, oracle_finds_faults, proxy_meddles,
         slow=(guest_times_its_writes, guest_tells_io_errors, relay_stops_in_mid_cluster))
