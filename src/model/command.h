// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The one table of what an operator can do: keys, key bar, help, plain and JSON commands, man page.
 *
 *     struct command c;
 *     if (!command_parse_line("limit scsi1 50M", &c, &error)) …   // or command_parse_json()
 *     backup_command(run, &c, &error);
 *
 * The table stands in command_list.h, the two parsers in command_line.c and json_command.c.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "model/engine.h"
#include "model/model.h"

enum command_verb {
    COMMAND_NONE,
#define COMMAND(verb, ...) COMMAND_##verb,
#include "model/command_list.h"
    COMMAND_VERBS
};

/* What stands behind the word: in a line, and as members of a JSON command. */
enum command_form {
    COMMAND_FORM_NONE,       /* it has a key only */
    COMMAND_FORM_BARE,       /* nothing */
    COMMAND_FORM_DRIVE,      /* scsi1             "target":"scsi1" */
    COMMAND_FORM_DRIVE_RATE, /* scsi1 50M         "target":"scsi1", and "bps":52428800 or "rate":"+10%" */
    COMMAND_FORM_DRIVE_YES,  /* scsi1 yes         "target":"scsi1","yes":true */
    COMMAND_FORM_GUEST,      /* web keep-partial  "guest":"web","keep_partial":true */
    COMMAND_FORM_PATH,       /* the whole rest    "path":"…" */
    COMMAND_FORM_NUMBER,     /* 3                 "n":3 */
    COMMAND_FORM_SWITCH,     /* yes               "on":true */
    COMMAND_FORM_ENGINE,     /* pull              "engine":"pull" */
};

/* Where a command is valid: the screen greys keys and the engine refuses from the same column. */
#define COMMAND_IN(phase) (1u << (phase))

struct command_entry {
    enum command_verb verb;
    const char *word; /* as it is typed and as [keys] of the configuration calls it: "limit" */
    const char *help; /* one line */
    unsigned phases;  /* COMMAND_IN(...) bits */
    bool changes;     /* refused by --readonly */
    enum command_form form;
    const char *arguments; /* "DRIVE|all RATE", NULL if none */
    unsigned max;          /* of its number */
    const char *keys;      /* "s", "Up k"; NULL if none. Space-separated names */
    const char *label;     /* in the key bar ("Limit"), NULL = not there */
    const char *group;     /* heading on the help screen: "MOVE", "DRIVES", "WHOLE BACKUP", "SCREEN" */
};
/* In the order of enum command_verb, from the one after COMMAND_NONE on. */
extern const struct command_entry command_table[];
extern const unsigned command_table_len;
const struct command_entry *command_entry_of(enum command_verb verb);
const struct command_entry *command_entry_of_word(const char *word);
bool command_is_valid(enum command_verb verb, enum model_phase phase);
/* What can be typed, one line each ("limit DRIVE|all RATE   …"): the answer to "help". g_free() it. */
char *command_describe(void);

/* A command with its arguments: what front ends hand to the engine. */
struct command {
    enum command_verb verb;
    char target[MODEL_NAME_LEN];       /* drive name; "" or "all" = all */
    uint64_t rate;                     /* LIMIT: bytes/s, 0 = none */
    bool is_relative;                  /* LIMIT: by percent, of the present limit (or the measured rate) */
    int percent;                       /* +10, -25: the new limit is 110 %, 75 % of the old; -99 … 1000 */
    bool keep_partial;                 /* CANCEL_ALL */
    char confirmation[MODEL_NAME_LEN]; /* CANCEL_ALL: the guest's name, as typed */
    bool is_confirmed;                 /* CANCEL: "yes" was said */
    char text[MODEL_TEXT_LEN];         /* OUTPUT: where to, CONNECT: the monitor */
    unsigned number;                   /* LEVEL (0 = do not compress), RETRIES */
    bool is_on;                        /* VMSTATE, STRICT */
    enum engine engine;                /* ENGINE */
    int64_t id;                        /* of a JSON command, -1 = none */
};
void command_init(struct command *c, enum command_verb verb);
/* "limit scsi1 50M", "pause virtio3", "resume all", "cancel-all web-01", "output /mnt/bk/web.vma", "vmstate no",
 * "status", "help". On failure *c is undefined. */
bool command_parse_line(const char *line, struct command *c, GError **error);
/* {"id":7,"cmd":"limit","target":"scsi1","bps":157286400}, see enum command_form. Other fields are ignored. c->id is
 * set whenever it could be read, also on failure, so that the reply finds its command. */
bool command_parse_json(const char *line, struct command *c, GError **error);
/* The line that command_parse_json() makes the same command of, without its end; g_free() it. Only for verbs that are
 * typed. */
char *command_to_json(const struct command *c);

#define COMMAND_MIN_RATE (UINT64_C(64) << 10) /* below it a job moves less than one chunk per second */
#define COMMAND_MAX_RATE (UINT64_C(1) << 40)

/* The limit part of a command: ^[+-]?[0-9]+([.,][0-9]+)?[KMGT]?(i?B)?(/s)?%?$ without regard to case and blanks, "0",
 * "none", "unlimited". Sets rate, or is_relative and percent. Refuses what command_check_rate() refuses. */
bool command_parse_rate(const char *text, struct command *c, GError **error);
/* 0 (none) or COMMAND_MIN_RATE … COMMAND_MAX_RATE bytes/s. */
bool command_check_rate(uint64_t rate, GError **error);
#define COMMAND_MAX_LEVEL   19
#define COMMAND_MAX_RETRIES 1000
/* 0 … the verb's max; it is c->number then. */
bool command_take_number(struct command *c, int64_t number, GError **error);
/* The new limit when base (bytes/s, > 0) changes by percent: two significant digits, within the allowed range. */
uint64_t command_relative_rate(uint64_t base, int percent);
