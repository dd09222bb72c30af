// SPDX-License-Identifier: GPL-2.0-or-later
/* The summary as it stands on the screen, and the whole log, for a file. */

#include "ui/screen.h"
#include "ui/ui_inside.h"

#define WIDTH      100
#define MORE_LINES 20 /* above the rows */

/* Nobody moves about in a file. */
static char *summary(const struct ui *ui, const struct model *m, int64_t wall_s)
{
    g_autofree struct ui *still = g_memdup2(ui, sizeof *ui);
    struct canvas *c = canvas_new(WIDTH, (int)m->n_drives + MORE_LINES, ui->glyphs->is_ascii);
    struct scene scene = {.ui = still, .m = m, .glyphs = ui->glyphs, .canvas = c, .wall_s = wall_s};
    still->selected = G_MAXUINT;
    still->is_visitor = true;
    char *text = g_strchomp(screen_finished_text(&scene));
    canvas_free(c);
    return text;
}

static void add_log(GString *out, const struct model *m)
{
    static const char *const signs[] = {
        [MODEL_INFO] = "", [MODEL_WARNING] = "warning: ", [MODEL_ERROR] = "ERROR ", [MODEL_HINT] = "  > "};
    char time[FIGURE_LEN];
    for (unsigned i = 0; i < m->n_log; i++)
        g_string_append_printf(out, " %s %s%s\n", figure_time_of_day(m->log[i].when_s, time), signs[m->log[i].level],
                               m->log[i].text);
}

char *ui_report(const struct ui *ui, const struct model *m, int64_t wall_s)
{
    g_autoptr(GDateTime) now = g_date_time_new_from_unix_local(wall_s);
    g_autofree char *date = now ? g_date_time_format(now, "%Y-%m-%d %H:%M:%S %z") : g_strdup("");
    g_autofree char *text = summary(ui, m, wall_s);
    GString *out = g_string_new(text);
    g_string_append_printf(out, "\n\n exit status %d   %s   reported %s by vmabackup " VMB_VERSION "\n\n log\n",
                           m->end.exit_status, m->monitor, date);
    add_log(out, m);
    return g_string_free(out, FALSE);
}
