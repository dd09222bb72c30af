// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands as typed lines, and the grammar of a speed limit, which the limit dialog shares. */
#include "model/command.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"

#define fail(error, ...) vmb_fail(error, VMB_ERROR_USAGE, __VA_ARGS__)

/* ---- speed limits ---- */

bool command_check_rate(uint64_t rate, GError **error)
{
    if (rate && rate < COMMAND_MIN_RATE)
        return fail(error, "limit: at least 64K; to stop, use pause");
    if (rate > COMMAND_MAX_RATE)
        return fail(error, "limit: at most 1T; for no limit, use 0");
    return true;
}

uint64_t command_relative_rate(uint64_t base, int percent)
{
    uint64_t rate = MIN(base, COMMAND_MAX_RATE) / 100 * (uint64_t)(100 + CLAMP(percent, -99, 1000));
    /* Two significant digits in the unit it is shown in: 118.7M + 10 % is 130M, not 130.57M. */
    uint64_t unit = 1;
    while (rate / unit >= 1024)
        unit *= 1024;
    uint64_t step = unit;
    while (rate / step >= 100)
        step *= 10;
    if (rate / unit < 10 && unit > 1)
        step = unit / 10;
    rate = (rate + step / 2) / step * step;
    return CLAMP(rate, COMMAND_MIN_RATE, COMMAND_MAX_RATE);
}

/* Lower case without blanks. */
static char *squeeze(const char *text)
{
    GString *out = g_string_new(NULL);
    for (; *text; text++)
        if (!g_ascii_isspace(*text))
            g_string_append_c(out, g_ascii_tolower(*text));
    return g_string_free(out, FALSE);
}

/* The first character that no number has, as text; NULL when there is none. Words for "none" are no number.
 */
static char *odd_character(const char *text)
{
    for (; *text; text = g_utf8_next_char(text))
        if (!strchr("0123456789.,+-kmgtib/s%", *text))
            return g_strndup(text, text_cut(text, (size_t)(g_utf8_next_char(text) - text)));
    return NULL;
}

static bool parse_relative(const char *text, struct command *c, GError **error)
{
    size_t len = strlen(text);
    gint64 percent;
    g_autofree char *digits = len > 2 ? g_strndup(text + 1, len - 2) : g_strdup("");
    if (text[len - 1] != '%' || !*digits || !g_ascii_string_to_signed(digits, 10, 0, 1000, &percent, NULL))
        return fail(error, "limit: after + or - stands a percentage, as in +10%%");
    c->is_relative = true;
    c->percent = (int)(*text == '-' ? -percent : percent);
    if (!percent)
        return fail(error, "limit: 0%% changes nothing");
    return c->percent >= -99 || fail(error, "limit: at most -99%%; to stop, use pause");
}

bool command_parse_rate(const char *text, struct command *c, GError **error)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *number = squeeze(valid);
    c->is_relative = false;
    c->rate = 0;
    if (!*number)
        return fail(error, "limit: empty; 0 is unlimited");
    if (g_str_equal(number, "none") || g_str_equal(number, "unlimited"))
        return true;
    g_autofree char *odd = odd_character(number);
    if (odd)
        return fail(error, "limit: '%s' is not in a number", odd);
    if (*number == '+' || *number == '-')
        return parse_relative(number, c, error);
    if (number[strlen(number) - 1] == '%')
        return fail(error, "limit: write +%s or -%s", number, number);
    if (!units_parse_size(number, &c->rate, NULL))
        return fail(error, "limit: write it like 50M, 1.5G or +10%%");
    return command_check_rate(c->rate, error);
}

/* ---- lines ---- */

static bool set_name(char *field, const char *name, GError **error)
{
    return text_copy(field, MODEL_NAME_LEN, name) || fail(error, "name: too long");
}

static bool usage(const struct command_entry *entry, GError **error)
{
    return fail(error, "usage: %s%s%s", entry->word, entry->arguments ? " " : "",
                entry->arguments ? entry->arguments : "");
}

