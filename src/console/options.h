// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The command line of vmabackup-tui: the options of a backup, and those of the screen. */
#include "backup/backup.h"

struct console_options {
    struct backup_options backup;
    char *theme;  /* name or file, NULL = by itself */
    char *glyphs; /* unicode, blocks or ascii, NULL = by itself */
    char *color;  /* auto, always or never; NULL = auto */
    char *attach; /* a run of another process: as it was named, then the path of its control socket */
    char *replay; /* a recording */
    double speed; /* of the replay */
    int interval_s;
    gboolean wants_mouse, wants_title, wants_bell; /* off unless asked for */
    gboolean is_readonly, is_plain, is_json, begins_at_once, wants_version;
};
struct console_option {
    GOptionEntry entry; /* without arg_data */
    size_t offset;      /* of its field in struct console_options */
    bool is_in_config;  /* a key of [screen], too (config.h) */
};
extern const struct console_option console_option_table[];
extern const unsigned console_option_table_len;
void *console_option_field(const struct console_option *option, struct console_options *o);
/* Its field is a char *; of those in the configuration the others are gboolean. */
bool console_option_is_text(const struct console_option *option);
/* Takes argv apart, and the configuration (config.h) for what it leaves open. VMB_ERROR_USAGE with one sentence when it
 * is wrong. */
bool console_options_parse(struct console_options *o, int *argc, char ***argv, GError **error);
void console_options_clear(struct console_options *o);
/* No colours: asked for, or NO_COLOR is set and nothing else was asked for. */
bool console_options_is_mono(const struct console_options *o);
