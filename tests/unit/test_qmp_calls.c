// SPDX-License-Identifier: GPL-2.0-or-later
/* Each call that changes something: the very command it sends. */
#include "unit/qmp_world.h"

#define CALL(name, ...)                                                                                                \
    static void name(struct world *w)                                                                                  \
    {                                                                                                                  \
        qmp_##name(w->q, __VA_ARGS__, w);                                                                              \
    }
CALL(stop, world_on_done)
CALL(cont, world_on_done)
CALL(getfd, "vmb-0", dup(0), world_on_done)
CALL(closefd, "vmb-0", world_on_done)
CALL(add_filter, "cbw0", "disk0", false, "fl0", 10, world_on_done)
CALL(add_snapshot_access, "snap0", "cbw0", world_on_done)
CALL(del_node, "cbw0", world_on_done)
CALL(set_drive, "/machine/peripheral/vda/virtio-backend", "cbw0", world_on_done)
CALL(add_file, "probe", "host_device", "/dev/sdb", world_on_done)
CALL(set_active, world_on_done)
CALL(nbd_server_start, "vmb-act", NULL, world_on_done)
CALL(nbd_server_stop, world_on_done)
CALL(export_add, "act-0", "disk0", NULL, world_on_done)
CALL(add_passing, "cap0", "lid0", "cbw0", world_on_done)
CALL(export_del, "act-0", world_on_done)
CALL(job_cancel, "bk0", world_on_done)
CALL(job_dismiss, "bk0", world_on_done)
CALL(job_pause, "bk0", world_on_done)
CALL(job_resume, "bk0", world_on_done)
CALL(job_set_speed, "bk0", 104857600, world_on_done)
CALL(migrate, "fd:vmb-ram", world_on_done)
CALL(migrate_cancel, world_on_done)

static void add_nbd(struct world *w)
{
    qmp_add_nbd(w->q, "tgt0", "/run/s.nbd", "d0", world_on_done, w);
}

static void add_filter_apart(struct world *w)
{
    qmp_add_filter(w->q, "cbw0", "disk0", true, "fl0", 10, world_on_done, w);
}

static void nbd_server_start_at(struct world *w)
{
    qmp_nbd_server_start(w->q, NULL, "/run/act", world_on_done, w);
}

static void export_add_with_bitmap(struct world *w)
{
    qmp_export_add(w->q, "map-0", "snap0", "x", world_on_done, w);
}

static void backup(struct world *w)
{
    static const struct qmp_backup_job job = {"bk0", "snap0", "tgt0", 1000, 64, NULL};

    qmp_backup(w->q, &job, world_on_done, w);
}

static void backup_changes(struct world *w)
{
    static const struct qmp_backup_job job = {"bk0", "snap0", "tgt0", 0, 0, "x"};

    qmp_backup(w->q, &job, world_on_done, w);
}

static void bitmap_add(struct world *w)
{
    static const struct qmp_new_bitmap bitmap = {"disk0", "vmb-1", 65536, true, false};

    qmp_bitmap_add(w->q, &bitmap, world_on_done, w);
}

static void bitmap_add_disabled(struct world *w)
{
    static const struct qmp_new_bitmap bitmap = {"snap0", "x", 1048576, false, true};

    qmp_bitmap_add(w->q, &bitmap, world_on_done, w);
}

CALL(bitmap_merge, "snap0", "x", "disk0", "vmb-1", world_on_done)
CALL(bitmap_remove, "disk0", "vmb-1", world_on_done)
CALL(add_null, "end0", 1 << 20, world_on_done)
CALL(write_zeroes, "end0", 65536, 512, world_on_done)

static void backup_plainly(struct world *w)
{
    static const struct qmp_backup_job job = {"bk0", "snap0", "tgt0", 0, 0, NULL};

    qmp_backup(w->q, &job, world_on_done, w);
}

static void set_capabilities(struct world *w)
{
    static const struct qmp_capability caps[] = {{"events", true}, {"background-snapshot", false}};

    qmp_set_capabilities(w->q, caps, 2, world_on_done, w);
}

static void set_migration_params(struct world *w)
{
    static const struct qmp_migration_params params = {0, 300};

    qmp_set_migration_params(w->q, &params, world_on_done, w);
}

