// SPDX-License-Identifier: GPL-2.0-or-later
/* Every screen and dialog as text, and all of them at every size. Those with colours are in test_ui_matrix.c.
 */
#include <string.h>

#include "ui_golden.h"
#include "ui_scenes.h"

static char *drawn(const struct ui *ui, const struct model *m, int width, int height)
{
    struct canvas *c = canvas_new(width, height, ui->glyphs->is_ascii);
    ui_draw(ui, m, SCENE_NOW_S, c);
    char *text = canvas_dump(c);
    canvas_free(c);
    return text;
}

static void type(struct ui *ui, const struct model *m, const char *keys)
{
    for (; *keys; keys++)
        ui_key(ui, (uint32_t)*keys, m, ui->now_ms + UI_DIALOG_DEAF_MS);
}

/* In both sets of signs. keys: typed first. */
static void assert_keys(void (*scene)(struct model *), const char *name, unsigned row, const char *keys, int width,
                        int height)
{
    static const char *const sets[] = {"unicode", "ascii"};
    g_autoptr(GString) out = g_string_new(NULL);
    for (unsigned g = 0; g < G_N_ELEMENTS(sets); g++) {
        struct model m;
        struct ui *ui = g_new(struct ui, 1);
        scene(&m);
        ui_init(ui, glyphs_find(sets[g]));
        ui->themes = theme_list(NULL);
        ui_tick(ui, &m, 0);
        ui->selected = row;
        type(ui, &m, keys);
        g_autofree char *is = drawn(ui, &m, width, height);
        g_string_append_printf(out, "=== %s\n%s", sets[g], is);
        g_array_unref((GArray *)ui->themes);
        g_free(ui);
        model_clear(&m);
    }
    golden_check(name, width, height, out->str);
}

static void assert_at_80(void (*scene)(struct model *), const char *name, unsigned row, const char *keys)
{
    assert_keys(scene, name, row, keys, 80, 24);
}

/* ---- the screens ---- */

static void lost(struct model *m)
{
    scene_copy(m);
    m->link.is_lost = true;
    m->link.data_age_ms = 12000;
}
static void full(struct model *m)
{
    scene_copy(m);
    m->sink.is_full = true;
    m->sink.free_bytes = 0;
    m->sink.need_bytes = 12 * G;
    m->drives[2].paused.by_target = true;
}
static void stuck(struct model *m)
{
    scene_copy(m);
    m->sink.stuck_ms = 14000;
    m->sink.no_buffers_ms = 4000;
    m->sink.buffers_used = m->sink.buffers_total;
    m->sink.spool_used = m->sink.spool_size / 100 * 97;
}
static void suffering(struct model *m)
{
    scene_copy(m);
    m->impact = (struct model_impact){1400000, 900, 2100000, 17, true, 40 * M, 93000};
    m->drives[3].paused.by_target = false;
    m->drives[3].is_slowed = true;
}
static void retrying(struct model *m)
{
    scene_copy(m);
    m->drives[5].state = MODEL_RETRY;
    m->drives[5].may_retry = m->drives[5].keeps_instant = false;
    m->drives[5].retries = 1;
    m->drives[5].retry_in_ms = 24000;
    m->drives[1].is_instant_own = true;
    m->drives[1].instant_us = scene_time(11, 36, 2) * G_USEC_PER_SEC;
    m->global_limit = 450 * M;
    for (unsigned i = 2; i < 5; i++)
        m->drives[i].is_limit_shared = true;
}
static void connecting(struct model *m)
{
    scene_connect(m, false);
}
static void refused(struct model *m)
{
    scene_connect(m, true);
}
static void known(struct model *m)
{
    scene_plan(m);
    m->forecast.plain = 214 * G;
    m->forecast.written = 100 * G;
    m->sink.need_bytes = 78 * G;
    m->forecast.rate = 412 * M;
    m->forecast.ms = 566000;
}
static void into_a_store(struct model *m)
{
    scene_plan(m);
    model_set(m->target, "/mnt/store");
    model_set(m->sink.guest, "web-01");
    model_set(m->sink.backups, "12: 2026-11-30 08:10, 1.2G new, verified; 2026-11-29 08:10, 800M new, DAMAGED; "
                               "2026-11-28 08:10, 640M new");
    model_set(m->drives[1].track.plan, "changed since 08:10: ~1.2G of 64G");
    m->drives[1].track.is_incremental = true;
    m->drives[1].track.changed = 1229 * M;
    m->forecast.reads -= m->drives[1].size - m->drives[1].track.changed;
    model_set(m->drives[2].track.plan, "reads everything: no bitmap counts");
}
static void into_an_empty_store(struct model *m)
{
    scene_plan(m);
    model_set(m->target, "/mnt/store");
    model_set(m->sink.guest, "web-01");
    model_set(m->sink.backups, "none in this store yet");
}
static void pulled(struct model *m)
{
    scene_plan(m);
    model_set(m->engine.word, "pull");
    for (unsigned i = 1; i < m->n_drives; i++)
        model_set(m->drives[i].engine, i == 3 ? "push" : "pull");
    model_set(m->drives[3].note, "unguarded; pushed");
}
static void not_pulled(struct model *m)
{
    scene_plan(m);
    model_set(m->engine.obstacle, "this QEMU was built without vhost-user-blk exports");
}
static void left_over(struct model *m)
{
    scene_plan(m);
    m->left.n = 14;
    model_set(m->left.what,
              "2 jobs, 8 nodes, 2 drives behind filters, changed migration capabilities, the guest stopped");
}
static void incomplete(struct model *m)
{
    scene_finished(m, false);
    m->drives[1].is_instant_own = true;
    m->drives[1].instant_us = scene_time(11, 36, 2) * G_USEC_PER_SEC;
}
static void reading(struct model *m)
{
    incomplete(m);
    m->end.reading = MODEL_READING_TO_HASH;
    m->end.read_done = 61 * G;
    m->end.read_total = m->end.archive_bytes;
    m->end.read_rate = 240 * M;
    m->eta_ms = 341000;
    m->end.is_verified = true;
}
static void damaged(struct model *m)
{
    scene_finished(m, true);
    m->end.exit_status = 8;
    model_set(m->end.outcome, "archive %s is damaged (at byte 81788928: digest of an extent's data is wrong)",
              m->target);
    model_set(m->end.sha256, "dcb3b018af415d60d6323c103d574177e14e9b2bd57bb43f6429781d1d922127");
}
static void cancelled(struct model *m) /* no archive: no row is saved, however far it came */
{
    scene_copy(m);
    m->phase = MODEL_DONE;
    m->end.exit_status = 4;
    model_set(m->end.outcome, "backup cancelled by operator; the guest goes on as before");
}

