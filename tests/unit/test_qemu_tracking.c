// SPDX-License-Identifier: GPL-2.0-or-later
/* Which bitmap is believed, and what the plan says of it. */
#include <stdlib.h>
#include "qemu/tracking.h"

#define MIB       (UINT64_C(1) << 20)
#define GIB       (UINT64_C(1) << 30)
#define IMAGE     .format = "qcow2", .file = "/a.qcow2", .backing = "/base.raw"
#define OF_IMAGE  "-a06f332b" /* of drive scsi0 */
#define GOOD      .granularity = MIB, .is_recording = true, IMAGE
#define NOON      INT64_C(1764504000) /* 2025-11-30T12:00:00Z */
#define TEN       (NOON - 7200)
#define YESTERDAY (NOON - 86400)

static const struct case_of {
    const char *name;
    struct qmp_bitmap bitmaps[3];
    struct tracking_mark marks[3];
    const char *said, *believed;
} cases[] = {
    {"good",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD, .count = 1200 * MIB}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "changed since 10:00: ~1.2G of 64.0G",
     "vmb-0000000a" OF_IMAGE},
    {"unchanged", /* but for its last bit, which is always set */
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD, .count = MIB}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, YESTERDAY, false}},
     "nothing has changed since 2025-11-29 12:00",
     "vmb-0000000a" OF_IMAGE},
    {"more than there is",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD, .count = 65 * GIB}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "changed since 10:00: ~64.0G of 64.0G",
     "vmb-0000000a" OF_IMAGE},
    {"the newest of two",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD}, {"disk0", "vmb-0000000b" OF_IMAGE, GOOD}},
     {{"vmb-0000000b" OF_IMAGE, 64 * GIB, TEN, false}, {"vmb-0000000a" OF_IMAGE, 64 * GIB, YESTERDAY, false}},
     "nothing has changed since 10:00",
     "vmb-0000000b" OF_IMAGE},
    {"the newest is no good",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD}, {"disk0", "vmb-0000000b" OF_IMAGE, .granularity = MIB, IMAGE}},
     {{"vmb-0000000b" OF_IMAGE, 64 * GIB, TEN, false}, {"vmb-0000000a" OF_IMAGE, 64 * GIB, YESTERDAY, false}},
     "nothing has changed since 2025-11-29 12:00",
     "vmb-0000000a" OF_IMAGE},
    {"an older one of a copied image",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD}},
     {{"vmb-0000000b" OF_IMAGE, 64 * GIB, TEN, false}, {"vmb-0000000a" OF_IMAGE, 64 * GIB, YESTERDAY, false}},
     "nothing has changed since 2025-11-29 12:00",
     "vmb-0000000a" OF_IMAGE},
    {"first", {{0}}, {{0}}, "reads everything: no backup in this store has counted its changes", NULL},
    {"gone",
     {{0}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its bitmap is gone: the image or QEMU is another one than then",
     NULL},
    {"on another node",
     {{"disk1", "vmb-0000000a" OF_IMAGE, GOOD}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its bitmap is gone: the image or QEMU is another one than then",
     NULL},
    {"of another store",
     {{"disk0", "vmb-0000000c" OF_IMAGE, GOOD}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its bitmap counts from a backup that is not in this store",
     NULL},
    {"of another program",
     {{"disk0", "bitmap0", GOOD}},
     {{"bitmap0", 64 * GIB, TEN, false}},
     "reads everything: its bitmap is gone: the image or QEMU is another one than then",
     NULL},
    {"killed",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD, .is_inconsistent = true}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: QEMU was killed before its bitmap was saved",
     NULL},
    {"off",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, IMAGE}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its bitmap has been switched off",
     NULL},
    {"busy",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD, .is_busy = true}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its bitmap is in use by somebody else",
     NULL},
    {"nonsense",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .is_recording = true, IMAGE}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: QEMU does not tell how its bitmap counts",
     NULL},
    {"damaged",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, true}},
     "reads everything: the backup that its bitmap counts from is damaged",
     NULL},
    {"grown",
     {{"disk0", "vmb-0000000a" OF_IMAGE, GOOD}},
     {{"vmb-0000000a" OF_IMAGE, 63 * GIB, TEN, false}},
     "reads everything: it has another size than then: 64.0G, not 63.0G",
     NULL},
    {"of another drive",
     {{"disk0", "vmb-0000000a-00000001", GOOD}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"of another drive, which is called so now",
     {{"disk0", "vmb-0000000a-00000001", GOOD}},
     {{"vmb-0000000a-00000001", 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"as earlier versions named it",
     {{"disk0", "vmb-0000000a", GOOD}},
     {{"vmb-0000000a", 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"another file",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, .is_recording = true, .format = "qcow2",
       .file = "/b.qcow2", .backing = "/base.raw"}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"another part of the file",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, .is_recording = true, .format = "qcow2", .file = "json:{}",
       .backing = "/base.raw"}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"another backing file",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, .is_recording = true, .format = "qcow2",
       .file = "/a.qcow2", .backing = "/base2.raw"}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"no backing file",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, .is_recording = true, .format = "qcow2",
       .file = "/a.qcow2"}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"another format",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, .is_recording = true, .format = "raw", .file = "/a.qcow2",
       .backing = "/base.raw"}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
    {"nothing is told",
     {{"disk0", "vmb-0000000a" OF_IMAGE, .granularity = MIB, .is_recording = true}},
     {{"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false}},
     "reads everything: its image is another one than then, or was another drive's",
     NULL},
};

/* Each with its witness behind it, as a bitmap of ours has one. */
static unsigned add_witnesses(struct qmp_bitmap *bitmaps, const struct qmp_bitmap *from)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 3 && from[i].name; i++) {
        bitmaps[n++] = from[i];
        bitmaps[n++] = (struct qmp_bitmap){
            .node_name = from[i].node_name, .name = tracking_witness(from[i].name), .granularity = MIB, .count = MIB};
    }
    return n;
}

