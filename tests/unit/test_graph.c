// SPDX-License-Identifier: GPL-2.0-or-later
/* Who stands on what: graphs as QEMU 7.2 and 10.0 show them while others snapshot, mirror, commit, stream and
 * back up. */
#include "qemu/graph.h"

#include <string.h>

#define CBW "vmb-0123abcd-cbw-0"
#define LID "vmb-0123abcd-lid-0"
#define RUN "0123abcd"

/* "device>root>node node>file>file0": vertices by their first letter: @ a device, ! a job, else a node;
 * (driver) behind a node's name. */
struct drawing {
    GArray *vertices, *edges;
    GPtrArray *names;
};

static char *keep(struct drawing *d, char *name)
{
    g_ptr_array_add(d->names, name);
    return name;
}

static unsigned place_of(struct drawing *d, const char *text)
{
    g_auto(GStrv) parts = g_strsplit_set(text, "()", -1);
    bool is_user = *text == '@' || *text == '!';
    struct qmp_vertex v = {*text == '@'   ? QMP_VERTEX_DEVICE
                           : *text == '!' ? QMP_VERTEX_JOB
                                          : QMP_VERTEX_NODE,
                           parts[0] + is_user, parts[1]};

    for (unsigned i = 0; i < d->vertices->len; i++) {
        struct qmp_vertex *old = &g_array_index(d->vertices, struct qmp_vertex, i);
        if (old->kind == v.kind && strcmp(old->name, v.name) == 0)
            return i;
    }
    v.name = keep(d, g_strdup(v.name));
    v.driver = v.driver ? keep(d, g_strdup(v.driver)) : NULL;
    g_array_append_val(d->vertices, v);
    return d->vertices->len - 1;
}

static struct graph *draw_with(const char *text, bool knows_users, const struct qmp_job *jobs, unsigned n_jobs,
                               const struct qmp_export *exports, unsigned n_exports)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    struct drawing d = {g_array_new(FALSE, FALSE, sizeof(struct qmp_vertex)),
                        g_array_new(FALSE, FALSE, sizeof(struct qmp_edge)), g_ptr_array_new_with_free_func(g_free)};

    for (unsigned i = 0; words[i]; i++) {
        g_auto(GStrv) parts = g_strsplit(words[i], ">", 3);
        struct qmp_edge e = {place_of(&d, parts[0]), 0, NULL};
        if (parts[1]) {
            e.child = place_of(&d, parts[2]);
            e.name = keep(&d, g_strdup(parts[1]));
            g_array_append_val(d.edges, e);
        }
    }
    struct qmp_graph answer = {(void *)d.vertices->data, (void *)d.edges->data, d.vertices->len, d.edges->len,
                               knows_users};
    struct graph *g = graph_new(&answer, jobs, n_jobs, exports, n_exports);
    g_array_unref(d.vertices);
    g_array_unref(d.edges);
    g_ptr_array_unref(d.names);
    return g;
}

static struct graph *draw(const char *text)
{
    return draw_with(text, true, NULL, 0, NULL, 0);
}

/* --- others at work ----------------------------------------------------------------------------- */

static const struct qmp_job some_jobs[] = {{.id = "m0", .type = "mirror", .status = "ready"},
                                           {.id = "old", .type = "commit", .status = "concluded"}};

static const struct {
    const char *what, *graph, *who;
} occupied[] = {
    {"nobody", "@vda>root>n0(qcow2) n0>file>f0(file) n0>backing>b0(qcow2)", NULL},
    {"a mirror, whose filter query-block hides",
     "@vda>root>#1(mirror_top) #1>backing>n0(qcow2) !m0>main->#1 !m0>source>n0 !m0>target>t0(raw)",
     "block job m0 (mirror) is on it"},
    {"a commit of an image below", "@vda>root>n0(qcow2) n0>backing>#2(commit_top) #2>backing>b1(qcow2) !c0>main->b1",
     "block job c0 is on it"},
    {"a stream", "@vda>root>#1(copy-on-read) #1>file>n0(qcow2) !s0>main->#1 !s0>active->n0", "block job s0 is on it"},
    {"it is what another one copies to", "@vda>root>n0(raw) !m0>target>n0 @vdb>root>#1(mirror_top) #1>backing>x(raw)",
     "block job m0 (mirror) is on it"},
    {"a job on another drive", "@vda>root>n0(raw) @vdb>root>#1(mirror_top) #1>backing>x(raw) !m0>source>x", NULL},
    {"a job of ours", "@vda>root>n0(raw) !vmb-0123abcd-job-0>main->n0", NULL},
    {"a job of another run", "@vda>root>n0(raw) !vmb-99999999-job-0>main->n0", "block job vmb-99999999-job-0 is on it"},
    {"another program's filter, while drivers are not told", "@vda>root>cbw1 cbw1>file>n0 cbw1>target>fl",
     "another program's filter cbw1 (?) is on it"},
    {"another program's filter", "@vda>root>cbw1(copy-before-write) cbw1>file>n0(raw)",
     "another program's filter cbw1 (copy-before-write) is on it"},
    {"its user's own filters", "@vda>root>t(throttle) t>file>c(copy-on-read) c>file>n0(raw)", NULL},
    {"a filter of ours that had to stay",
     "@vda>root>vmb-99999999-cbw-0(copy-before-write) vmb-99999999-cbw-0>file>n0(raw)", NULL},
};