static void test_main(void)
{
    assert_keys(scene_copy, "main", 2, "", 20, 3);
    assert_at_80(lost, "main-lost", 2, "");
    assert_at_80(full, "main-full", 2, "");
    assert_at_80(stuck, "main-stuck", 2, "");
    assert_at_80(suffering, "main-suffering", 3, "");
    assert_at_80(retrying, "main-retry", 5, "");
    assert_at_80(scene_copy, "main-marked", 2, " jj ");
    assert_at_80(scene_copy, "main-unknown-key", 2, "X");
}

static void test_phases(void)
{
    assert_at_80(connecting, "connect", 0, "");
    assert_at_80(refused, "connect-failed", 0, "j");
    assert_at_80(refused, "connect-other", 0, "o");
    assert_at_80(scene_plan, "plan", 2, "");
    assert_keys(scene_plan, "plan", 2, "", 40, 12);
    assert_keys(scene_plan, "plan", 2, "", 120, 36);
    assert_at_80(scene_plan, "plan-output", 2, "o");
    assert_at_80(scene_plan, "plan-level", 2, "z");
    assert_at_80(scene_plan, "plan-on-error", 2, "x");
    assert_at_80(known, "plan-forecast", 2, "");
    assert_at_80(into_a_store, "plan-store", 2, "");
    assert_keys(into_a_store, "plan-store", 2, "", 120, 36);
    assert_keys(into_a_store, "plan-store", 2, "", 40, 24);
    assert_at_80(into_an_empty_store, "plan-empty-store", 2, "");
    assert_at_80(pulled, "plan-pull", 2, "");
    assert_keys(pulled, "plan-pull", 2, "", 40, 24);
    assert_at_80(not_pulled, "plan-no-pull", 2, "p");
    assert_at_80(left_over, "plan-leftovers", 2, "");
    assert_at_80(left_over, "leftovers", 2, "c");
    assert_keys(left_over, "leftovers", 2, "c", 40, 12);
    assert_keys(left_over, "leftovers", 2, "c", 20, 3);
    assert_at_80(incomplete, "finished-incomplete", 5, "");
    assert_at_80(cancelled, "finished-cancelled", 0, "");
    assert_at_80(reading, "finished-reading", 5, "");
    assert_at_80(damaged, "finished-damaged", 0, "");
}

