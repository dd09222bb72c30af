// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/options.h"

#include "base/error.h"
#include "console/config.h"
#include "options/options.h"
#include "ui/glyphs.h"

#define ROW(name, type, field, help, argument, is_in_config)                                                           \
    {                                                                                                                  \
        {name, 0, 0, G_OPTION_ARG_##type, NULL, help, argument}, offsetof(struct console_options, field), is_in_config \
    }
#define OPTION(...)  ROW(__VA_ARGS__, false)
#define SETTING(...) ROW(__VA_ARGS__, true) /* in the configuration, too */

/* The table of options, in the order of --help: a new one is a row here, and a field in struct console_options. */
const struct console_option console_option_table[] = {
    SETTING("theme", FILENAME, theme, "default, dark, light, contrast, solar, mono, one of yours, or a file", "NAME"),
    SETTING("glyphs", STRING, glyphs, "unicode, blocks or ascii (default: what the terminal has)", "SET"),
    SETTING("color", STRING, color, "auto, always or never (auto heeds NO_COLOR)", "WHEN"),
    SETTING("mouse", NONE, wants_mouse, "Take presses and the wheel (Shift selects text)", NULL),
    SETTING("title", NONE, wants_title, "Show progress in the window's title", NULL),
    SETTING("bell", NONE, wants_bell, "Ring when a drive fails and at the end", NULL),
    OPTION("readonly", NONE, is_readonly, "Refuse every key that changes something", NULL),
    OPTION("start", NONE, begins_at_once, "Begin at once, without showing the plan", NULL),
    OPTION("attach", STRING, attach, "Show a backup that goes on in another process", "RUN"),
    OPTION("replay", FILENAME, replay, "Show a recording (--record)", "FILE"),
    OPTION("speed", DOUBLE, speed, "… so many times as fast as it went", "X"),
    OPTION("plain", NONE, is_plain, "Lines instead of a screen; begins at once", NULL),
    OPTION("json", NONE, is_json, "JSON lines instead of a screen; begins at once", NULL),
    OPTION("interval", INT, interval_s, "In lines, progress at least this often (default 60)", "SECONDS"),
    OPTION("version", NONE, wants_version, "Print the version", NULL),
};
const unsigned console_option_table_len = G_N_ELEMENTS(console_option_table);

void *console_option_field(const struct console_option *option, struct console_options *o)
{
    return (char *)o + option->offset;
}

bool console_option_is_text(const struct console_option *option)
{
    return option->entry.arg == G_OPTION_ARG_FILENAME || option->entry.arg == G_OPTION_ARG_STRING;
}

static void add_entries(GOptionGroup *group, struct console_options *o)
{
    for (unsigned i = 0; i < console_option_table_len; i++) {
        GOptionEntry entries[] = {console_option_table[i].entry, G_OPTION_ENTRY_NULL};
        entries->arg_data = console_option_field(&console_option_table[i], o);
        g_option_group_add_entries(group, entries);
    }
}

static bool usage(GError **error, const char *what, const char *value, const char *instead)
{
    return vmb_fail(error, VMB_ERROR_USAGE, "%s%s%s; %s", what, value ? " " : "", value ? value : "", instead);
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
    for (unsigned i = 0; i < console_option_table_len; i++)
        if (console_option_is_text(&console_option_table[i]))
            g_free(*(char **)console_option_field(&console_option_table[i], o));
}

bool console_options_is_mono(const struct console_options *o)
{
    const char *no_color = g_getenv("NO_COLOR");
    if (o->color && !g_str_equal(o->color, "auto"))
        return g_str_equal(o->color, "never");
    return no_color && *no_color;
}