static void test_occupant(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(occupied); i++) {
        struct graph *g = draw_with(occupied[i].graph, true, some_jobs, G_N_ELEMENTS(some_jobs), NULL, 0);
        g_autofree char *who = graph_occupant(g, "vda", "n0", RUN);
        g_test_message("%s", occupied[i].what);
        g_assert_cmpstr(who, ==, occupied[i].who);
        graph_free(g);
    }
}

/* The scratch image of a backup that is pulled has the drive as its backing file. */
static void test_exports(void)
{
    const struct qmp_export scratch = {.id = "e0", .type = "nbd", .node_name = "scratch"},
                            below = {.id = "e1", .type = "nbd", .node_name = "b0"},
                            elsewhere = {.id = "e2", .type = "nbd", .node_name = "x"};
    const char *text = "@vda>root>n0(qcow2) n0>backing>b0(qcow2) scratch(qcow2)>backing>n0 x(raw)";
    const struct {
        const struct qmp_export *export;
        const char *who;
    } cases[] = {{&scratch, "export e0 (nbd) is on it"}, {&below, "export e1 (nbd) is on it"}, {&elsewhere, NULL}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct graph *g = draw_with(text, true, NULL, 0, cases[i].export, 1);
        g_autofree char *who = graph_occupant(g, "vda", "n0", RUN);
        g_assert_cmpstr(who, ==, cases[i].who);
        graph_free(g);
    }
}

/* Where QEMU does not tell which drive a job is on, all are left alone. */
static void test_untold(void)
{
    const struct qmp_job others[] = {{.id = "vmb-0123abcd-job-1", .type = "backup", .status = "running"},
                                     {.id = "amend0", .type = "amend", .status = "running"},
                                     {.id = "s0", .type = "stream", .status = "running"}};
    const struct qmp_job save = {.id = "save0", .type = "snapshot-save", .status = "running"};
    struct graph *known = draw_with("n0(raw)>file>f0(file)", false, others, 2, NULL, 0),
                 *g = graph_new(NULL, others, 3, NULL, 0),
                 *saving = draw_with("@vda>root>n0(raw)", true, &save, 1, NULL, 0);
    g_autofree char *nobody = graph_occupant(known, "vda", "n0", RUN), *who = graph_occupant(g, "vda", "n0", RUN),
                    *saver = graph_occupant(saving, "vda", "n0", RUN);

    g_assert_null(nobody);
    g_assert_cmpstr(who, ==, "block job s0 (stream) is under way, and this QEMU does not tell on which drive");
    g_assert_cmpstr(saver, ==, "job save0 (snapshot-save) is under way");
    graph_free(known);
    graph_free(saving);
    graph_free(g);
}

/* --- the way out -------------------------------------------------------------------------------- */

struct way_out {
    const char *what, *graph;
    enum graph_way way;
    const char *above, *below, *why;
};

