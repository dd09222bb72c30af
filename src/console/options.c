// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/options.h"

#include <string.h>

#include "base/error.h"
#include "console/config.h"
#include "options/options.h"
#include "ui/glyphs.h"

static void add_entries(GOptionGroup *group, struct console_options *o)
{
    const GOptionEntry entries[] = {
        {"theme", 0, 0, G_OPTION_ARG_FILENAME, &o->theme,
         "default, dark, light, contrast, solar, mono, one of yours, or a file", "NAME"},
        {"glyphs", 0, 0, G_OPTION_ARG_STRING, &o->glyphs, "unicode, blocks or ascii (default: what the terminal has)",
         "SET"},
        {"color", 0, 0, G_OPTION_ARG_STRING, &o->color, "auto, always or never (auto heeds NO_COLOR)", "WHEN"},
        {"mouse", 0, 0, G_OPTION_ARG_NONE, &o->wants_mouse, "Take presses and the wheel (Shift selects text)", NULL},
        {"title", 0, 0, G_OPTION_ARG_NONE, &o->wants_title, "Show progress in the window's title", NULL},
        {"bell", 0, 0, G_OPTION_ARG_NONE, &o->wants_bell, "Ring when a drive fails and at the end", NULL},
        {"readonly", 0, 0, G_OPTION_ARG_NONE, &o->is_readonly, "Refuse every key that changes something", NULL},
        {"start", 0, 0, G_OPTION_ARG_NONE, &o->begins_at_once, "Begin at once, without showing the plan", NULL},
        {"attach", 0, 0, G_OPTION_ARG_STRING, &o->attach, "Show a backup that goes on in another process", "RUN"},
        {"replay", 0, 0, G_OPTION_ARG_FILENAME, &o->replay, "Show a recording (--record)", "FILE"},
        {"speed", 0, 0, G_OPTION_ARG_DOUBLE, &o->speed, "… so many times as fast as it went", "X"},
        {"plain", 0, 0, G_OPTION_ARG_NONE, &o->is_plain, "Lines instead of a screen; begins at once", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->is_json, "JSON lines instead of a screen; begins at once", NULL},
        {"interval", 0, 0, G_OPTION_ARG_INT, &o->interval_s, "In lines, progress at least this often (default 60)",
         "SECONDS"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &o->wants_version, "Print the version", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_option_group_add_entries(group, entries);
}

static bool usage(GError **error, const char *what, const char *value, const char *instead)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "%s%s%s; %s", what, value ? " " : "", value ? value : "", instead);
    return false;
}

static bool check(const struct console_options *o, int argc, GError **error)
{
    static const char *const colors[] = {"auto", "always", "never", NULL};
    if (o->glyphs && !glyphs_find(o->glyphs))
        return usage(error, "glyphs", o->glyphs, "there are unicode, blocks and ascii");
    if (o->color && !g_strv_contains(colors, o->color))
        return usage(error, "color", o->color, "it is auto, always or never");
    if (o->speed <= 0 || o->interval_s < 1)
        return usage(error, o->speed <= 0 ? "speed" : "interval", NULL, "it must be more than 0");
    if (o->attach && o->replay)
        return usage(error, "attach and replay", NULL, "one of the two");
    if ((o->attach || o->replay) && argc == 1)
        return true;
    if (o->attach || o->replay)
        return usage(error, "a monitor named", NULL, "it belongs to a backup, not to --attach or --replay");
    if (argc != 2)
        return usage(error, argc < 2 ? "no monitor named" : "more than one monitor named", NULL,
                     "see vmabackup-tui --help");
    return true;
}

bool console_options_parse(struct console_options *o, int *argc, char ***argv, GError **error)
{
    *o = (struct console_options){.speed = 1, .interval_s = 60};
    backup_options_init(&o->backup);
    g_autoptr(GOptionContext) context = g_option_context_new("MONITOR");
    GOptionGroup *group = backup_options_group(&o->backup);
    add_entries(group, o);
    g_option_context_set_main_group(context, group);
    g_option_context_set_summary(context, "Watch and steer the backup of a running QEMU guest.");
    g_option_context_set_description(
        context, "MONITOR is the guest's QMP socket, or host:port. Nothing is changed in QEMU before you begin.");
    g_autoptr(GError) unparsed = NULL;
    if (!g_option_context_parse(context, argc, argv, &unparsed))
        return usage(error, unparsed->message, NULL, "see vmabackup-tui --help");
    if (o->wants_version)
        return true;
    if (!config_load(o, error) || !check(o, *argc, error))
        return false;
    if (o->attach || o->replay)
        return true;
    o->backup.monitor = g_strdup((*argv)[1]);
    return backup_options_check(&o->backup, error);
}

void console_options_clear(struct console_options *o)
{
    backup_options_clear(&o->backup);
    g_free(o->theme);
    g_free(o->glyphs);
    g_free(o->color);
    g_free(o->attach);
    g_free(o->replay);
}

bool console_options_is_mono(const struct console_options *o)
{
    const char *no_color = g_getenv("NO_COLOR");
    if (o->color && !g_str_equal(o->color, "auto"))
        return g_str_equal(o->color, "never");
    return no_color && *no_color;
}
