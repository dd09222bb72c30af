// SPDX-License-Identifier: GPL-2.0-or-later
/* Each call that asks: what it makes of QEMU's answer, also of a nonsensical one. */
#include "unit/qmp_world.h"

/* --- callbacks: each describes what it got ------------------------------------------------------ */

#define TEXT(text) ((text) ? (text) : "-")

static bool finish(struct world *w, const GError *error)
{
    w->n_done++;
    if (error)
        g_string_append_printf(w->seen, "error %d %s", error->code, error->message);
    return !error;
}

static void on_version(void *user, const struct qmp_version *v, const GError *error)
{
    struct world *w = user;

    if (finish(w, error))
        g_string_append_printf(w->seen, "%d.%d.%d", v->major, v->minor, v->micro);
}

static void on_text(void *user, const char *text, const GError *error)
{
    struct world *w = user;

    if (finish(w, error))
        g_string_append(w->seen, TEXT(text));
}

static void on_status(void *user, const struct qmp_status *s, const GError *error)
{
    struct world *w = user;

    if (finish(w, error))
        g_string_append_printf(w->seen, "%s %d", s->status, s->is_running);
}

static void on_drives(void *user, const struct qmp_drive *drives, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_drive *d = drives; d < drives + n; d++)
        g_string_append_printf(
            w->seen,
            "%s|%s|%s|%s|%s|removable %d medium %d ro %d attached %d|%" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "\n",
            TEXT(d->device), TEXT(d->qdev), TEXT(d->node_name), TEXT(d->format), TEXT(d->file), d->is_removable,
            d->has_medium, d->is_read_only, d->is_attached, d->virtual_size, (gint64)d->actual_size);
}

static void on_nodes(void *user, const struct qmp_node *nodes, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_node *node = nodes; node < nodes + n; node++)
        g_string_append_printf(w->seen, "%s %s %s %d %" G_GUINT64_FORMAT "\n", TEXT(node->node_name),
                               TEXT(node->format), TEXT(node->file), node->is_read_only, node->virtual_size);
}

static void on_bitmaps(void *user, const struct qmp_bitmap *bitmaps, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_bitmap *m = bitmaps; m < bitmaps + n; m++)
        g_string_append_printf(w->seen, "%s %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d %d %d %d %d\n",
                               m->node_name, m->name, m->granularity, m->count, m->is_recording, m->is_busy,
                               m->is_inconsistent, m->is_persistent, m->is_read_only);
}

static void on_graph(void *user, const struct qmp_graph *g, const GError *error)
{
    static const char *const kinds[] = {"node", "device", "job"};
    struct world *w = user;

    if (!finish(w, error))
        return;
    for (unsigned i = 0; i < g->n_vertices; i++)
        g_string_append_printf(w->seen, "%s%s %s %s", i ? ", " : "", kinds[g->vertices[i].kind], g->vertices[i].name,
                               TEXT(g->vertices[i].driver));
    g_string_append(w->seen, "; ");
    for (unsigned i = 0; i < g->n_edges; i++)
        g_string_append_printf(w->seen, "%s-%s-%s, ", g->vertices[g->edges[i].parent].name, g->edges[i].name,
                               g->vertices[g->edges[i].child].name);
    g_string_append_printf(w->seen, "%s told\n", g->knows_users ? "all" : "nodes");
}

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_job *j = jobs; j < jobs + n; j++)
        g_string_append_printf(w->seen, "%s %s %s %s %d/%d speed %d paused %d\n", TEXT(j->id), TEXT(j->type),
                               TEXT(j->status), TEXT(j->error), (int)j->current, (int)j->total, (int)j->speed,
                               j->is_paused);
}

static void on_exports(void *user, const struct qmp_export *exports, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_export *e = exports; e < exports + n; e++)
        g_string_append_printf(w->seen, "%s %s %s %d\n", TEXT(e->id), TEXT(e->type), TEXT(e->node_name),
                               e->is_shutting_down);
}

