// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What the files of options.h share: options.c (the table of options), option_kind.c (what kinds of values they have).
 */
#include "options/options.h"

struct option_row {
    const char *name;
    const struct option_kind *kind;
    size_t offset; /* of its field in struct backup_options */
    const char *help, *argument;
    unsigned place; /* in the command line that backup_options_line() says: those with a lower one come first */
    char letter;
    bool is_of_archive; /* for who drives QEMU himself, too */
    /* of a number */
    unsigned by_default, min, max;
    const char *range; /* "level is 1 to 19" */
};

/* What is NULL does nothing. */
struct option_kind {
    void (*init)(const struct option_row *row, struct backup_options *o);
    void (*clear)(const struct option_row *row, struct backup_options *o);
    void (*own)(const struct option_row *row, struct backup_options *o); /* a copy of another's becomes one by itself */
    /* NULL: a path, which GOption puts into the field itself. */
    gboolean (*parse)(const struct option_row *row, struct backup_options *o, const char *value, GError **error);
    /* An option_say() for each time that the option would have to be given. */
    void (*say)(const struct option_row *row, const struct backup_options *o, GString *line);
    bool has_no_value;
};
extern const struct option_kind option_flag;   /* bool */
extern const struct option_kind option_path;   /* char *, NULL = not given */
extern const struct option_kind option_number; /* unsigned, or int with -1 */
extern const struct option_kind option_size;   /* uint64_t bytes, 0 = not given */
extern const struct option_kind option_names;  /* GPtrArray of char * */
extern const struct option_kind option_limits; /* GArray of struct backup_limit */
extern const struct option_kind option_files;  /* GArray of struct backup_file */
extern const struct option_kind option_guard;  /* enum backup_guard */
extern const struct option_kind option_engine; /* engine and is_engine_given */
extern const struct option_kind option_track;  /* no_track and is_track_given */
extern const struct option_kind option_full;   /* on_full_fails and on_full_minutes */

void *option_field(const struct option_row *row, const struct backup_options *o);
/* " --name=value", as a shell takes it; in one word, so that no value can be taken for an option. */
void option_say(GString *line, const char *name, const char *value);
/* " word" */
void option_say_word(GString *line, const char *word);
