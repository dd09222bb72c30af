#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the product relies on in QEMU, tried by hand: run it when a new QEMU comes, before trusting it.

    tests/e2e/qemu_facts.py [PART-OF-A-NAME…]        VMABACKUP_QEMU=10.0 picks a version

No part of ctest: it says nothing about the product. Each function is one fact; its docstring is the claim.
Left out on purpose is what aborts QEMU (see docs/architecture.md): qom-set of the node a device has already,
snapshot-access added to a running guest with iothreads on 7.2, a filter target smaller than the drive.
"""
import collections
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import LAP, Lab, QemuState, QmpError, Skip, main, older_than, standard_drives, wait_for
from vmtest.nbd import DISC, FLUSH, READ, Export, Store
from vmtest.recipe import BACKGROUND, Recipe
from vmtest.relay import CLUSTER, WRITE, WRITE_ZEROES
from vmtest.restore import prove

EVENTS = BACKGROUND[:1]


def prepared(lab, drives=None, rounds=100, **options):
    guest = lab.guest(drives or standard_drives(), **options)
    guest.wait_rounds(rounds)
    return guest, QemuState(guest.qmp), Recipe(lab, guest)


def must_be_as_before(recipe, before):
    assert not recipe.names_left(), recipe.names_left()
    QemuState(recipe.qmp).must_equal(before)


def guard_recipe_is_exact(version):
    """R5 over passed sockets: images of one instant under a writing guest, READs answered with garbage; all taken away."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        start = time.monotonic()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        pause = time.monotonic() - start
        recipe.start_jobs(speed=4 << 20)
        guest.wait_rounds(100)
        for index in range(len(recipe.drives)):
            guest.qmp.cmd("block-job-set-speed", {"device": recipe.name("job", index), "speed": 0})
        recipe.wait_jobs()
        recipe.thaw()
        prove(lab, guest.drives, recipe.images(), None)
        must_be_as_before(recipe, before)
        guest.wait_rounds(LAP)
        seen = {"f": collections.Counter(), "d": collections.Counter()}
        for export in recipe.filters + recipe.targets:
            seen[export.name[0]].update(kind for kind, _, _ in export.requests)
            assert export.errors == 0, export.name
        print(f"      pause {pause * 1000:.0f} ms; filter {dict(seen['f'])}, job {dict(seen['d'])}; "
              f"options {recipe.targets[0].options}")
        assert set(seen["d"]) <= {WRITE, WRITE_ZEROES, FLUSH, DISC}
        assert set(seen["f"]) <= {WRITE, WRITE_ZEROES, READ, FLUSH, DISC}
        for export in recipe.filters + recipe.targets:
            for kind, offset, length in export.requests:
                if kind in (WRITE, WRITE_ZEROES, READ):
                    assert offset % CLUSTER == 0 and length <= 1 << 20
                    assert length % CLUSTER == 0 or offset + length == export.store.size


def background_snapshot_with_guard(version):
    """R1: with filters in place RAM and drives are of one instant, the restored guest goes on; not done before 9.0."""
    if older_than(version, "9.0"):
        raise Skip("aborting a background snapshot hangs this QEMU for good: the product does not use it")
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        guest.qmp.events.clear()
        recipe.freeze()
        recipe.begin_ram(BACKGROUND)
        wait_for(lambda: recipe.ram.bytes > 65536, 20, "the RAM stream to begin")
        status = guest.qmp.cmd("query-status")
        guest.qmp.pump()
        stops = [e["event"] for e in guest.qmp.events if e["event"] in ("STOP", "RESUME")]
        print(f"      after 64 KiB of RAM: {status}, events {stops}")
        assert not status["running"] and not stops
        guest.qmp.cmd("cont")
        recipe.start_jobs()
        recipe.wait_jobs()
        recipe.thaw()
        recipe.end_ram(BACKGROUND)
        guest.qmp.pump()
        stops = [e["event"] for e in guest.qmp.events if e["event"] in ("STOP", "RESUME")]
        assert stops == ["RESUME"] or stops == [], stops
        assert guest.is_running()
        must_be_as_before(recipe, before)
        guest.wait_rounds(LAP)
        prove(lab, guest.drives, recipe.images(), lab.path("vmstate.bin"))