static bool take_switch(const char *word, struct command *c, GError **error)
{
    c->is_on = g_str_equal(word, "yes");
    return c->is_on || g_str_equal(word, "no") ||
           fail(error, "%s: yes or no is wanted", command_entry_of(c->verb)->word);
}

static bool take_engine(const char *word, struct command *c, GError **error)
{
    return engine_from_word(word, &c->engine) || fail(error, "engine: push or pull is wanted");
}

bool command_take_number(struct command *c, int64_t number, GError **error)
{
    const struct command_entry *entry = command_entry_of(c->verb);
    c->number = (unsigned)number;
    return (number >= 0 && number <= entry->max) ||
           fail(error, "%s: a whole number from 0 to %u is wanted", entry->word, entry->max);
}

static bool take_number(const char *word, struct command *c, GError **error)
{
    gint64 number = -1;
    if (!g_ascii_string_to_signed(word, 10, 0, G_MAXINT, &number, NULL))
        number = -1;
    return command_take_number(c, number, error);
}

/* The rest of the line as it stands: a path, or a command, may have blanks in it. */
static bool take_path(const char *line, const char *word, struct command *c)
{
    g_autofree char *rest = g_strstrip(g_strdup(strstr(line, word) + strlen(word)));
    return *rest && text_copy(c->text, sizeof c->text, rest);
}

/* argv: the words after the verb. */
static bool take_arguments(const struct command_entry *entry, const char *line, char **argv, unsigned argc,
                           struct command *c, GError **error)
{
    const char *second = argc == 2 ? argv[1] : "";
    switch (entry->form) {
    case COMMAND_FORM_DRIVE_RATE:
        return argc == 2 ? set_name(c->target, argv[0], error) && command_parse_rate(second, c, error)
                         : usage(entry, error);
    case COMMAND_FORM_DRIVE:
        return argc == 1 ? set_name(c->target, argv[0], error) : usage(entry, error);
    case COMMAND_FORM_DRIVE_YES:
        c->is_confirmed = g_str_equal(second, "yes");
        return c->is_confirmed ? set_name(c->target, argv[0], error) : usage(entry, error);
    case COMMAND_FORM_GUEST:
        c->keep_partial = g_str_equal(second, "keep-partial");
        return argc == 1 || c->keep_partial ? set_name(c->confirmation, argv[0], error) : usage(entry, error);
    case COMMAND_FORM_PATH:
        return take_path(line, entry->word, c) || usage(entry, error);
    case COMMAND_FORM_SWITCH:
        return argc == 1 ? take_switch(argv[0], c, error) : usage(entry, error);
    case COMMAND_FORM_ENGINE:
        return argc == 1 ? take_engine(argv[0], c, error) : usage(entry, error);
    case COMMAND_FORM_NUMBER:
        return argc == 1 ? take_number(argv[0], c, error) : usage(entry, error);
    default:
        return !argc || usage(entry, error);
    }
}

/* The words of a line, without the empty ones. */
static GStrv split_words(const char *line)
{
    GStrv words = g_strsplit_set(line, " \t\r\n", -1);
    unsigned kept = 0;
    for (unsigned i = 0; words[i]; i++) {
        if (*words[i])
            words[kept++] = words[i];
        else
            g_free(words[i]);
    }
    words[kept] = NULL;
    return words;
}

bool command_parse_line(const char *line, struct command *c, GError **error)
{
    g_auto(GStrv) words = split_words(line);
    command_init(c, COMMAND_NONE);
    if (!words[0])
        return fail(error, "command: empty; try help");
    const struct command_entry *entry = command_entry_of_word(words[0]);
    if (!entry || !entry->form) {
        g_autofree char *safe = text_make_safe(words[0]);
        return fail(error, "command '%.40s': unknown; try help", safe);
    }
    c->verb = entry->verb;
    return take_arguments(entry, line, words + 1, g_strv_length(words) - 1, c, error);
}