static void set_one_migration_param(struct world *w)
{
    static const struct qmp_migration_params params = {1000, -1};

    qmp_set_migration_params(w->q, &params, world_on_done, w);
}

static const struct {
    void (*make)(struct world *w);
    const char *sent; /* inside {"execute": … } */
} commands[] = {
    {stop, "\"stop\""},
    {cont, "\"cont\""},
    {getfd, "\"getfd\",\"arguments\":{\"fdname\":\"vmb-0\"}"},
    {closefd, "\"closefd\",\"arguments\":{\"fdname\":\"vmb-0\"}"},
    {add_nbd, "\"blockdev-add\",\"arguments\":{\"driver\":\"nbd\",\"node-name\":\"tgt0\","
              "\"server\":{\"type\":\"unix\",\"path\":\"/run/s.nbd\"},\"export\":\"d0\"}"},
    {add_filter, "\"blockdev-add\",\"arguments\":{\"driver\":\"copy-before-write\",\"node-name\":\"cbw0\","
                 "\"file\":\"disk0\",\"target\":\"fl0\",\"on-cbw-error\":\"break-snapshot\",\"cbw-timeout\":10,"
                 "\"discard\":\"unmap\"}"},
    {add_filter_apart, "\"blockdev-add\",\"arguments\":{\"driver\":\"copy-before-write\",\"node-name\":\"cbw0\","
                       "\"file\":{\"driver\":\"blkdebug\",\"image\":\"disk0\"},\"target\":\"fl0\","
                       "\"on-cbw-error\":\"break-snapshot\",\"cbw-timeout\":10,\"discard\":\"unmap\"}"},
    {add_snapshot_access, "\"blockdev-add\",\"arguments\":{\"driver\":\"snapshot-access\",\"node-name\":\"snap0\","
                          "\"file\":\"cbw0\"}"},
    {add_file,
     "\"blockdev-add\",\"arguments\":{\"driver\":\"host_device\",\"node-name\":\"probe\",\"filename\":\"/dev/sdb\","
     "\"locking\":\"off\",\"read-only\":false,\"auto-read-only\":false}"},
    {del_node, "\"blockdev-del\",\"arguments\":{\"node-name\":\"cbw0\"}"},
    {set_drive, "\"qom-set\",\"arguments\":{\"path\":\"/machine/peripheral/vda/virtio-backend\",\"property\":\"drive\","
                "\"value\":\"cbw0\"}"},
    {set_active, "\"blockdev-set-active\",\"arguments\":{\"active\":true}"},
    {nbd_server_start,
     "\"nbd-server-start\",\"arguments\":{\"addr\":{\"type\":\"fd\",\"data\":{\"str\":\"vmb-act\"}}}"},
    {nbd_server_start_at,
     "\"nbd-server-start\",\"arguments\":{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"/run/act\"}}}"},
    {nbd_server_stop, "\"nbd-server-stop\""},
    {export_add, "\"block-export-add\",\"arguments\":{\"type\":\"nbd\",\"id\":\"act-0\",\"node-name\":\"disk0\","
                 "\"name\":\"act-0\",\"writable\":false}"},
    {export_add_with_bitmap,
     "\"block-export-add\",\"arguments\":{\"type\":\"nbd\",\"id\":\"map-0\",\"node-name\":\"snap0\","
     "\"name\":\"map-0\",\"writable\":false,\"bitmaps\":[\"x\"]}"},
    {add_passing, "\"blockdev-add\",\"arguments\":{\"driver\":\"blkdebug\",\"node-name\":\"cap0\",\"image\":{"
                  "\"driver\":\"blkdebug\",\"node-name\":\"lid0\",\"image\":\"cbw0\"}}"},
    {export_del, "\"block-export-del\",\"arguments\":{\"id\":\"act-0\"}"},
    {backup, "\"blockdev-backup\",\"arguments\":{\"job-id\":\"bk0\",\"device\":\"snap0\",\"target\":\"tgt0\","
             "\"sync\":\"full\",\"auto-dismiss\":false,\"speed\":1000,\"x-perf\":{\"max-workers\":64,"
             "\"max-chunk\":65536}}"},
    {backup_changes, "\"blockdev-backup\",\"arguments\":{\"job-id\":\"bk0\",\"device\":\"snap0\",\"target\":\"tgt0\","
                     "\"sync\":\"bitmap\",\"bitmap\":\"x\",\"bitmap-mode\":\"never\",\"auto-dismiss\":false}"},
    {bitmap_add, "\"block-dirty-bitmap-add\",\"arguments\":{\"node\":\"disk0\",\"name\":\"vmb-1\","
                 "\"granularity\":65536,\"persistent\":true}"},
    {bitmap_add_disabled, "\"block-dirty-bitmap-add\",\"arguments\":{\"node\":\"snap0\",\"name\":\"x\","
                          "\"granularity\":1048576,\"disabled\":true}"},
    {bitmap_merge, "\"block-dirty-bitmap-merge\",\"arguments\":{\"node\":\"snap0\",\"target\":\"x\","
                   "\"bitmaps\":[{\"node\":\"disk0\",\"name\":\"vmb-1\"}]}"},
    {bitmap_remove, "\"block-dirty-bitmap-remove\",\"arguments\":{\"node\":\"disk0\",\"name\":\"vmb-1\"}"},
    {add_null, "\"blockdev-add\",\"arguments\":{\"driver\":\"null-co\",\"node-name\":\"end0\",\"size\":1048576}"},
    {write_zeroes,
     "\"human-monitor-command\",\"arguments\":{\"command-line\":\"qemu-io end0 \\\"write -q -z 65536 512\\\"\"}"},
    {backup_plainly, "\"blockdev-backup\",\"arguments\":{\"job-id\":\"bk0\",\"device\":\"snap0\",\"target\":\"tgt0\","
                     "\"sync\":\"full\",\"auto-dismiss\":false}"},
    {job_cancel, "\"job-cancel\",\"arguments\":{\"id\":\"bk0\"}"},
    {job_dismiss, "\"job-dismiss\",\"arguments\":{\"id\":\"bk0\"}"},
    {job_pause, "\"job-pause\",\"arguments\":{\"id\":\"bk0\"}"},
    {job_resume, "\"job-resume\",\"arguments\":{\"id\":\"bk0\"}"},
    {job_set_speed, "\"block-job-set-speed\",\"arguments\":{\"device\":\"bk0\",\"speed\":104857600}"},
    {set_capabilities, "\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":[{\"capability\":\"events\","
                       "\"state\":true},{\"capability\":\"background-snapshot\",\"state\":false}]}"},
    {set_migration_params, "\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":0,\"downtime-limit\":300}"},
    {set_one_migration_param, "\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":1000}"},
    {migrate, "\"migrate\",\"arguments\":{\"uri\":\"fd:vmb-ram\"}"},
    {migrate_cancel, "\"migrate_cancel\""},
};

static void test_commands(void)
{
    static const char *const fine[] = {"\"return\":{}", NULL};
    struct world w;

    world_begin(&w);
    w.peer.on_command = world_answer;
    w.answer = fine;
    world_open(&w, 10000);
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *expected = g_strdup_printf("{\"execute\":%s}\n", commands[i].sent);
        w.n_done = 0;
        g_string_truncate(w.sent, 0);
        g_string_truncate(w.seen, 0);
        commands[i].make(&w);
        run_until(&w.loop, &w.n_done);
        g_assert_cmpstr(w.sent->str, ==, expected);
        g_assert_true(g_str_has_suffix(w.seen->str, "done\n"));
    }
    world_end(&w, NULL);
}

static void test_no_callback(void)
{
    static const char *const answers[] = {"\"return\":{}", "\"error\":{}", "\"return\":{}", NULL};
    struct world w;

    world_begin(&w);
    w.peer.on_command = world_answer;
    w.answer = answers;
    world_open(&w, 10000);
    qmp_stop(w.q, NULL, NULL);
    qmp_cont(w.q, NULL, NULL);
    qmp_stop(w.q, world_on_done, &w);
    run_until(&w.loop, &w.n_done);
    world_end(&w, "ready\ndone\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/calls/commands", test_commands);
    g_test_add_func("/qmp/calls/no-callback", test_no_callback);
    return g_test_run();
}