def background_snapshot_aborted(version):
    """R1 cut short: after migrate_cancel, and after a receiver that hangs up, the guest runs on (not on 7.2)."""
    if older_than(version, "9.0"):
        raise Skip("the guest would hang for good")
    for way in ("cancel", "hang up"):
        with Lab(version) as lab:
            guest, before, recipe = prepared(lab)
            guest.qmp.cmd("stop")
            recipe.begin_ram(BACKGROUND)
            wait_for(lambda: recipe.ram.bytes > 65536, 20, "the RAM stream to begin")
            guest.qmp.cmd("cont")
            if way == "cancel":
                guest.qmp.cmd("migrate_cancel")
            else:
                recipe.ram._socket.shutdown(2)
            wait_for(lambda: guest.qmp.cmd("query-migrate")["status"] in ("cancelled", "failed", "completed"), 20, "an end")
            print(f"      {way}: migration {guest.qmp.cmd('query-migrate')['status']}")
            guest.qmp.cmd("migrate-set-capabilities", {"capabilities": [dict(c, state=False) for c in BACKGROUND]})
            guest.wait_rounds(200)
            must_be_as_before(recipe, before)


def plain_migrate_activate_guard(version):
    """R2: migrate to the end, activate the nodes, freeze, cont: RAM and drives of one instant on both versions."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.begin_ram(EVENTS)
        guest.qmp.wait_event("STOP")
        guest.qmp.wait_event("MIGRATION", status="completed", timeout=30)
        start = time.monotonic()
        recipe.end_ram(EVENTS)
        assert guest.qmp.cmd("query-status")["status"] == "postmigrate"
        if older_than(version, "10.0"):
            activate_by_export(guest, recipe)
        else:
            guest.qmp.cmd("blockdev-set-active", {"active": True})
        recipe.add_targets()
        recipe.freeze()
        guest.qmp.cmd("cont")
        print(f"      from the end of the stream to cont {(time.monotonic() - start) * 1000:.0f} ms")
        recipe.start_jobs()
        recipe.wait_jobs()
        recipe.thaw()
        must_be_as_before(recipe, before)
        guest.wait_rounds(LAP)
        prove(lab, guest.drives, recipe.images(), lab.path("vmstate.bin"))


def activate_by_export(guest, recipe):
    """7.2 has no command for it: a read-only NBD export of the node activates it."""
    guest.qmp.cmd("nbd-server-start", {"addr": {"type": "unix", "data": {"path": recipe.lab.path("act")}}})
    for index, (node, _) in enumerate(recipe.original):
        guest.qmp.cmd("block-export-add", {"type": "nbd", "id": f"act-{index}", "node-name": node, "name": f"a{index}",
                                           "writable": False})
        guest.qmp.cmd("block-export-del", {"id": f"act-{index}"})
        guest.qmp.wait_event("BLOCK_EXPORT_DELETED", id=f"act-{index}")
    guest.qmp.cmd("nbd-server-stop")


def inactive_nodes_and_filters(version):
    """After a completed migrate 10.0 refuses filters on nodes not activated; 7.2 accepts them, and cont activates."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.begin_ram(EVENTS)
        guest.qmp.wait_event("MIGRATION", status="completed", timeout=30)
        recipe.end_ram(EVENTS)
        recipe.add_targets()
        try:
            recipe.freeze()
            is_accepted = True
        except QmpError as error:
            is_accepted = False
            print(f"      refused: {error.desc}")
        guest.qmp.cmd("cont")
        assert is_accepted == (version == "7.2")
        if is_accepted:
            recipe.start_jobs()
            recipe.wait_jobs()
            recipe.thaw()
        else:
            for index in range(len(recipe.drives)):
                for kind in ("fl", "tgt"):
                    guest.qmp.cmd("blockdev-del", {"node-name": recipe.name(kind, index)})
        must_be_as_before(recipe, before)
        guest.wait_rounds(LAP)
        if is_accepted:
            prove(lab, guest.drives, recipe.images(), lab.path("vmstate.bin"))


def migrate_fails_with_a_filter(version):
    """A plain migrate cannot end while a filter is there, and the guest runs on afterwards."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        recipe.begin_ram(EVENTS)
        wait_for(lambda: guest.qmp.cmd("query-migrate")["status"] in ("completed", "failed"), 30, "an end")
        info = guest.qmp.cmd("query-migrate")
        wait_for(guest.is_running, 10, "the guest to run on")
        print(f"      {info['status']}: {info.get('error-desc')}")
        assert info["status"] == "failed"
        guest.qmp.cmd("migrate-set-capabilities", {"capabilities": [dict(c, state=False) for c in EVENTS]})
        recipe.thaw()
        guest.wait_rounds(LAP)
        must_be_as_before(recipe, before)


def a_job_can_be_retried(version):
    """Cancelled, its connection lost, or its target failing: a new job from the same frozen image is exact."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        for way in ("cancel", "cut", "EIO"):
            job = f"try-{way}"
            recipe.start_job(0, job=job, speed=2 << 20)
            wait_for(lambda: len(recipe.targets[0].requests) > 8, 20, "some writes")
            if way == "cancel":
                guest.qmp.cmd("job-cancel", {"id": job})
            else:
                if way == "cut":
                    recipe.targets[0].cut()
                else:
                    recipe.targets[0].fail_writes = 5
                # A throttled job sleeps and does not notice that its target has gone.
                guest.qmp.cmd("block-job-set-speed", {"device": job, "speed": 0})
            error = guest.qmp.wait_job(job)
            print(f"      {way}: job ended with {error!r}")
            guest.qmp.cmd("blockdev-del", {"node-name": recipe.name("tgt", 0)})
            recipe.targets[0] = recipe.add_target(0)
            guest.wait_rounds(30)
        recipe.start_jobs()
        recipe.wait_jobs()
        recipe.thaw()
        prove(lab, guest.drives, recipe.images(), None)
        must_be_as_before(recipe, before)
        guest.wait_rounds(LAP)