static void on_blockstats(void *user, const struct qmp_blockstat *stats, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_blockstat *s = stats; s < stats + n; s++) {
        g_string_append_printf(w->seen, "%s %s %s %d %d", TEXT(s->device), TEXT(s->qdev), TEXT(s->node_name),
                               (int)s->wr_operations, (int)s->wr_total_time_ns);
        for (unsigned i = 0; i < s->wr_latency.n_bins; i++)
            g_string_append_printf(w->seen, " %d<%d", (int)s->wr_latency.bin[i],
                                   i + 1 < s->wr_latency.n_bins ? (int)s->wr_latency.boundary_ns[i] : -1);
        g_string_append_c(w->seen, '\n');
    }
}

static void on_bytes(void *user, uint64_t bytes, const GError *error)
{
    struct world *w = user;

    if (finish(w, error))
        g_string_append_printf(w->seen, "%" G_GUINT64_FORMAT, bytes);
}

static void on_answer(void *user, bool has, const GError *error)
{
    struct world *w = user;

    if (finish(w, error))
        g_string_append(w->seen, has ? "yes" : "no");
}

static void on_sentences(void *user, const char *const *sentences, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(w->seen, "%s\n", sentences[i]);
}

static void on_capabilities(void *user, const struct qmp_capability *caps, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(w->seen, "%s=%d ", caps[i].name, caps[i].is_on);
}

static void on_params(void *user, const struct qmp_migration_params *p, const GError *error)
{
    struct world *w = user;

    if (finish(w, error))
        g_string_append_printf(w->seen, "%d %d", (int)p->max_bandwidth, (int)p->downtime_limit_ms);
}

static void on_migration(void *user, const struct qmp_migration *m, const GError *error)
{
    struct world *w = user;

    if (finish(w, error) && m->blocked)
        g_string_append_printf(w->seen, "%s blocked %s", m->status, m->blocked);
    else if (!error)
        g_string_append_printf(w->seen, "%s %s %d %d %d", m->status, TEXT(m->error), (int)m->total, (int)m->remaining,
                               (int)m->dirty_sync_count);
}

/* --- calls, and how to make them ---------------------------------------------------------------- */

#define CALL(name, ...)                                                                                                \
    static void name(struct world *w)                                                                                  \
    {                                                                                                                  \
        qmp_##name(w->q, __VA_ARGS__, w);                                                                              \
    }
CALL(query_version, on_version)
CALL(query_name, on_text)
CALL(query_status, on_status)
CALL(query_block, on_drives)
CALL(query_nodes, on_nodes)
CALL(query_bitmaps, on_bitmaps)
CALL(query_jobs, on_jobs)
CALL(query_exports, on_exports)
CALL(query_blockstats, on_blockstats)
CALL(query_memory, on_bytes)
CALL(has_command, "blockdev-set-active", on_answer)
CALL(has_vhost_export, "vmb-1-none", on_answer)
CALL(query_unsavable, on_sentences)
CALL(qom_get_string, "/machine", "type", on_text)
CALL(qom_get_flag, "/machine/peripheral/disk0", "share-rw", on_answer)
CALL(query_graph, on_graph)
CALL(query_awake_nodes, on_sentences)
CALL(query_capabilities, on_capabilities)
CALL(query_migration_params, on_params)
CALL(query_migrate, on_migration)

static void begin(struct world *w, const char *const *answers)
{
    world_begin(w);
    w->peer.on_command = world_answer;
    w->answer = answers;
    world_open(w, 10000);
    run_until(&w->loop, &w->is_ready);
    g_string_truncate(w->seen, 0);
}

static void expect(void (*make)(struct world *w), const char *const *answers, const char *sent, const char *seen)
{
    struct world w;

    begin(&w, answers);
    make(&w);
    run_until(&w.loop, &w.n_done);
    g_assert_cmpint(w.n_done, ==, 1);
    g_assert_cmpstr(w.seen->str, ==, seen);
    if (sent)
        g_assert_cmpstr(w.sent->str, ==, sent);
    world_end(&w, NULL);
}

static void expect_one(void (*make)(struct world *w), const char *answer, const char *seen)
{
    const char *const answers[] = {answer, NULL};

    expect(make, answers, NULL, seen);
}

