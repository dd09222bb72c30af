// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line that means the same as a set of options: shown, so that it can be learned and kept. */
#include <limits.h>
#include <string.h>

#include "base/units.h"
#include "options/options.h"

/* As a shell takes it: quoted only where it must be, so that it stays readable. */
static void add_word(GString *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    g_autofree char *quoted = !*word || word[strspn(word, plain)] ? g_shell_quote(word) : g_strdup(word);

    g_string_append_printf(line, " %s", quoted);
}

/* --name=value: in one word, so that no value can be taken for an option. */
static void add_value(GString *line, const char *name, const char *value)
{
    g_autofree char *word = g_strdup_printf("--%s=%s", name, value);

    add_word(line, word);
}

static void add_number(GString *line, const char *name, unsigned number, unsigned by_default)
{
    g_autofree char *text = g_strdup_printf("%u", number);

    if (number != by_default)
        add_value(line, name, text);
}

static void add_flag(GString *line, const char *name, bool is_set)
{
    if (is_set)
        g_string_append_printf(line, " --%s", name);
}

static void add_list(GString *line, const char *name, const GPtrArray *values)
{
    for (unsigned i = 0; i < values->len; i++)
        add_value(line, name, g_ptr_array_index(values, i));
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

static void add_limits(GString *line, const GArray *limits)
{
    for (unsigned i = 0; i < limits->len; i++) {
        const struct backup_limit *limit = &g_array_index(limits, struct backup_limit, i);
        g_autofree char *rate = exact_size(limit->rate);
        g_autofree char *value = limit->drive ? g_strdup_printf("%s=%s", limit->drive, rate) : g_strdup(rate);
        add_value(line, "limit", value);
    }
}

static void add_configs(GString *line, const GArray *configs)
{
    for (unsigned i = 0; i < configs->len; i++) {
        const struct backup_file *file = &g_array_index(configs, struct backup_file, i);
        g_autofree char *value = g_strdup_printf("%s=%s", file->name, file->path);
        add_value(line, "config", value);
    }
}

static void add_guard(GString *line, enum backup_guard guard)
{
    if (guard != BACKUP_GUARD_AUTO)
        add_value(line, "guard", guard == BACKUP_GUARD_FILTER ? "filter" : "direct");
}

static void add_on_full(GString *line, const struct backup_options *o, const struct backup_options *by_default)
{
    g_autofree char *wait = g_strdup_printf("wait:%u", o->on_full_minutes);

    if (o->on_full_fails)
        add_value(line, "on-full", "fail");
    else if (o->on_full_minutes != by_default->on_full_minutes)
        add_value(line, "on-full", wait);
}

static void add_places(GString *line, const struct backup_options *o)
{
    g_autofree char *spool = exact_size(o->spool_bytes);

    if (o->spool_bytes)
        add_value(line, "spool", spool);
    if (o->spool_dir)
        add_value(line, "spool-dir", o->spool_dir);
    if (o->log_path)
        add_value(line, "log", o->log_path);
    if (o->record_path)
        add_value(line, "record", o->record_path);
    if (o->agent)
        add_value(line, "agent", o->agent);
}

static void add_compression(GString *line, const struct backup_options *o)
{
    if (o->level >= 0)
        add_number(line, "level", (unsigned)o->level, UINT_MAX);
    add_number(line, "threads", o->threads, 0);
}

char *backup_options_line(const struct backup_options *o)
{
    GString *line = g_string_new("vmabackup backup");
    struct backup_options by_default;

    backup_options_init(&by_default);
    add_list(line, "drive", o->include);
    add_list(line, "exclude", o->exclude);
    add_flag(line, "no-vmstate", o->no_vmstate);
    add_limits(line, o->limits);
    add_configs(line, o->configs);
    add_guard(line, o->guard);
    add_number(line, "proxmox", o->proxmox_vmid, 0);
    add_places(line, o);
    add_on_full(line, o, &by_default);
    add_compression(line, o);
    add_number(line, "retries", o->retries, by_default.retries);
    add_flag(line, "strict", o->strict);
    add_number(line, "max-pause", o->max_pause_s, by_default.max_pause_s);
    add_number(line, "timeout", o->timeout_s, by_default.timeout_s);
    add_flag(line, "verify", o->verify);
    add_flag(line, "force", o->force);
    add_flag(line, "keep-partial", o->keep_partial);
    if (o->target) {
        g_string_append(line, " -o");
        add_word(line, o->target);
    }
    if (o->monitor && *o->monitor == '-')
        g_string_append(line, " --");
    if (o->monitor)
        add_word(line, o->monitor);
    backup_options_clear(&by_default);
    return g_string_free(line, FALSE);
}
