// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs that go on elsewhere: `runs` lists them, `status` shows one, the others steer it. */
#include "front/runs.h"

#include <stdio.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "model/command.h"

#define LEN UNITS_LEN

/* "26% 133G of 512G, 412M/s, about 18 min left" */
static char *progress_of(const struct model *m)
{
    char done[LEN], total[LEN], rate[LEN], left[LEN];
    GString *s = g_string_new(NULL);
    if (!m->total)
        return g_string_free(s, FALSE);
    g_string_append_printf(s, "%u%% %s of %s, %s", model_percent(m->done, m->total), units_format_size(m->done, done),
                           units_format_size(m->total, total), units_format_rate(m->in_rate, rate));
    if (m->eta_ms != MODEL_UNKNOWN)
        g_string_append_printf(s, ", %s left", units_format_ms(m->eta_ms, left));
    return g_string_free(s, FALSE);
}

/* ---- runs ---- */

static void print_run(const struct runs_entry *e)
{
    const struct model *m = e->model;
    g_autofree char *progress = progress_of(m);
    printf("%s  %-16s %-8s %s%s%s\n", e->run_id, *m->guest ? m->guest : m->monitor, model_phase_word(m->phase),
           progress, *progress ? "  " : "", m->target);
}

int cli_runs(int argc, char **argv)
{
    gboolean is_json = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "The lines that tell how each stands", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    if (!cli_parse_counted(&argc, &argv, options, "", "Lists the backups that go on, of this user.", 0, 0, &error))
        return cli_fail(error);
    g_autoptr(GPtrArray) all = runs_list();
    for_each_in (const struct runs_entry, e, all) {
        if (is_json)
            fputs(e->state, stdout);
        else
            print_run(e);
    }
    if (!all->len && !is_json)
        fputs("vmabackup: no backup goes on\n", stderr);
    return 0;
}

/* ---- status ---- */

static void print_drive(const struct model_drive *d)
{
    char size[LEN], rate[LEN], limit[LEN], left[LEN];
    printf("  %-9s %-16s %8s %3u%%  %10s", model_state_word(d->state), d->name, units_format_size(d->size, size),
           model_percent(d->done, d->size), d->rate ? units_format_rate(d->rate, rate) : "-");
    printf("  limit %-8s", d->limit ? units_format_size(d->limit, limit) : "none");
    if (d->eta_ms != MODEL_UNKNOWN && d->state == MODEL_RUN)
        printf("  %s left", units_format_ms(d->eta_ms, left));
    if (*d->note)
        printf("  %s", d->note);
    putchar('\n');
}

static void print_status(const struct runs_entry *e)
{
    const struct model *m = e->model;
    char elapsed[LEN];
    g_autofree char *progress = progress_of(m);
    printf("run     %s, %s, %s\n", e->run_id, model_phase_word(m->phase), units_format_ms(m->elapsed_ms, elapsed));
    printf("guest   %s %s, QEMU %s, %s\n", m->guest, m->guest_state, m->qemu, m->monitor);
    printf("target  %s\n", m->target);
    if (*progress)
        printf("so far  %s, held up by %s\n", progress, model_bottleneck_word(m->slowest.by));
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].is_included)
            print_drive(&m->drives[i]);
    for (unsigned i = m->n_log; i-- > 0;) /* the last line that matters */
        if (m->log[i].level == MODEL_ERROR || m->log[i].level == MODEL_WARNING) {
            printf("%s   %s\n", m->log[i].level == MODEL_ERROR ? "error" : "warn ", m->log[i].text);
            break;
        }
}

int cli_status(int argc, char **argv)
{
    gboolean is_json = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "The lines that tell how it stands", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    if (!cli_parse_counted(&argc, &argv, options, "RUN", "Says how a backup stands. RUN is its id, or its monitor.", 1,
                           1, &error))
        return cli_fail(error);
    struct runs_entry *e = runs_find(argv[1], &error);
    if (!e)
        return cli_fail(error);
    if (is_json)
        fputs(e->state, stdout);
    else
        print_status(e);
    runs_entry_free(e);
    return 0;
}

/* ---- steering ---- */

/* Finds the run and tells it; for cancel-all it fills in the guest's name: whoever names a run means its
 * guest. */
static int tell(const char *run, struct command *c)
{
    g_autoptr(GError) error = NULL;
    struct runs_entry *e = runs_find(run, &error);
    if (!e)
        return cli_fail(error);
    if (c->verb == COMMAND_CANCEL_ALL)
        g_strlcpy(c->confirmation, e->model->guest, sizeof c->confirmation);
    g_autofree char *line = command_to_json(c), *answer = runs_ask(e, line, &error);
    if (answer && *answer)
        puts(answer);
    runs_entry_free(e);
    return error ? cli_fail(error) : 0;
}

static bool set_drive(struct command *c, const char *drive, GError **error)
{
    if (text_copy(c->target, sizeof c->target, drive ? drive : "all"))
        return true;
    return vmb_fail(error, VMB_ERROR_USAGE, "drive: no drive has so long a name");
}

int cli_limit(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct command c;
    command_init(&c, COMMAND_LIMIT);
    if (!cli_parse_counted(&argc, &argv, NULL, "RUN [DRIVE] RATE",
                           "Sets the speed limit of a backup that goes on, or of one of its drives: 50M, +10%, none.",
                           2, 3, &error) ||
        !set_drive(&c, argc == 4 ? argv[2] : NULL, &error) || !command_parse_rate(argv[argc - 1], &c, &error))
        return cli_fail(error);
    return tell(argv[1], &c);
}

static int steer(int argc, char **argv, enum command_verb verb, enum command_verb verb_for_all, const char *summary)
{
    g_autoptr(GError) error = NULL;
    struct command c;
    if (!cli_parse_counted(&argc, &argv, NULL, "RUN [DRIVE]", summary, 1, 2, &error))
        return cli_fail(error);
    command_init(&c, argc == 3 ? verb : verb_for_all);
    c.is_confirmed = c.verb == COMMAND_CANCEL;
    if (!set_drive(&c, argc == 3 ? argv[2] : NULL, &error))
        return cli_fail(error);
    return tell(argv[1], &c);
}

int cli_pause(int argc, char **argv)
{
    return steer(argc, argv, COMMAND_PAUSE, COMMAND_PAUSE, "Pauses a backup that goes on, or one of its drives.");
}

int cli_resume(int argc, char **argv)
{
    return steer(argc, argv, COMMAND_RESUME, COMMAND_RESUME, "Lets a paused backup go on, or one of its drives.");
}

int cli_cancel(int argc, char **argv)
{
    return steer(argc, argv, COMMAND_CANCEL, COMMAND_CANCEL_ALL,
                 "Ends a backup that goes on, or takes a drive out of it.");
}

int cli_retry(int argc, char **argv)
{
    return steer(argc, argv, COMMAND_RETRY, COMMAND_RETRY, "Retries the drives that failed, or one of them.");
}