static void test_guest(void)
{
    expect_one(query_version, "\"return\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"Debian\"}",
               "7.2.22");
    expect_one(query_name, "\"return\":{\"name\":\"web-01\"}", "web-01");
    expect_one(query_name, "\"return\":{}", "-");
    expect_one(query_status, "\"return\":{\"running\":true,\"status\":\"running\"}", "running 1");
    expect_one(query_memory, "\"return\":{\"base-memory\":4294967296,\"plugged-memory\":1}", "4294967297");
    expect_one(has_command, "\"return\":[{\"name\":\"x\"},{\"name\":\"blockdev-set-active\"}]", "yes");
    expect_one(has_command, "\"return\":[{\"name\":\"x\"}]", "no");
    expect_one(has_vhost_export,
               "\"error\":{\"class\":\"GenericError\",\"desc\":\"Cannot find device='' nor node-name='vmb-1-none'\"}",
               "yes");
    expect_one(has_vhost_export,
               "\"error\":{\"class\":\"GenericError\",\"desc\":\"Parameter 'type' does not accept value "
               "'vhost-user-blk'\"}",
               "no");
    expect_one(has_vhost_export, "\"return\":{}", "no");
    expect_one(qom_get_flag, "\"return\":true", "yes");
    expect_one(qom_get_flag, "\"return\":false", "no");
    expect_one(qom_get_string, "\"return\":\"pc-q35-10.0-machine\"", "pc-q35-10.0-machine");
    expect_one(qom_get_string, "\"error\":{\"class\":\"GenericError\",\"desc\":\"Property 'x' not found\"}",
               "error 0 Property 'x' not found");
}

/* Shapes as QEMU 7.2 and 10.0 send them. */
static void test_drives(void)
{
    expect_one(query_block,
               "\"return\":[{\"device\":\"drive0\",\"qdev\":\"/machine/peripheral-anon/device[0]/virtio-backend\","
               "\"removable\":false,\"inserted\":{\"node-name\":\"#block404\",\"drv\":\"raw\",\"ro\":false,"
               "\"backing_file_depth\":0,\"file\":\"a.img\",\"image\":{\"virtual-size\":67108864,\"actual-size\":"
               "4096,"
               "\"format\":\"raw\"}}},{\"device\":\"cd0\",\"qdev\":\"ide0-cd\",\"removable\":true,\"tray_open\":"
               "false},"
               "{\"device\":\"\",\"inserted\":{\"node-name\":\"disk-f\",\"drv\":\"qcow2\",\"ro\":true,"
               "\"backing_file_depth\":1,\"image\":{\"virtual-size\":50331648,\"cluster-size\":65536}}}]",
               "drive0|/machine/peripheral-anon/device[0]/virtio-backend|#block404|raw|a.img|removable 0 medium 1 "
               "ro 0 "
               "attached 1|67108864 4096\n"
               "cd0|ide0-cd|-|-|-|removable 1 medium 0 ro 0 attached 1|0 -1\n"
               "|-|disk-f|qcow2|-|removable 0 medium 1 ro 1 attached 0|50331648 -1\n");
    expect_one(query_block,
               "\"return\":[{\"device\":1,\"inserted\":{\"image\":{\"virtual-size\":-5,\"cluster-size\":9999999999},"
               "\"backing_file_depth\":-1}}]",
               "-|-|-|-|-|removable 0 medium 1 ro 0 attached 0|0 -1\n");
    expect_one(query_blockstats,
               "\"return\":[{\"device\":\"drive0\",\"qdev\":\"q\",\"node-name\":\"n\",\"stats\":{\"wr_bytes\":3,"
               "\"wr_operations\":2,\"wr_total_time_ns\":9}},{}]",
               "drive0 q n 2 9\n- - - 0 0\n");
    expect_one(/* the second one has a boundary too few */
               query_blockstats,
               "\"return\":[{\"stats\":{\"wr_latency_histogram\":{\"boundaries\":[10,20],\"bins\":[7,0,2]}}},"
               "{\"stats\":{\"wr_latency_histogram\":{\"boundaries\":[10],\"bins\":[7,0,2]}}}]",
               "- - - 0 0 7<10 0<20 2<-1\n- - - 0 0\n");
}