static const struct way_out exits[] = {
    {"as it went in", "@vda>root>" CBW "(copy-before-write) " CBW ">file>n0(raw) " CBW ">target>fl(nbd)", GRAPH_DEVICE,
     "vda", "n0", NULL},
    {"the frozen image is there still", "vmb-0123abcd-snap-0(snapshot-access)>file>" CBW " " CBW ">file>n0(raw)",
     GRAPH_FREE, NULL, "n0", NULL},
    {"a snapshot by node", "@vda>root>" CBW " " CBW ">file>ov(qcow2) ov>backing>n0(raw)", GRAPH_DEVICE, "vda", "ov",
     NULL},
    {"it has a node of its own below it", "@vda>root>" CBW " " CBW ">file>#1(blkdebug) #1>image>n0(raw)", GRAPH_DEVICE,
     "vda", "n0", NULL},
    {"a snapshot by device", "@vda>root>ov(qcow2) ov>file>f(file) ov>backing>" CBW " " CBW ">file>n0(raw)",
     GRAPH_OVERLAY, "ov", "n0", NULL},
    {"the drive was unplugged", CBW ">file>n0(raw)", GRAPH_FREE, NULL, "n0", NULL},
    {"it is gone", "n0(raw)", GRAPH_FREE, NULL, NULL, NULL},
    {"a backup above", "@vda>root>#1(copy-before-write) #1>file>" CBW " !b0>main->#1 " CBW ">file>n0(raw)", GRAPH_STUCK,
     NULL, "n0", "block job b0"},
    {"a mirror's filter, which uses backing", "@vda>root>#1(mirror_top) #1>backing>" CBW " " CBW ">file>n0(raw)",
     GRAPH_STUCK, NULL, "n0", "node #1 (mirror_top)"},
    {"what a refused stream leaves", "@>root>" CBW " @vda>root>" CBW " " CBW ">file>n0(raw)", GRAPH_STUCK, NULL, "n0",
     "a user without a name, such as a job that QEMU has refused leaves behind"},
    {"below is not told", "@vda>root>" CBW, GRAPH_STUCK, NULL, NULL, "QEMU, which does not tell what is below it"},
};

/* And of one that has a lid, which goes first. */
static const struct way_out exits_of_lids[] = {
    {"as it was put on", "@vda>root>" LID "(blkdebug) " LID ">image>" CBW " " CBW ">file>n0(raw)", GRAPH_DEVICE, "vda",
     CBW, NULL},
    {"a snapshot by device", "@vda>root>ov(qcow2) ov>backing>" LID "(blkdebug) " LID ">image>" CBW, GRAPH_OVERLAY, "ov",
     CBW, NULL},
    {"a backup above", "@vda>root>#1(copy-before-write) #1>file>" LID " !b0>main->#1 " LID ">image>" CBW, GRAPH_STUCK,
     NULL, NULL, "block job b0"},
};

static void must_go(const char *node, const struct way_out *w)
{
    struct graph *g = draw(w->graph);
    struct graph_exit exit = graph_way_out(g, node, w->way == GRAPH_DEVICE);

    g_test_message("%s", w->what);
    g_assert_cmpint(exit.way, ==, w->way);
    if (exit.way == GRAPH_DEVICE || exit.way == GRAPH_OVERLAY) {
        g_assert_cmpstr(exit.above, ==, w->above);
        g_assert_cmpstr(exit.below, ==, w->below);
    }
    g_assert_cmpstr(exit.why, ==, w->why);
    g_free(exit.why);
    graph_free(g);
}

static void test_way_out(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(exits); i++)
        must_go(CBW, &exits[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(exits_of_lids); i++)
        must_go(LID, &exits_of_lids[i]);
}

/* Devices are no part of what QEMU tells then: query-block does. */
static void test_way_out_by_children(void)
{
    struct graph *g = draw_with(CBW ">file>n0(raw)", false, NULL, 0, NULL, 0),
                 *nothing = graph_new(NULL, NULL, 0, NULL, 0);
    struct graph_exit shown = graph_way_out(g, CBW, true), alone = graph_way_out(g, CBW, false),
                      blind = graph_way_out(nothing, CBW, true);

    g_assert_cmpint(shown.way, ==, GRAPH_DEVICE);
    g_assert_cmpstr(shown.below, ==, "n0");
    g_assert_cmpint(alone.way, ==, GRAPH_FREE);
    g_assert_cmpint(blind.way, ==, GRAPH_STUCK);
    g_free(blind.why);
    graph_free(g);
    graph_free(nothing);
}

static void test_names(void)
{
    struct graph *g = draw("@vda>root>n0(raw) n0>file>f0(file) alone(raw)");

    g_assert_true(graph_has(g, "alone") && !graph_has(g, "vda") && !graph_has(g, ""));
    graph_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/graph/occupant", test_occupant);
    g_test_add_func("/graph/exports", test_exports);
    g_test_add_func("/graph/untold", test_untold);
    g_test_add_func("/graph/way-out", test_way_out);
    g_test_add_func("/graph/way-out-by-children", test_way_out_by_children);
    g_test_add_func("/graph/names", test_names);
    return g_test_run();
}