static void test_overlays(void)
{
    assert_at_80(scene_copy, "error-card", 5, "\r");
    assert_at_80(retrying, "error-retry", 5, "\r");
    assert_keys(scene_copy, "error-card", 5, "\r", 40, 12);
    assert_at_80(scene_copy, "help", 2, "?");
    assert_at_80(scene_plan, "help-plan", 2, "?");
    assert_keys(scene_copy, "help", 2, "?", 40, 12);
    assert_at_80(scene_copy, "log", 2, "l");
    assert_at_80(scene_copy, "log-filter", 2, "/scsi");
    assert_at_80(scene_copy, "log-error", 2, "e");
    assert_at_80(scene_copy, "limit-bad", 2, "s15o");
    assert_at_80(scene_copy, "limit-sooner", 2, "s+50%");
    assert_at_80(scene_copy, "limit-all", 2, "S-50%");
    assert_keys(scene_copy, "limit-bad", 2, "s15o", 20, 3);
    assert_at_80(scene_copy, "drop", 2, "c");
    assert_at_80(scene_copy, "pause-all", 2, "P");
    assert_at_80(scene_copy, "cancel", 2, "Cweb-0");
    assert_at_80(scene_copy, "cancel-sure", 2, "Cweb-01");
    assert_keys(scene_copy, "cancel", 2, "Cweb-0", 40, 12);
    assert_keys(scene_copy, "cancel", 2, "Cweb-0", 20, 3);
    assert_at_80(scene_copy, "quit", 2, "q");
    assert_keys(scene_copy, "quit", 2, "q", 20, 3);
    assert_at_80(scene_copy, "theme", 2, "t");
}

/* ---- every size ---- */

/* Each line within the width, and as many as there are. */
static void assert_fits(const char *text, int width, int height)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpint((int)g_strv_length(lines), ==, height + 1);
    for (int i = 0; i < height; i++)
        g_assert_cmpint(canvas_text_width(lines[i]), <=, width);
}

/* Selected row and message are there wherever there are three lines. */
static void assert_essentials(const char *text, const struct ui *ui, const struct model *m, int width, int height)
{
    if (height < 3 || width < 12)
        return;
    g_autofree char *name = g_strndup(m->drives[ui->selected].name, 4);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool has_row = false, has_message = false;
    for (unsigned i = 0; lines[i]; i++) {
        has_row |= g_str_has_prefix(lines[i], ui->glyphs->cursor) && strstr(lines[i], name);
        has_message |= strstr(lines[i], "X does") != NULL;
    }
    if (!has_row || !has_message)
        g_error("%dx%d: no selected row or no message:\n%s", width, height, text);
}

static void crowd(struct model *m)
{
    scene_copy(m);
    for (int i = 0; i < 40; i++) /* more rows than lines, long and wide names */
        scene_drive(m, i % 2 ? "数据磁盘-with-a-very-long-name-indeed" : "d", UINT64_MAX / 64, (uint64_t)i, MODEL_RUN,
                    1);
}

/* Dense where the layout changes, with gaps where it only grows; from one scene to the next the gaps move. */
static void draw_all_sizes(const struct ui *ui, const struct model *m, unsigned turn, bool is_plain)
{
    for (int width = 1; width <= 130; width += is_plain || width < 50 ? 1 : 3)
        for (int height = 1 + (int)(turn % 2); height <= 45; height += is_plain || height < 24 ? 1 : 2) {
            g_autofree char *text = drawn(ui, m, width, height);
            assert_fits(text, width, height);
            if (is_plain && m->n_drives)
                assert_essentials(text, ui, m, width, height);
            for (const char *at = text; ui->glyphs->is_ascii && *at; at++)
                g_assert_cmpint(*at & 0x80, ==, 0);
        }
}

static void test_all_sizes(void)
{
    static void (*const scenes[])(struct model *) = {scene_copy, scene_plan, refused,   incomplete,
                                                     crowd,      suffering,  left_over, reading};
    static const char *const keys[] = {"X", "?",       "l", "/x", "e", "\r", "s1.5x", "S+10%", "c",
                                       "P", "Cweb-01", "q", "o",  "x", "z",  "t",     "v"};
    struct ui *ui = g_new(struct ui, 1);
    GArray *themes = theme_list(NULL);
    unsigned turn = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(scenes); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(keys); k++, turn++) {
            struct model m;
            scenes[i](&m);
            ui_init(ui, glyphs_find(turn % 3 ? turn % 3 == 1 ? "unicode" : "blocks" : "ascii"));
            ui->themes = themes;
            if (m.phase == MODEL_COPY)
                scene_watch(ui, &m);
            ui->selected = m.n_drives / 2;
            type(ui, &m, keys[k]);
            if (k == 0 || turn % 4 == 0 || k == 5 || k == 16)
                draw_all_sizes(ui, &m, turn, k == 0);
            else
                for (int size = 1; size < 45; size++) {
                    g_autofree char *text = drawn(ui, &m, size * 3 - (int)(turn % 3), size);
                    assert_fits(text, size * 3 - (int)(turn % 3), size);
                }
            model_clear(&m);
        }
    g_array_unref(themes);
    g_free(ui);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/screens/main", test_main);
    g_test_add_func("/ui/screens/phases", test_phases);
    g_test_add_func("/ui/screens/overlays", test_overlays);
    g_test_add_func("/ui/screens/all-sizes", test_all_sizes);
    return g_test_run();
}
