// SPDX-License-Identifier: GPL-2.0-or-later
/* vmabackup-tui MONITOR: the console. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "backup/headless.h"
#include "backup/runs.h"
#include "backup/supervise.h"
#include "base/error.h"
#include "base/stdio.h"
#include "console/app.h"

/* A screen needs both ends of a terminal that can place text; who asks for lines gets lines. */
static bool wants_screen(const struct console_options *o)
{
    const char *term = g_getenv("TERM"), *accessible = g_getenv("ACCESSIBLE");
    return !o->is_plain && !o->is_json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
           !g_str_equal(term, "dumb") && !(accessible && *accessible) &&
           g_strcmp0(o->backup.target, "-") != 0;
}

static int fail(const GError *error)
{
    fprintf(stderr, "vmabackup-tui: %s\n", error->message);
    return vmb_error_exit_status(error);
}

static int run_lines(const struct console_options *o)
{
    struct headless_options lines = {.program = "vmabackup-tui",
                                     .run = &o->backup,
                                     .remote = o->attach,
                                     .recording = o->replay,
                                     .is_json = o->is_json,
                                     .interval_s = (unsigned)o->interval_s};
    if (o->attach || o->replay || o->backup.target)
        return headless_run(&lines);
    fputs("vmabackup-tui: there is no screen to ask on; name a target by -o, and the backup begins at once\n",
          stderr);
    return VMB_ERROR_USAGE;
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
    if (!wants_screen(o))
        return run_lines(o);
    if (!o->attach && !o->replay)
        supervise(); /* so that the terminal can be given back while the run goes on */
    if (screen_open(&screen, o, &error)) {
        int status = app_run(o, &screen, &error);
        return error ? fail(error) : status;
    }
    fail(error);
    return g_error_matches(error, VMB_ERROR, VMB_ERROR_USAGE) ? VMB_ERROR_USAGE : run_lines(o);
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