static void test_nodes(void)
{
    static const char *const answer[] = {"\"return\":[]",
                                         "\"return\":[{\"node-name\":\"n\",\"drv\":\"raw\",\"file\":\"f\","
                                         "\"ro\":true,\"image\":{\"virtual-size\":7}}]",
                                         NULL};
    static const char *const streaming[] = {
        "\"return\":[{\"id\":\"j\",\"type\":\"stream\",\"status\":\"concluded\"}]",
        "\"return\":{\"nodes\":[{\"id\":1,\"type\":\"block-driver\",\"name\":\"n\"},{\"id\":2,\"type\":"
        "\"block-backend\","
        "\"name\":\"vda\"},{\"id\":3,\"type\":\"block-driver\"}],\"edges\":[]}",
        NULL};

    expect(query_nodes, answer,
           "{\"execute\":\"query-jobs\"}\n"
           "{\"execute\":\"query-named-block-nodes\",\"arguments\":{\"flat\":true}}\n",
           "n raw f 1 7\n");
    expect(query_nodes, streaming, "{\"execute\":\"query-jobs\"}\n{\"execute\":\"x-debug-query-block-graph\"}\n",
           "n - - 0 0\n");
    expect_one(query_exports, "\"return\":[{\"id\":\"e\",\"type\":\"nbd\",\"node-name\":\"n\",\"shutting-down\":true}]",
               "e nbd n 1\n");
}

static void test_bitmaps(void)
{
    static const char *const answer[] = {
        "\"return\":[]",
        "\"return\":[{\"node-name\":\"n\",\"dirty-bitmaps\":[{\"name\":\"vmb-1\",\"granularity\":65536,"
        "\"count\":131072,\"recording\":true,\"busy\":false,\"persistent\":true},{\"granularity\":65536,\"count\":1},"
        "{\"name\":\"\"},{\"name\":\"b\",\"count\":-1,\"busy\":true,\"inconsistent\":true},7]},"
        "{\"node-name\":\"o\",\"ro\":true,\"dirty-bitmaps\":[{\"name\":\"c\"},{\"name\":\"d\",\"persistent\":true}]},"
        "{\"node-name\":\"m\",\"dirty-bitmaps\":{\"name\":\"no list\"}},{\"dirty-bitmaps\":[{\"name\":\"nowhere\"}]}]",
        NULL};
    static const char *const streaming[] = {"\"return\":[{\"id\":\"j\",\"type\":\"stream\"}]", NULL};

    expect(query_bitmaps, answer,
           "{\"execute\":\"query-jobs\"}\n"
           "{\"execute\":\"query-named-block-nodes\",\"arguments\":{\"flat\":true}}\n",
           "n vmb-1 65536 131072 1 0 0 1 0\nn b 0 0 0 1 1 0 0\no c 0 0 0 0 0 0 0\no d 0 0 0 0 0 1 1\n");
    expect(query_bitmaps, streaming, "{\"execute\":\"query-jobs\"}\n",
           "error 0 a block-stream is under way: nodes cannot be listed");
}

#define NAMED                                                                                                          \
    "\"return\":[{\"node-name\":\"cbw0\",\"drv\":\"copy-before-write\"%s},{\"node-name\":\"disk0\","                   \
    "\"drv\":\"raw\"}]"
#define KNOWN                                                                                                          \
    "{\"id\":1,\"type\":\"block-backend\",\"name\":\"vda\"},{\"id\":2,\"type\":\"block-driver\","                      \
    "\"name\":\"cbw0\"},{\"id\":3,\"type\":\"block-driver\",\"name\":\"disk0\"},{\"id\":9,"                            \
    "\"type\":\"block-job\",\"name\":\"m0\"}"

