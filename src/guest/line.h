// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A command line of QEMU's, reduced to what makes the guest: machine, processors, memory, devices, and places
 * for its drives. Nothing of it names, opens or connects anything of the host, but the accelerator and
 * firmware; networks, consoles and sound keep their front ends, which a RAM state needs, and lead nowhere.
 * This is what an archive keeps of a guest (backup/describe), and what `boot` and `restore` take from an
 * archive, which anybody may have written.
 *
 *     struct guest_line *line = guest_line_new(argv + 1, "pc-i440fx-7.2", false);
 *     char **again = guest_line_format(line);          // reduced again, it stays the same
 */
#include <stdbool.h>
#include <glib.h>
#include "guest/option.h"

struct guest_entry {
    const struct option_rule *rule;
    char *name;    /* "-device" */
    GPtrArray *kv; /* its pairs (guest/keyvals.h), or NULL */
    char *value;   /* its argument, if it has no pairs; NULL: a flag */
};

struct guest_line {
    GPtrArray *entries; /* struct guest_entry */
    GPtrArray *left;    /* char *: what was left out, "-object secret"; safe to be shown, and without values */
    bool is_severed;    /* a network or a console leads nowhere */
};

/* argv: without the program. machine: the type that it was, where that is known. is_trusted: all of it stays,
 * but for drives, memory and monitors, which may belong to a guest that runs. */
struct guest_line *guest_line_new(char *const *argv, const char *machine, bool is_trusted);
void guest_line_free(struct guest_line *line);
/* g_strfreev() it. */
char **guest_line_format(const struct guest_line *line);
/* An option and its argument, NULL if it has none; g_free() that. */
char *guest_entry_argument(const struct guest_entry *entry);
/* The first entry of this kind with key=value; NULL: there is none. */
struct guest_entry *guest_line_find(const struct guest_line *line, enum option_kind kind, const char *key,
                                    const char *value);
/* what: a word for the operator, or NULL. */
void guest_line_leave(struct guest_line *line, const char *option, const char *what);

typedef struct guest_line guest_line_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(guest_line_t, guest_line_free)
