// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/line.h"

#include <string.h>

#include "guest/convert.h"
#include "guest/device.h"
#include "guest/keyvals.h"
#include "guest/place.h"

#define SILENT "vmb-silent" /* the sound card that is none */

static void entry_free(void *item)
{
    struct guest_entry *e = item;
    g_free(e->name);
    g_free(e->value);
    g_clear_pointer(&e->kv, g_ptr_array_unref);
    g_free(e);
}

void guest_line_free(struct guest_line *line)
{
    g_ptr_array_unref(line->entries);
    g_ptr_array_unref(line->left);
    g_free(line);
}

void guest_line_leave(struct guest_line *line, const char *option, const char *what)
{
    bool is_told = what && value_is(VALUE_WORD, what);
    g_autofree char *text = is_told ? g_strdup_printf("%s %s", option, what) : g_strdup(option);
    if (!g_ptr_array_find_with_equal_func(line->left, text, g_str_equal, NULL))
        g_ptr_array_add(line->left, g_steal_pointer(&text));
}

struct guest_entry *guest_line_find(const struct guest_line *line, enum option_kind kind, const char *key,
                                    const char *value)
{
    for (unsigned i = 0; i < line->entries->len; i++) {
        struct guest_entry *e = line->entries->pdata[i];
        if (e->rule->kind == kind && e->kv && value && !g_strcmp0(keyvals_get(e->kv, key), value))
            return e;
    }
    return NULL;
}

/* ---- one option after the other ---- */

static struct guest_entry *entry_new(const struct option_rule *rule, const char *name, const char *argument)
{
    struct guest_entry *e = g_new0(struct guest_entry, 1);
    e->rule = rule;
    e->name = g_strdup(name);
    e->value = g_strdup(argument);
    return e;
}

/* As it stands; what may belong to a guest that runs is told apart by its kind. */
static bool keep_raw(const struct guest_entry *e)
{
    switch (e->rule->kind) {
    case OPTION_GONE:
    case OPTION_FLAG_GONE:
    case OPTION_DISK:
    case OPTION_DRIVE:
    case OPTION_BLOCKDEV:
        return false;
    case OPTION_OBJECT:
        return !strstr(e->value, "memory-backend");
    default:
        return true;
    }
}

/* Devices and the machine are read, drives are looked for by them; everything else is only passed on. */
static void take_raw(struct guest_line *line, struct guest_entry *e)
{
    bool has_pairs = e->rule->kind == OPTION_DEVICE || !strcmp(e->name, "-machine") || !strcmp(e->name, "-M");
    if (has_pairs && (e->kv = keyvals_parse(e->value, e->rule->implied)))
        g_clear_pointer(&e->value, g_free);
    g_ptr_array_add(line->entries, e);
}

static void take(struct guest_line *line, struct guest_entry *e, struct places *places, bool is_trusted)
{
    if (is_trusted && keep_raw(e)) {
        take_raw(line, e);
        return;
    }
    if (!convert_entry(line, e)) {
        entry_free(e);
        return;
    }
    if (e->rule->kind == OPTION_DRIVE) {
        g_autofree char *id = places_take(places, e->kv);
        if (!keyvals_get(e->kv, "id"))
            keyvals_add(e->kv, "id", id);
    }
    g_ptr_array_add(line->entries, e);
}

static void parse(struct guest_line *line, char *const *argv, struct places *places, bool is_trusted)
{
    for (; *argv; argv++) {
        bool is_image = **argv != '-'; /* without an option it is the first disk */
        const struct option_rule *rule = option_find(is_image ? "-hda" : *argv);
        const char *name = rule->kind == OPTION_UNKNOWN ? *argv : rule->name, *argument = NULL;
        if (is_image)
            argument = *argv;
        else if (option_has_argument(rule) && argv[1] && (rule->kind != OPTION_UNKNOWN || *argv[1] != '-'))
            argument = *++argv;
        if (argument || !option_has_argument(rule) || rule->kind == OPTION_UNKNOWN)
            take(line, entry_new(rule, name, argument), places, is_trusted);
    }
}

/* ---- what QEMU would add of its own accord ---- */

static bool has_option(const struct guest_line *line, const char *name)
{
    for (unsigned i = 0; i < line->entries->len; i++)
        if (!strcmp(((struct guest_entry *)line->entries->pdata[i])->name, name))
            return true;
    return false;
}

static void add(struct guest_line *line, const char *name, const char *argument)
{
    struct guest_entry *e = entry_new(option_find(name), name, NULL);
    e->kv = keyvals_parse(argument, e->rule->implied);
    g_ptr_array_add(line->entries, e);
}

/* The network card that a guest has unless it says otherwise; the network that comes with it is shut off. */
static void add_network(struct guest_line *line)
{
    if (has_option(line, "-nodefaults") || has_option(line, "-net") || has_option(line, "-nic") ||
        has_option(line, "-netdev"))
        return;
    add(line, "-net", "nic");
    add(line, "-net", "restrict=on,type=user");
    line->is_severed = true;
}

/* A sound device without a back end plays on the host's. */
static void silence(struct guest_line *line)
{
    bool is_needed = false;
    for (unsigned i = 0; i < line->entries->len; i++) {
        struct guest_entry *e = line->entries->pdata[i];
        if (e->rule->kind != OPTION_DEVICE || !device_is_audible(keyvals_get(e->kv, "driver")))
            continue;
        const char *given = keyvals_get(e->kv, "audiodev");
        if (!given)
            keyvals_add(e->kv, "audiodev", SILENT);
        is_needed |= !given || !strcmp(given, SILENT);
    }
    if (is_needed && !guest_line_find(line, OPTION_AUDIO, "id", SILENT))
        add(line, "-audiodev", "none,id=" SILENT);
}

static const char *type_of(char *const *argv)
{
    for (; *argv && argv[1]; argv++)
        if (!strcmp(*argv, "-machine") || !strcmp(*argv, "-M") || !strcmp(*argv, "--machine"))
            return argv[1];
    return NULL;
}

struct guest_line *guest_line_new(char *const *argv, const char *machine, bool is_trusted)
{
    struct guest_line *line = g_new0(struct guest_line, 1);
    struct places *places = places_new(machine ? machine : type_of(argv));
    line->entries = g_ptr_array_new_with_free_func(entry_free);
    line->left = g_ptr_array_new_with_free_func(g_free);
    parse(line, argv, places, is_trusted);
    places_free(places);
    convert_nodes(line);
    if (!is_trusted) {
        add_network(line);
        silence(line);
    }
    return line;
}

char *guest_entry_argument(const struct guest_entry *entry)
{
    return entry->kv ? keyvals_format(entry->kv, entry->rule->implied) : g_strdup(entry->value);
}

char **guest_line_format(const struct guest_line *line)
{
    GPtrArray *argv = g_ptr_array_new();
    for (unsigned i = 0; i < line->entries->len; i++) {
        const struct guest_entry *e = line->entries->pdata[i];
        char *argument = guest_entry_argument(e);
        g_ptr_array_add(argv, g_strdup(e->name));
        if (argument)
            g_ptr_array_add(argv, argument);
    }
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}