static void expect_graph(const char *more, const char *answer, const char *seen)
{
    g_autofree char *named = g_strdup_printf(NAMED, more);
    const char *const answers[] = {"\"return\":[{\"id\":\"m0\",\"type\":\"mirror\"}]", named, answer, NULL};

    expect(query_graph, answers,
           "{\"execute\":\"query-jobs\"}\n{\"execute\":\"query-named-block-nodes\",\"arguments\":{\"flat\":"
           "true}}\n"
           "{\"execute\":\"x-debug-query-block-graph\"}\n",
           seen);
}

static void test_graph(void)
{
#define CHILDREN                                                                                                       \
    ",\"children\":[{\"child\":\"file\",\"node-name\":\"disk0\"},{\"child\":\"target\",\"node-name\":\"gone\"}]"
#define GONE "\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"gone\"}"
    expect_graph("",
                 "\"return\":{\"nodes\":[" KNOWN "],\"edges\":[{\"parent\":1,\"child\":2,\"name\":\"root\"},"
                 "{\"parent\":2,\"child\":3,\"name\":\"file\"},{\"parent\":9,\"child\":3,\"name\":\"source\"},"
                 "{\"parent\":2,\"child\":99,\"name\":\"target\"},{\"parent\":-1}]}",
                 "device vda -, node cbw0 copy-before-write, node disk0 raw, job m0 -; vda-root-cbw0, "
                 "cbw0-file-disk0, m0-source-disk0, all told\n");
    expect_graph("", "\"return\":{\"nodes\":7,\"edges\":{}}", "; all told\n");
    expect_graph(CHILDREN, GONE, "node cbw0 copy-before-write, node disk0 raw; cbw0-file-disk0, nodes told\n");
    expect_graph("", GONE, "error 2 gone");
}

static void test_awake_nodes(void)
{
#define AWAKE(edges)                                                                                                   \
    "\"return\":{\"nodes\":[{\"id\":1,\"type\":\"block-backend\",\"name\":\"\"},{\"id\":2,\"name\":\"cbw0\"},"         \
    "{\"id\":3,\"name\":\"disk0\"},{\"id\":4,\"name\":\"fl0\"}],\"edges\":[" edges "]}"
    expect_one(query_awake_nodes,
               AWAKE("{\"parent\":1,\"child\":2,\"perm\":[\"write\"]},{\"parent\":1,\"child\":3,\"perm\":[]},"
                     "{\"parent\":2,\"child\":4,\"perm\":[\"write\"]},{\"parent\":1,\"child\":99,\"perm\":[1]}"),
               "cbw0\n");
    expect_one(query_awake_nodes, AWAKE("{\"parent\":1,\"child\":2,\"perm\":7}"), "");
    expect_one(query_awake_nodes, "\"return\":{\"nodes\":7,\"edges\":{}}", "");
}

static void test_jobs(void)
{
    static const char *const answers[] = {"\"return\":[{\"id\":\"bk0\",\"type\":\"backup\",\"status\":"
                                          "\"running\",\"current-progress\":1,\"total-progress\":2},"
                                          "{\"id\":\"bk1\",\"type\":\"backup\",\"status\":\"concluded\","
                                          "\"current-progress\":5,\"total-progress\":5,"
                                          "\"error\":\"Input/output error\"}]",
                                          "\"return\":[{\"device\":\"bk0\",\"speed\":9,\"paused\":true,"
                                          "\"busy\":true,\"io-status\":\"ok\"},{\"device\":\"new\"}]",
                                          NULL};
    static const char *const second_fails[] = {"\"return\":[{\"id\":\"bk0\"}]", "\"error\":{\"desc\":\"no\"}", NULL};

    expect(query_jobs, answers, "{\"execute\":\"query-jobs\"}\n{\"execute\":\"query-block-jobs\"}\n",
           "bk0 backup running - 1/2 speed 9 paused 1\n"
           "bk1 backup concluded Input/output error 5/5 speed 0 paused 0\n");
    expect(query_jobs, second_fails, NULL, "error 0 no");
    expect_one(query_jobs, "\"error\":{}", "error 0 QEMU refused without saying why");
}

