// SPDX-License-Identifier: GPL-2.0-or-later
/* The speed limit of a drive, or the same value to each. What Enter would set stands there to the byte. */
#include "ui/dialog.h"

/* What is typed, as far as it is a limit. */
struct wish {
    struct command c;
    bool is_valid;
    char why[MODEL_TEXT_LEN];
    uint64_t rate; /* of a relative one: resolved for the one drive; unknown for all */
};

/* Relative to the present limit, or to what it moves at when it has none. */
static uint64_t base_of(const struct model_drive *drive)
{
    return drive->limit ? drive->limit : drive->rate;
}

static struct wish wish_of(const struct scene *s, const struct model_drive *drive)
{
    struct wish w = {.rate = MODEL_UNKNOWN};
    g_autoptr(GError) error = NULL;
    command_init(&w.c, COMMAND_LIMIT);
    w.is_valid = command_parse_rate(s->ui->input, &w.c, &error);
    if (!w.is_valid)
        model_set(w.why, "%s",
                  g_str_has_prefix(error->message, "limit: ") ? error->message + 7 : error->message);
    else if (!w.c.is_relative)
        w.rate = w.c.rate;
    else if (!s->ui->is_for_all && drive && base_of(drive))
        w.rate = command_relative_rate(base_of(drive), w.c.percent);
    return w;
}

static void say_meaning(const struct wish *w, const struct glyphs *g, bool is_empty, char *text, size_t size)
{
    char exact[FIGURE_LEN];
    if (is_empty)
        g_strlcpy(text, "0 is unlimited", size);
    else if (!w->is_valid)
        g_snprintf(text, size, "%s %s", g->alert, w->why);
    else if (w->rate == MODEL_UNKNOWN)
        g_strlcpy(text, "of what each has now", size);
    else if (!w->rate)
        g_strlcpy(text, "= no limit", size);
    else
        g_snprintf(text, size, "= %s B/s", figure_exact(w->rate, exact));
}

static void line_now(struct dialog *d, const struct scene *s, const struct model_drive *drive)
{
    char now[FIGURE_LEN], rate[FIGURE_LEN], peak[FIGURE_LEN];
    const char *none = s->glyphs->none;
    if (s->ui->is_for_all || !drive)
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "now %s   all together %s",
                    s->m->global_limit ? units_format_rate(s->m->global_limit, now) : "no limit for all",
                    figure_rate(s->m->in_rate, none, rate));
    else
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "now %s   measured %s   most seen %s",
                    drive->limit ? units_format_rate(drive->limit, now) : "no limit",
                    figure_rate(drive->rate, none, rate), figure_rate(drive->peak, none, peak));
}

/* What the limit would do to the one drive; nothing where nothing honest can be said. */
static void line_effect(struct dialog *d, const struct scene *s, const struct model_drive *drive,
                        const struct wish *w)
{
    char end[FIGURE_LEN], rate[FIGURE_LEN], left[FIGURE_LEN];
    if (s->ui->is_for_all || !drive || drive->state != MODEL_RUN || !w->is_valid ||
        w->rate == MODEL_UNKNOWN || !drive->rate) {
        dialog_gap(d);
        return;
    }
    if (!w->rate || (w->rate > drive->rate && !drive->is_limit_binding)) {
        dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "It would not hold the drive back: it moves at %s.",
                    units_format_rate(drive->rate, rate));
        return;
    }
    uint64_t todo = drive->size - MIN(drive->done, drive->size);
    uint64_t ms = (uint64_t)((double)todo * 1000 / (double)w->rate);
    dialog_line(d, DIALOG_EXTRA, ROLE_DIALOG, "At %s it ends in %s%s, %s.", units_format_rate(w->rate, rate),
                figure_estimate(ms, "", left), w->rate > drive->rate ? " at best" : "",
                figure_time_of_day(s->wall_s + (int64_t)(ms / 1000), end));
}

void dialog_limit(const struct scene *s)
{
    const struct ui *ui = s->ui;
    const struct model_drive *drive = model_find_drive(s->m, ui->target);
    struct wish w = wish_of(s, drive);
    char meaning[64];
    say_meaning(&w, s->glyphs, !*ui->input, meaning, sizeof meaning);
    g_autofree char *title =
        ui->is_for_all ? g_strdup("speed limit: all") : g_strdup_printf("speed limit: %s", ui->target);
    struct dialog d = dialog_begin(title);
    line_now(&d, s, drive);
    dialog_gap(&d);
    dialog_input(&d, s->canvas->width >= 44 ? "limit " : "", ui->input, s->canvas->width >= 44 ? 12 : 7,
                 meaning, w.is_valid || !*ui->input);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "50M 1G 800K 1.5G, +10%% -10%%, 0 = unlimited.  1M = 1 MiB.");
    line_effect(&d, s, drive, &w);
    dialog_gap(&d);
    dialog_line(&d, DIALOG_EXTRA, ROLE_DIALOG, "applies to %s%s",
                ui->is_for_all ? " this drive   [all: the same value to each]"
                               : "[this drive]   all: the same value to each",
                s->canvas->width >= 60 ? "" : "  (Tab)");
    dialog_end(&d, s,
               s->canvas->width >= 60   ? "Enter apply  Esc leave as it is  Tab this/all  Up Down 10%"
               : s->canvas->width >= 30 ? "Enter apply  Esc leave"
                                        : "Enter  Esc");
}
