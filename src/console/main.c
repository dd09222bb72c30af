// SPDX-License-Identifier: GPL-2.0-or-later
/* vmabackup-tui MONITOR: the console. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/stdio.h"
#include "console/app.h"
#include "front/headless.h"
#include "front/runs.h"
#include "front/supervise.h"

static bool is_set(const char *variable)
{
    const char *value = g_getenv(variable);
    return value && *value;
}

/* A screen needs both ends of a terminal that can place text; who asks for lines gets lines. NULL: it can be
 * tried. */
static const char *why_no_screen(const struct console_options *o)
{
    if (o->is_plain || o->is_json)
        return "lines are asked for";
    if (g_strcmp0(o->backup.target, "-") == 0)
        return "the archive goes to standard output";
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return "standard input or output is no terminal";
    if (is_set("ACCESSIBLE"))
        return "ACCESSIBLE is set";
    if (!is_set("TERM"))
        return "TERM is not set";
    return g_str_equal(g_getenv("TERM"), "dumb") ? "TERM is dumb" : NULL;
}

static int fail(const GError *error)
{
    fprintf(stderr, "vmabackup-tui: %s\n", error->message);
    return vmb_error_exit_status(error);
}

/* Without a screen nobody sees the plan: these options do without it. */
static bool may_begin_unseen(const struct console_options *o)
{
    return o->is_plain || o->is_json || o->begins_at_once;
}

static int refuse_lines(const char *why)
{
    fprintf(stderr, "vmabackup-tui: %s\n", why);
    return VMB_ERROR_USAGE;
}

/* why: there is no screen; NULL where that was told already. */
static int run_lines(const struct console_options *o, const char *why)
{
    struct headless_options lines = {.program = "vmabackup-tui",
                                     .run = &o->backup,
                                     .remote = o->attach,
                                     .recording = o->replay,
                                     .is_json = o->is_json,
                                     .interval_s = (unsigned)o->interval_s};
    if (o->attach || o->replay)
        return headless_run(&lines);
    if (!may_begin_unseen(o)) {
        g_autofree char *text =
            g_strdup_printf("%s, so there is no screen for the plan; --plain does without and begins at once", why);
        return why ? refuse_lines(text) : VMB_ERROR_USAGE;
    }
    if (o->backup.target)
        return headless_run(&lines);
    return refuse_lines("there is no screen to ask on; name a target by -o, and the backup begins at once");
}

/* Where it was named by its id or its monitor, the path of its socket. */
static bool find_run(struct console_options *o, GError **error)
{
    struct runs_entry *e = runs_find(o->attach, error);
    if (!e)
        return false;
    g_free(o->attach);
    o->attach = g_strdup(e->path);
    runs_entry_free(e);
    return true;
}

static int run(struct console_options *o)
{
    g_autoptr(GError) error = NULL;
    struct screen screen;
    if (o->wants_version) {
        puts("vmabackup-tui " VMB_VERSION);
        return 0;
    }
    if (o->attach && !find_run(o, &error))
        return fail(error);
    const char *why = why_no_screen(o);
    if (why)
        return run_lines(o, why);
    if (!o->attach && !o->replay)
        supervise(); /* so that the terminal can be given back while the run goes on */
    if (screen_open(&screen, o, &error)) {
        int status = app_run(o, &screen, &error);
        return error ? fail(error) : status;
    }
    fail(error);
    return g_error_matches(error, VMB_ERROR, VMB_ERROR_USAGE) ? VMB_ERROR_USAGE : run_lines(o, NULL);
}

int main(int argc, char **argv)
{
    struct console_options options;
    g_autoptr(GError) error = NULL;
    stdio_fill();
    g_setenv("UV_THREADPOOL_SIZE", "8", FALSE); /* before anything could start the pool */
    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);
    bool is_good = console_options_parse(&options, &argc, &argv, &error);
    int status = is_good ? run(&options) : fail(error);
    console_options_clear(&options);
    return status;
}