static void free_witnesses(struct qmp_bitmap *bitmaps, unsigned n)
{
    for (unsigned i = 1; i < n; i += 2)
        g_free((char *)bitmaps[i].name);
}

static void test_case(gconstpointer data)
{
    const struct case_of *c = data;
    struct qmp_bitmap bitmaps[6];
    struct tracking_facts f = {
        .drive = "scsi0", .node = "disk0", .size = 64 * GIB, .bitmaps = bitmaps, .marks = c->marks};
    struct tracking t;
    g_autofree char *said = NULL;

    f.n_bitmaps = add_witnesses(bitmaps, c->bitmaps);
    while (f.n_marks < 3 && c->marks[f.n_marks].bitmap)
        f.n_marks++;
    t = tracking_judge(&f);
    said = tracking_sentence(&t, f.size, NOON);
    g_assert_cmpstr(said, ==, c->said);
    g_assert_cmpstr(t.mark ? t.mark->bitmap : NULL, ==, c->believed);
    g_assert_cmpstr(t.bitmap ? t.bitmap->name : NULL, ==, c->believed);
    tracking_clear(&t);
    free_witnesses(bitmaps, f.n_bitmaps);
}

/* Nothing but a witness that has its bit, and counts nothing, tells that the drive was never smaller. */
static void test_witness(void)
{
    static const struct qmp_bitmap counter = {"disk0", "vmb-0000000a" OF_IMAGE, GOOD},
                                   good = {"disk0", "vmb-0000000a" OF_IMAGE "-end", .granularity = MIB, .count = MIB};
    static const struct tracking_mark mark = {"vmb-0000000a" OF_IMAGE, 64 * GIB, TEN, false};
    struct qmp_bitmap bad[] = {good, good, good, good};

    bad[0].count = 0;
    bad[1].is_recording = true;
    bad[2].is_inconsistent = true;
    bad[3].node_name = "disk1";
    for (unsigned i = 0; i <= G_N_ELEMENTS(bad); i++) {
        const struct qmp_bitmap both[] = {counter, i < G_N_ELEMENTS(bad) ? bad[i] : good};
        struct tracking_facts f = {.drive = "scsi0",
                                   .node = "disk0",
                                   .size = 64 * GIB,
                                   .bitmaps = both,
                                   .n_bitmaps = 2,
                                   .marks = &mark,
                                   .n_marks = 1};
        struct tracking t = tracking_judge(&f);
        g_assert_cmpstr(t.obstacle, ==,
                        i < G_N_ELEMENTS(bad) ? "it was made smaller since, or its bitmap cannot tell" : NULL);
        tracking_clear(&t);
    }
    g_assert_true(tracking_is_name(good.name) && tracking_is_witness(good.name) && !tracking_is_witness(counter.name));
    g_assert_true(tracking_belongs(good.name, counter.name) && tracking_belongs(counter.name, counter.name));
    g_assert_false(tracking_belongs(counter.name, good.name) || tracking_belongs(good.name, NULL));
}

static void test_filter(void)
{
    const struct tracking_facts f = {.format = "throttle"}, shared = {.format = "raw", .is_shared = true};
    struct tracking t = tracking_judge(&f);
    g_autofree char *said = tracking_sentence(&t, f.size, NOON);

    g_assert_cmpstr(said, ==, "reads everything: no bitmap tells what changes below a filter (throttle)");
    tracking_clear(&t);
    t = tracking_judge(&shared);
    g_assert_cmpstr(t.obstacle, ==, "other guests may write to it (share-rw), which no bitmap tells");
    g_assert_null(t.mark);
    g_assert_false(tracking_is_possible("throttle"));
    g_assert_true(tracking_is_possible("qcow2"));
    tracking_clear(&t);
}

static void test_names(void)
{
    g_autofree char *run = tracking_run_of("vmb-0123abcd-00000001");
    g_autofree char *name =
        tracking_name("0123abcd", &(struct tracking_image){"scsi0", "qcow2", "/a.qcow2", "/base.raw"});

    g_assert_cmpstr(run, ==, "0123abcd");
    g_assert_cmpstr(name, ==, "vmb-0123abcd" OF_IMAGE);
    g_assert_true(tracking_is_name("vmb-0123abcd"));
    g_assert_true(tracking_is_name(name));
    g_assert_false(tracking_is_name("vmb-0123abcd-0123abc"));
    g_assert_false(tracking_is_name("vmb-0123abcd-0123abcd1"));
    g_assert_false(tracking_is_name("vmb-0123abcd-"));
    g_assert_false(tracking_is_name(NULL));
    g_assert_false(tracking_is_name("vmb-0123abcd-changed"));
    g_assert_false(tracking_is_name("vmb-0123abc"));
    g_assert_false(tracking_is_name("vmb-0123abcg"));
    g_assert_false(tracking_is_name("bitmap0"));
}

int main(int argc, char **argv)
{
    setenv("TZ", "UTC", 1);
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/qemu/tracking/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/qemu/tracking/filter", test_filter);
    g_test_add_func("/qemu/tracking/names", test_names);
    g_test_add_func("/qemu/tracking-witness", test_witness);
    return g_test_run();
}