def jobs_answer_for_themselves(version):
    """job-cancel of a paused job works, block-job-cancel does not; concluded stays until dismissed; double pause is an error."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        recipe.start_job(0, speed=1 << 20)
        job = recipe.name("job", 0)
        said = {}

        def refused(command, arguments):
            try:
                guest.qmp.cmd(command, arguments)
                said[command] = None
            except QmpError as error:
                said[command] = f"{error.klass}: {error.desc}"
            return said[command]

        refused("block-job-resume", {"device": job})
        guest.qmp.cmd("block-job-pause", {"device": job})
        wait_for(lambda: guest.qmp.cmd("query-jobs")[0]["status"] == "paused", 10, "the job to pause")
        refused("block-job-pause", {"device": job})
        guest.qmp.cmd("block-job-set-speed", {"device": job, "speed": 3 << 20})
        assert guest.qmp.cmd("query-block-jobs")[0]["speed"] == 3 << 20
        refused("block-job-cancel", {"device": job})
        refused("job-dismiss", {"id": job})
        guest.qmp.cmd("job-cancel", {"id": job})
        wait_for(lambda: guest.qmp.cmd("query-jobs")[0]["status"] == "concluded", 10, "the job to conclude")
        refused("job-cancel", {"id": job})
        guest.qmp.cmd("job-dismiss", {"id": job})
        refused("job-pause", {"id": job})
        for command, answer in said.items():
            print(f"      {command}: {answer}")
            assert answer, command
        recipe.thaw()
        must_be_as_before(recipe, before)


def a_paused_job_blocks_nothing(version):
    """With the job paused and all answered, stop, reset and qom-set are quick; with replies held, stop waits for them."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        recipe.start_jobs(speed=8 << 20)
        wait_for(lambda: len(recipe.targets[0].requests) > 8, 20, "some writes")
        for index in range(len(recipe.drives)):
            guest.qmp.cmd("block-job-pause", {"device": recipe.name("job", index)})
        took = [guest.answers_within(0.5, command) for command in ("stop", "cont", "query-status")]
        print(f"      paused: stop, cont, query-status took {[round(t * 1000) for t in took]} ms")
        for index in range(len(recipe.drives)):
            guest.qmp.cmd("block-job-resume", {"device": recipe.name("job", index)})
        recipe.wait_jobs()
        recipe.thaw()
        prove(lab, guest.drives, recipe.images(), None)
        must_be_as_before(recipe, before)


def in_flight_after_pause(version):
    """How much still arrives after block-job-pause with 64 workers: what the product must have room for."""
    with Lab(version) as lab:
        guest, _, recipe = prepared(lab, standard_drives(count=1, size=256 << 20, with_odd_ones=False), rounds=20)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        recipe.start_jobs()
        wait_for(lambda: len(recipe.targets[0].requests) > 100, 20, "some writes")
        guest.qmp.cmd("block-job-pause", {"device": recipe.name("job", 0)})
        at_pause = len(recipe.targets[0].requests)
        wait_for(lambda: guest.qmp.cmd("query-jobs")[0]["status"] == "paused", 20, "the job to pause")
        kinds = collections.Counter(kind for kind, _, _ in recipe.targets[0].requests[at_pause:])
        writes = kinds[WRITE] + kinds[WRITE_ZEROES]
        print(f"      {writes} requests after the pause was answered")
        assert writes <= 65
        guest.qmp.cmd("job-cancel", {"id": recipe.name("job", 0)})
        guest.qmp.wait_job(recipe.name("job", 0))
        guest.qmp.cmd("cont")
        recipe.thaw()


