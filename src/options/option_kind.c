// SPDX-License-Identifier: GPL-2.0-or-later
/* The kinds of values that options have: how each is read, kept, and said again. */
#include <string.h>

#include "base/units.h"
#include "model/command.h"
#include "options/options_inside.h"
#include "vma/header.h"

void *option_field(const struct option_row *row, const struct backup_options *o)
{
    return (char *)o + row->offset;
}

/* "guard is auto, filter or direct, not x" */
static gboolean usage(GError **error, const char *what, const char *value)
{
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s, not %s", what, value);
    return FALSE;
}

/* ---- saying ---- */

/* Quoted only where it must be, so that it stays readable. */
void option_say_word(GString *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    g_autofree char *quoted = !*word || word[strspn(word, plain)] ? g_shell_quote(word) : g_strdup(word);
    g_string_append_printf(line, " %s", quoted);
}

void option_say(GString *line, const char *name, const char *value)
{
    g_autofree char *word = g_strdup_printf("--%s=%s", name, value);
    option_say_word(line, word);
}

/* To the byte: "120M" only where it is exactly that. */
static char *exact_size(uint64_t bytes)
{
    static const char letters[] = "KMGT";
    int letter = -1;
    while (bytes && bytes % 1024 == 0 && letter + 1 < (int)strlen(letters)) {
        bytes /= 1024;
        letter++;
    }
    return letter < 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, bytes)
                      : g_strdup_printf("%" G_GUINT64_FORMAT "%c", bytes, letters[letter]);
}

/* ---- one value ---- */

/* GOption writes int-sized booleans; ours are bool. */
static gboolean flag_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    *(bool *)option_field(row, o) = true;
    return TRUE;
}

static void flag_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    if (*(bool *)option_field(row, o))
        g_string_append_printf(line, " --%s", row->name);
}

const struct option_kind option_flag = {.parse = flag_parse, .say = flag_say, .has_no_value = true};

static void path_clear(const struct option_row *row, struct backup_options *o)
{
    g_free(*(char **)option_field(row, o));
}

static void path_own(const struct option_row *row, struct backup_options *o)
{
    char **path = option_field(row, o);
    *path = g_strdup(*path);
}

static void path_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    const char *path = *(char **)option_field(row, o);
    if (path && row->letter) {
        g_string_append_printf(line, " -%c", row->letter);
        option_say_word(line, path);
    } else if (path) {
        option_say(line, row->name, path);
    }
}

const struct option_kind option_path = {.clear = path_clear, .own = path_own, .say = path_say};

static bool parse_number(const char *text, unsigned min, unsigned max, unsigned *number)
{
    char *end;
    guint64 value = g_ascii_strtoull(text, &end, 10);
    if (!g_ascii_isdigit(*text) || *end || value < min || value > max)
        return false;
    *number = value;
    return true;
}

static void number_init(const struct option_row *row, struct backup_options *o)
{
    *(unsigned *)option_field(row, o) = row->by_default;
}

static gboolean number_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    return parse_number(value, row->min, row->max, option_field(row, o)) ? TRUE : usage(error, row->range, value);
}

static void number_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    unsigned number = *(unsigned *)option_field(row, o);
    g_autofree char *text = g_strdup_printf("%u", number);
    if (number != row->by_default)
        option_say(line, row->name, text);
}

const struct option_kind option_number = {.init = number_init, .parse = number_parse, .say = number_say};

static gboolean size_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    return units_parse_size(value, option_field(row, o), error);
}

static void size_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    uint64_t bytes = *(uint64_t *)option_field(row, o);
    g_autofree char *size = exact_size(bytes);
    if (bytes)
        option_say(line, row->name, size);
}

const struct option_kind option_size = {.parse = size_parse, .say = size_say};

/* ---- words ---- */

static const char *const guards[] = {
    [BACKUP_GUARD_AUTO] = "auto", [BACKUP_GUARD_FILTER] = "filter", [BACKUP_GUARD_DIRECT] = "direct"};

static gboolean guard_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(guards); i++)
        if (strcmp(value, guards[i]) == 0) {
            o->guard = i;
            return TRUE;
        }
    return usage(error, row->range, value);
}

static void guard_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    if (o->guard != BACKUP_GUARD_AUTO)
        option_say(line, row->name, guards[o->guard]);
}

const struct option_kind option_guard = {.parse = guard_parse, .say = guard_say};

static gboolean engine_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    o->is_engine_given = true;
    return engine_from_word(value, &o->engine) ? TRUE : usage(error, row->range, value);
}

static void engine_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    if (o->engine != ENGINE_PUSH)
        option_say(line, row->name, engine_word(o->engine));
}

const struct option_kind option_engine = {.parse = engine_parse, .say = engine_say};

bool backup_options_track_from_word(const char *word, bool *no_track)
{
    *no_track = strcmp(word, "no") == 0;
    return *no_track || strcmp(word, "auto") == 0;
}

static gboolean track_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    o->is_track_given = true;
    return backup_options_track_from_word(value, &o->no_track) ? TRUE : usage(error, row->range, value);
}

static void track_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    if (o->no_track)
        option_say(line, row->name, "no");
}

const struct option_kind option_track = {.parse = track_parse, .say = track_say};