static void test_migration(void)
{
    expect_one(query_migrate, "\"return\":{}", "none - 0 0 0");
    expect_one(query_migrate,
               "\"return\":{\"status\":\"active\",\"expected-downtime\":300,\"downtime\":4,\"ram\":{"
               "\"total\":9,\"remaining\":8,"
               "\"transferred\":7,\"dirty-sync-count\":2,\"mbps\":12.5}}",
               "active - 9 8 2");
    expect_one(query_migrate, "\"return\":{\"status\":\"failed\",\"error-desc\":\"x\",\"ram\":{\"mbps\":3}}",
               "failed x 0 0 0");
    expect_one(query_migrate, "\"return\":{\"blocked-reasons\":[\"nvme\",\"9p\"]}", "none blocked nvme");
    expect_one(query_migrate, "\"return\":{\"blocked-reasons\":[7]}", "none - 0 0 0");
    expect_one(query_migrate, "\"return\":{\"blocked-reasons\":{}}", "none - 0 0 0");
    expect_one(query_capabilities,
               "\"return\":[{\"state\":true,\"capability\":\"events\"},{\"state\":true},{\"state\":false,"
               "\"capability\":\"xbzrle\"}]",
               "events=1 xbzrle=0 ");
    expect_one(query_migration_params, "\"return\":{\"max-bandwidth\":134217728,\"downtime-limit\":300}",
               "134217728 300");
    expect_one(query_migration_params, "\"return\":{}", "-1 -1");
}

static void test_unsavable(void)
{
    static const char *const answers[] = {
        "\"return\":[{\"id\":\"tpm0\",\"model\":\"tpm-tis\",\"options\":{\"type\":\"passthrough\",\"data\":{}"
        "}},"
        "{\"id\":\"tpm1\",\"options\":{\"type\":\"emulator\"}}]",
        "\"return\":[{\"name\":\"type\",\"type\":\"string\"},{\"name\":\"gpu\",\"type\":\"child<vfio-pci>\"},"
        "{\"name\":\"vda\",\"type\":\"child<virtio-blk-pci>\"}]",
        "\"return\":[{\"name\":\"device[3]\",\"type\":\"child<virtio-9p-pci>\"},{\"name\":\"fs\\n\",\"type\":"
        "\"child<vhost-user-fs-pci>\"},{\"name\":\"nv1\",\"type\":\"child<nvdimm>\"},{\"name\":\"pm1\","
        "\"type\":"
        "\"child<virtio-pmem-pci>\"}]",
        "\"return\":\"/usr/share/OVMF.fd\"",
        "\"return\":{\"blocked-reasons\":[\"VFIO migration is not supported\",7]}",
        NULL};
    static const char *const none[] = {"\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no TPM\"}",
                                       "\"return\":[]",
                                       "\"return\":[]",
                                       "\"return\":\"bios-256k.bin\"",
                                       "\"return\":{}",
                                       NULL};

    expect(query_unsavable, answers,
           "{\"execute\":\"query-tpm\"}\n"
           "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral\"}}\n"
           "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral-anon\"}}\n"
           "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine\",\"property\":\"firmware\"}}\n"
           "{\"execute\":\"query-migrate\"}\n",
           "TPM tpm0: its state is not saved\n"
           "TPM tpm1: its state is saved only together with the RAM\n"
           "vfio-pci gpu: a device of the host passed through; its state is not saved\n"
           "virtio-9p-pci device[3]: a folder shared with the host; its files are not saved\n"
           "vhost-user-fs-pci fs?: a folder shared with the host; its files are not saved\n"
           "nvdimm nv1: persistent memory; its contents are saved only together with the RAM\n"
           "virtio-pmem-pci pm1: persistent memory; its contents are not saved, not with the RAM either\n"
           "firmware /usr/share/OVMF.fd: a file of the host; it is not saved\n"
           "RAM: VFIO migration is not supported\n");
    expect(query_unsavable, none, NULL, "");
}