def a_dead_server_does_not_hurt(version):
    """Both connections cut under a writing guest: no I/O error in it, the job fails, all can be taken away."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab)
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        recipe.start_jobs(speed=1 << 20)
        guest.wait_rounds(50)
        for export in recipe.filters + recipe.targets:
            export.cut()
        guest.wait_rounds(LAP)
        for index in range(len(recipe.drives)):
            try:
                guest.qmp.cmd("job-cancel", {"id": recipe.name("job", index)})
            except QmpError:
                pass  # it had ended already
            print(f"      job {index}: {guest.qmp.wait_job(recipe.name('job', index))!r}")
        recipe.thaw()
        guest.wait_rounds(LAP)
        must_be_as_before(recipe, before)


def a_filter_can_be_probed(version):
    """A broken snapshot shows as "Permission denied" of a 64 KiB null-co backup through a raw node over snap0."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab, standard_drives(count=1))
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        answers = []
        for broken in (False, True):
            if broken:
                recipe.filters[0].fail_writes = 28
                guest.wait_rounds(60)
            guest.qmp.cmd("blockdev-add", {"driver": "raw", "node-name": "probe", "file": recipe.name("snap", 0),
                                           "offset": 0, "size": CLUSTER})
            guest.qmp.cmd("blockdev-add", {"driver": "null-co", "node-name": "void", "size": CLUSTER, "read-zeroes": True})
            guest.qmp.cmd("blockdev-backup", {"job-id": "probe", "device": "probe", "target": "void", "sync": "full",
                                              "auto-dismiss": False})
            answers.append(guest.qmp.wait_job("probe"))
            for node in ("probe", "void"):
                guest.qmp.cmd("blockdev-del", {"node-name": node})
        print(f"      whole: {answers[0]!r}, broken: {answers[1]!r}")
        assert answers == [None, "Permission denied"]
        recipe.thaw()
        guest.wait_rounds(60)
        must_be_as_before(recipe, before)


def graph_changes_wait_for_everything(version):
    """A job started for one drive waits for requests in flight of another, and QMP waits with it: never hold a reply."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab, standard_drives(count=2))
        recipe.add_targets()
        guest.qmp.cmd("stop")
        recipe.freeze()
        guest.qmp.cmd("cont")
        recipe.targets[0].replies.clear()
        recipe.start_job(0)
        wait_for(lambda: len(recipe.targets[0].requests) > 1, 20, "a request")
        number = guest.qmp.begin("blockdev-backup", {
            "job-id": recipe.name("job", 1), "device": recipe.name("snap", 1), "target": recipe.name("tgt", 1),
            "sync": "full", "auto-dismiss": False})
        try:
            guest.qmp.finish(number, timeout=1)
            is_held = False
        except TimeoutError:
            is_held = True
        recipe.targets[0].replies.set()
        if is_held:
            guest.qmp.finish(number)
        print(f"      the second job {'waits for the first drive' if is_held else 'starts at once'}")
        recipe.wait_jobs()
        recipe.thaw()
        must_be_as_before(recipe, before)
        guest.wait_rounds(LAP)


def wrong_sizes_and_names_are_refused(version):
    """An export of another size, an unknown export, a second job id, a qdev instead of a node: errors that say so."""
    with Lab(version) as lab:
        guest, before, recipe = prepared(lab, standard_drives(count=1), rounds=10)
        recipe.add_targets()
        odd = recipe.connect(7, "tgt", Export(Store(recipe.drives[0].size - 512), "d7"))

        def refused(command, arguments):
            try:
                guest.qmp.cmd(command, arguments)
            except QmpError as error:
                print(f"      {error}")
                return
            raise AssertionError(f"{command} {arguments} was accepted")

        node, qdev = recipe.original[0]
        backup = {"device": node, "sync": "full", "job-id": "x"}
        refused("blockdev-backup", dict(backup, target=recipe.name("tgt", 7)))
        refused("blockdev-backup", dict(backup, device=qdev, target=recipe.name("tgt", 0)))
        refused("blockdev-backup", dict(backup, target=recipe.name("tgt", 0), **{"x-perf": {"max-chunk": 4096}}))
        export = Export(recipe.stores[0], "d0")
        export.listen(guest_socket := recipe.lab.path("other"))
        refused("blockdev-add", {"driver": "nbd", "node-name": "n", "export": "nobody",
                                 "server": {"type": "unix", "path": guest_socket}})
        for kind, index in (("fl", 0), ("tgt", 0), ("tgt", 7)):
            guest.qmp.cmd("blockdev-del", {"node-name": recipe.name(kind, index)})
        assert odd.closed.wait(5) and odd.has_disc
        must_be_as_before(recipe, before)


if __name__ == "__main__":
    main(guard_recipe_is_exact, background_snapshot_with_guard, background_snapshot_aborted,
         plain_migrate_activate_guard, inactive_nodes_and_filters, migrate_fails_with_a_filter, a_job_can_be_retried,
         jobs_answer_for_themselves, a_paused_job_blocks_nothing, in_flight_after_pause, a_dead_server_does_not_hurt,
         a_filter_can_be_probed, graph_changes_wait_for_everything, wrong_sizes_and_names_are_refused)