static gboolean full_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    o->on_full_fails = strcmp(value, "fail") == 0;
    if (o->on_full_fails || strcmp(value, "wait") == 0 ||
        (g_str_has_prefix(value, "wait:") && parse_number(value + 5, row->min, row->max, &o->on_full_minutes)))
        return TRUE;
    return usage(error, row->range, value);
}

static void full_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    g_autofree char *wait = g_strdup_printf("wait:%u", o->on_full_minutes);
    if (o->on_full_fails || o->on_full_minutes != row->by_default)
        option_say(line, row->name, o->on_full_fails ? "fail" : wait);
}

const struct option_kind option_full = {.init = number_init, .parse = full_parse, .say = full_say};

/* ---- lists ---- */

static gpointer copy_text(gconstpointer text, gpointer data)
{
    return g_strdup(text);
}

static void names_init(const struct option_row *row, struct backup_options *o)
{
    *(GPtrArray **)option_field(row, o) = g_ptr_array_new_with_free_func(g_free);
}

static void names_clear(const struct option_row *row, struct backup_options *o)
{
    g_ptr_array_unref(*(GPtrArray **)option_field(row, o));
}

static void names_own(const struct option_row *row, struct backup_options *o)
{
    GPtrArray **names = option_field(row, o);
    *names = g_ptr_array_copy(*names, copy_text, NULL);
}

static gboolean names_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    g_ptr_array_add(*(GPtrArray **)option_field(row, o), g_strdup(value));
    return TRUE;
}

static void names_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    const GPtrArray *names = *(GPtrArray **)option_field(row, o);
    for (unsigned i = 0; i < names->len; i++)
        option_say(line, row->name, g_ptr_array_index(names, i));
}

const struct option_kind option_names = {
    .init = names_init, .clear = names_clear, .own = names_own, .parse = names_parse, .say = names_say};

static void array_clear(const struct option_row *row, struct backup_options *o)
{
    g_array_unref(*(GArray **)option_field(row, o));
}

static void limit_clear(gpointer limit)
{
    g_free(((struct backup_limit *)limit)->drive);
}

static void limits_init(const struct option_row *row, struct backup_options *o)
{
    o->limits = g_array_new(FALSE, TRUE, sizeof(struct backup_limit));
    g_array_set_clear_func(o->limits, limit_clear);
}

static void limits_own(const struct option_row *row, struct backup_options *o)
{
    const GArray *theirs = o->limits;
    limits_init(row, o);
    for (unsigned i = 0; i < theirs->len; i++) {
        struct backup_limit limit = g_array_index(theirs, struct backup_limit, i);
        limit.drive = g_strdup(limit.drive);
        g_array_append_val(o->limits, limit);
    }
}

static gboolean limits_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    const char *equals = strrchr(value, '=');
    struct backup_limit limit = {.drive = equals ? g_strndup(value, equals - value) : NULL};
    if (!units_parse_size(equals ? equals + 1 : value, &limit.rate, error) || !command_check_rate(limit.rate, error)) {
        g_free(limit.drive);
        return FALSE;
    }
    g_array_append_val(o->limits, limit);
    return TRUE;
}

static void limits_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    for (unsigned i = 0; i < o->limits->len; i++) {
        const struct backup_limit *limit = &g_array_index(o->limits, struct backup_limit, i);
        g_autofree char *rate = exact_size(limit->rate);
        g_autofree char *value = limit->drive ? g_strdup_printf("%s=%s", limit->drive, rate) : g_strdup(rate);
        option_say(line, row->name, value);
    }
}

const struct option_kind option_limits = {
    .init = limits_init, .clear = array_clear, .own = limits_own, .parse = limits_parse, .say = limits_say};

static void file_clear(gpointer file)
{
    g_free(((struct backup_file *)file)->name);
    g_free(((struct backup_file *)file)->path);
}

static void files_init(const struct option_row *row, struct backup_options *o)
{
    o->configs = g_array_new(FALSE, TRUE, sizeof(struct backup_file));
    g_array_set_clear_func(o->configs, file_clear);
}

static void files_own(const struct option_row *row, struct backup_options *o)
{
    const GArray *theirs = o->configs;
    files_init(row, o);
    for (unsigned i = 0; i < theirs->len; i++) {
        struct backup_file file = g_array_index(theirs, struct backup_file, i);
        file.name = g_strdup(file.name);
        file.path = g_strdup(file.path);
        g_array_append_val(o->configs, file);
    }
}

static gboolean files_parse(const struct option_row *row, struct backup_options *o, const char *value, GError **error)
{
    const char *equals = strchr(value, '=');
    struct backup_file file;
    file.path = g_strdup(equals ? equals + 1 : value);
    file.name = equals ? g_strndup(value, equals - value) : g_path_get_basename(value);
    g_array_append_val(o->configs, file);
    return vma_name_is_safe(file.name) ? TRUE : usage(error, row->range, file.name);
}

static void files_say(const struct option_row *row, const struct backup_options *o, GString *line)
{
    for (unsigned i = 0; i < o->configs->len; i++) {
        const struct backup_file *file = &g_array_index(o->configs, struct backup_file, i);
        g_autofree char *value = g_strdup_printf("%s=%s", file->name, file->path);
        option_say(line, row->name, value);
    }
}

const struct option_kind option_files = {
    .init = files_init, .clear = array_clear, .own = files_own, .parse = files_parse, .say = files_say};