static void on_encrypted(void *user, const struct qmp_drive *drives, unsigned n, const GError *error)
{
    struct world *w = user;

    finish(w, error);
    for (const struct qmp_drive *d = drives; d < drives + n; d++)
        g_string_append_printf(w->seen, "%s %d\n", TEXT(d->device), d->is_encrypted);
}

static void query_encrypted(struct world *w)
{
    qmp_query_block(w->q, on_encrypted, w);
}

/* The image itself, one that it builds on, or what lies under its format. */
static void test_encrypted(void)
{
    expect_one(query_encrypted,
               "\"return\":[{\"device\":\"plain\",\"inserted\":{\"encrypted\":false,\"file\":\"/"
               "luks\",\"image\":{}}},"
               "{\"device\":\"itself\",\"inserted\":{\"encrypted\":true}},"
               "{\"device\":\"base\",\"inserted\":{\"image\":{\"backing-image\":{\"backing-image\":{"
               "\"encrypted\":true}}}}},"
               "{\"device\":\"under\",\"inserted\":{\"file\":\"json:{\\\"file\\\": {\\\"driver\\\": "
               "\\\"luks\\\"}}\"}},"
               "{\"device\":\"empty\"},{\"device\":\"odd\",\"inserted\":{\"image\":[{\"encrypted\":true}]}}]",
               "plain 0\nitself 1\nbase 1\nunder 1\nempty 0\nodd 0\n");
}

/* --- nonsense ----------------------------------------------------------------------------------- */

/* Whatever JSON comes, each call ends once: with an error, or with values that can be read. */
static void test_nonsense(void)
{
    static void (*const queries[])(struct world * w) = {
        query_version,    query_name,         query_status,           query_block,      query_nodes,
        query_bitmaps,    query_jobs,         query_exports,          query_blockstats, query_memory,
        has_vhost_export, has_command,        query_unsavable,        qom_get_string,   qom_get_flag,
        query_graph,      query_capabilities, query_migration_params, query_migrate,    query_awake_nodes,
    };
    static const char *const shapes[] = {
        "null",
        "true",
        "1",
        "-1.5",
        "\"x\"",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        "[\"x\"]",
        "{\"x\":null}",
        "[{\"inserted\":1}]",
        "[{\"inserted\":{\"image\":[],\"node-name\":{}}}]",
        "[{\"stats\":[]}]",
        "[{\"id\":1}]",
        "{\"qemu\":[],\"name\":1,\"status\":[],\"ram\":1}",
        "{\"nodes\":[1,null],\"edges\":[null,{\"parent\":-1}]}",
        "{\"base-memory\":18446744073709551615,\"plugged-memory\":99999999999999999999}",
        "[{\"options\":[],\"type\":\"child<\",\"name\":{}}]",
        "{\"blocked-reasons\":{}}",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autofree char *answer = g_strdup_printf("\"return\":%s", shapes[i]);
        const char *const answers[] = {answer, NULL};
        struct world w;
        begin(&w, answers);
        for (unsigned j = 0; j < G_N_ELEMENTS(queries); j++) {
            w.n_done = 0;
            queries[j](&w);
            run_until(&w.loop, &w.n_done);
            g_assert_cmpint(w.n_done, ==, 1);
        }
        world_end(&w, NULL);
    }
    expect_one(query_block, "\"return\":{}", "error 11 query-block: QEMU's answer is no array");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/queries/guest", test_guest);
    g_test_add_func("/qmp/queries/drives", test_drives);
    g_test_add_func("/qmp/queries/nodes", test_nodes);
    g_test_add_func("/qmp/queries/bitmaps", test_bitmaps);
    g_test_add_func("/qmp/queries/graph", test_graph);
    g_test_add_func("/qmp/queries/awake-nodes", test_awake_nodes);
    g_test_add_func("/qmp/queries/jobs", test_jobs);
    g_test_add_func("/qmp/queries/migration", test_migration);
    g_test_add_func("/qmp/queries/unsavable", test_unsavable);
    g_test_add_func("/qmp/queries/encrypted", test_encrypted);
    g_test_add_func("/qmp/queries/nonsense", test_nonsense);
    return g_test_run();
}
