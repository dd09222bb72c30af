// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/guest_command.h"

#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "cli/description.h"
#include "cli/keyvals.h"

struct drive {
    char *name, *id, *node; /* in the archive; of -drive; of -blockdev */
    char *file, *format;
};

struct guest_command {
    struct json_object *description;
    struct json_object *own; /* the array of the guest's arguments, or NULL; borrowed from description */
    GPtrArray *drives;       /* struct drive */
    char *incoming;
    GPtrArray *added; /* options and values */
};

static void drive_free(void *item)
{
    struct drive *d = item;
    g_free(d->name);
    g_free(d->id);
    g_free(d->node);
    g_free(d->file);
    g_free(d->format);
    g_free(d);
}

struct guest_command *guest_command_new(const struct vma_header *header)
{
    struct guest_command *c = g_new0(struct guest_command, 1);
    c->drives = g_ptr_array_new_with_free_func(drive_free);
    c->added = g_ptr_array_new_with_free_func(g_free);
    c->description = description_of(header);
    if (c->description)
        json_object_object_get_ex(c->description, "command_line", &c->own);
    if (!json_object_is_type(c->own, json_type_array) || json_object_array_length(c->own) < 1)
        c->own = NULL;
    return c;
}

void guest_command_free(struct guest_command *c)
{
    g_ptr_array_unref(c->drives);
    g_ptr_array_unref(c->added);
    json_object_put(c->description);
    g_free(c->incoming);
    g_free(c);
}

/* What the description says of this device. */
static struct json_object *find_described(struct guest_command *c, const char *device)
{
    struct json_object *list = NULL;
    if (c->description)
        json_object_object_get_ex(c->description, "drives", &list);
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
         i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *name = json_object_is_type(o, json_type_object) ? description_text(o, "name") : NULL;
        g_autofree char *safe = name ? vma_name_make_safe(name) : NULL;
        if (safe && !strcmp(safe, device))
            return o;
    }
    return NULL;
}

void guest_command_drive(struct guest_command *c, const char *device, const char *file, const char *format)
{
    struct json_object *described = find_described(c, device);
    struct drive *d = g_new0(struct drive, 1);
    d->name = g_strdup(device);
    d->id = g_strdup(described ? description_text(described, "id") : NULL);
    d->node = g_strdup(described ? description_text(described, "node") : NULL);
    d->file = g_strdup(file);
    d->format = g_strdup(format);
    g_ptr_array_add(c->drives, d);
}

void guest_command_incoming(struct guest_command *c, const char *uri)
{
    g_free(c->incoming);
    c->incoming = g_strdup(uri);
}

void guest_command_add(struct guest_command *c, const char *option, const char *value)
{
    g_ptr_array_add(c->added, g_strdup(option));
    g_ptr_array_add(c->added, g_strdup(value));
}

/* ---- the guest's own ---- */

static const char *own_at(const struct guest_command *c, size_t i)
{
    const char *text = i < json_object_array_length(c->own)
                           ? json_object_get_string(json_object_array_get_idx(c->own, i))
                           : NULL;
    return text ? text : "";
}

/* "--drive" is "-drive". */
static const char *option_name(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' ? argument + 1 : argument;
}

static bool is_among(const char *word, const char *const *words)
{
    return g_strv_contains(words, word);
}

/* Where a -drive with this id, or a -blockdev with this node name is: our drive, or NULL. */
static struct drive *find_drive(const struct guest_command *c, const char *id, const char *node)
{
    for (unsigned i = 0; i < c->drives->len; i++) {
        struct drive *d = c->drives->pdata[i];
        if ((id && (!g_strcmp0(d->id, id) || (!d->id && !strcmp(d->name, id)))) ||
            (node && !g_strcmp0(d->node, node)))
            return d;
    }
    return NULL;
}

static bool is_json(const char *argument)
{
    return argument[0] == '{';
}

/* A -blockdev's text for a key; g_free() it. */
static char *blockdev_get(const char *argument, const char *key)
{
    if (!is_json(argument))
        return keyvals_get(argument, key);
    struct json_object *o = json_tokener_parse(argument);
    char *value = json_object_is_type(o, json_type_object) ? g_strdup(description_text(o, key)) : NULL;
    json_object_put(o);
    return value;
}

bool guest_command_is_own(struct guest_command *c)
{
    unsigned n_found = 0;
    for (size_t i = 1; c->own && i + 1 < json_object_array_length(c->own); i++) {
        const char *option = option_name(own_at(c, i)), *value = own_at(c, i + 1);
        g_autofree char *id = strcmp(option, "-drive") ? NULL : keyvals_get(value, "id");
        g_autofree char *node = strcmp(option, "-blockdev") ? NULL : blockdev_get(value, "node-name");
        n_found += find_drive(c, id, node) != NULL;
    }
    return c->own && n_found == c->drives->len;
}

/* Nodes below the drives that are exchanged: nothing uses them any more, and they would open the guest's
 * images. */
static GHashTable *find_unused_nodes(const struct guest_command *c)
{
    GHashTable *unused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (bool has_grown = true; has_grown;) {
        has_grown = false;
        for (size_t i = 1; i + 1 < json_object_array_length(c->own); i++) {
            const char *value = own_at(c, i + 1);
            if (strcmp(option_name(own_at(c, i)), "-blockdev"))
                continue;
            g_autofree char *node = blockdev_get(value, "node-name"), *file = blockdev_get(value, "file"),
                            *backing = blockdev_get(value, "backing");
            if (!node || (!find_drive(c, NULL, node) && !g_hash_table_contains(unused, node)))
                continue;
            if (file)
                has_grown |= g_hash_table_add(unused, g_steal_pointer(&file));
            if (backing)
                has_grown |= g_hash_table_add(unused, g_steal_pointer(&backing));
        }
    }
    return unused;
}

static char *exchanged_drive(const struct drive *d, const char *value)
{
    static const char *const replaced[] = {"file",          "format",      "driver",       "readonly",
                                           "read-only",     "snapshot",    "cache",        "aio",
                                           "file.filename", "file.driver", "file.locking", NULL};
    g_autofree char *rest = keyvals_without(value, replaced), *file = keyvals_escape(d->file);
    return g_strdup_printf("file=%s,format=%s,%s", file, d->format, rest);
}

static char *exchanged_blockdev(const struct drive *d)
{
    g_autofree char *file = keyvals_escape(d->file), *node = keyvals_escape(d->node);
    return g_strdup_printf("driver=%s,node-name=%s,file.driver=file,file.filename=%s", d->format, node, file);
}

/* A drive that the archive does not have is never written to. */
static char *guarded_drive(const char *value)
{
    g_autofree char *media = keyvals_get(value, "media"), *file = keyvals_get(value, "file"),
                    *readonly = keyvals_get(value, "readonly");
    bool is_safe = !file || !g_strcmp0(media, "cdrom") || !g_strcmp0(readonly, "on");
    return is_safe ? g_strdup(value) : g_strconcat(value, ",snapshot=on", NULL);
}

static char *guarded_blockdev(const char *value)
{
    static const char *const keys[] = {"read-only", "auto-read-only", NULL};
    if (!is_json(value)) {
        g_autofree char *rest = keyvals_without(value, keys);
        return g_strconcat(rest, ",read-only=on", NULL);
    }
    struct json_object *o = json_tokener_parse(value);
    json_object_object_add(o, "read-only", json_object_new_boolean(true));
    json_object_object_del(o, "auto-read-only");
    char *text = g_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return text;
}

/* The argument as it is for the copy; NULL: leave option and argument out. */
static char *translate(const struct guest_command *c, GHashTable *unused, const char *option,
                       const char *value)
{
    static const char *const harmless[] = {"null", "none", "stdio", "mon:stdio", "vc", NULL};
    g_autofree char *id = keyvals_get(value, "id"), *node = NULL;
    if (!strcmp(option, "-drive")) {
        const struct drive *d = find_drive(c, id, NULL);
        return d ? exchanged_drive(d, value) : guarded_drive(value);
    }
    if (!strcmp(option, "-blockdev")) {
        node = blockdev_get(value, "node-name");
        const struct drive *d = find_drive(c, NULL, node);
        if (d)
            return exchanged_blockdev(d);
        return node && g_hash_table_contains(unused, node) ? NULL : guarded_blockdev(value);
    }
    if (!strcmp(option, "-chardev"))
        return id ? g_strdup_printf("null,id=%s", id) : NULL;
    if (!strcmp(option, "-netdev"))
        return id ? g_strdup_printf("hubport,hubid=0,id=%s", id) : NULL;
    if (!strcmp(option, "-serial") || !strcmp(option, "-parallel"))
        return g_strdup(is_among(value, harmless) || g_str_has_prefix(value, "chardev:") ? value : "null");
    return g_strdup(value);
}

/* Is this option of the guest's own left to the operator's arguments? */
static bool is_replaced(const char *option, char *const *more)
{
    static const char *const additive[] = {"-drive",  "-blockdev", "-device", "-chardev", "-netdev",
                                           "-object", "-global",   "-set",    "-add-fd",  NULL};
    for (; more && *more; more++)
        if (!strcmp(option_name(*more), option))
            return !is_among(option, additive);
    return false;
}

static void add(GPtrArray *argv, const char *text)
{
    g_ptr_array_add(argv, g_strdup(text));
}

static void build_own(struct guest_command *c, GPtrArray *argv, char *const *more)
{
    /* Whoever was saved may still run: its monitors, its screens and its files are not ours. */
    static const char *const dropped[] = {"-qmp",      "-qmp-pretty", "-mon",      "-monitor", "-pidfile",
                                          "-incoming", "-D",          "-vnc",      "-spice",   "-loadvm",
                                          "-gdb",      "-runas",      "-run-with", "-chroot",  NULL};
    static const char *const dropped_alone[] = {"-daemonize", "-S", "-s", "-snapshot", NULL};
    g_autoptr(GHashTable) unused = find_unused_nodes(c);
    g_autofree char *program = g_path_get_basename(own_at(c, 0));
    add(argv, access(own_at(c, 0), X_OK) == 0 ? own_at(c, 0) : program);
    for (size_t i = 1; i < json_object_array_length(c->own); i++) {
        const char *option = option_name(own_at(c, i)), *value = own_at(c, i + 1);
        bool has_value = i + 1 < json_object_array_length(c->own) && value[0] && value[0] != '-';
        if (is_among(option, dropped_alone))
            continue;
        i += has_value;
        if (is_among(option, dropped) || is_replaced(option, more))
            continue;
        g_autofree char *text = has_value ? translate(c, unused, option, value) : NULL;
        if (has_value && !text)
            continue;
        add(argv, option);
        if (text)
            add(argv, text);
    }
}

/* ---- a plain one ---- */

static void build_plain(struct guest_command *c, GPtrArray *argv, char *const *more)
{
    const char *machine = c->description ? description_text(c->description, "machine") : NULL;
    add(argv, "qemu-system-x86_64");
    if (machine && !is_replaced("-machine", more) && !is_replaced("-M", more)) {
        add(argv, "-machine");
        add(argv, machine);
    }
    for (unsigned i = 0; i < c->drives->len; i++) {
        const struct drive *d = c->drives->pdata[i];
        g_autofree char *file = keyvals_escape(d->file), *id = vma_name_make_safe(d->name);
        add(argv, "-drive");
        g_ptr_array_add(argv, g_strdup_printf("file=%s,format=%s,if=virtio,id=%s", file, d->format, id));
    }
}

char **guest_command_build(struct guest_command *c, char *const *more)
{
    GPtrArray *argv = g_ptr_array_new();
    (guest_command_is_own(c) ? build_own : build_plain)(c, argv, more);
    if (c->incoming) {
        add(argv, "-incoming");
        add(argv, c->incoming);
    }
    for (unsigned i = 0; i < c->added->len; i++)
        add(argv, c->added->pdata[i]);
    for (; more && *more; more++)
        add(argv, *more);
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

char *guest_command_quote(char *const *argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%";
    GString *line = g_string_new(NULL);
    for (; *argv; argv++) {
        bool is_plain = **argv && strspn(*argv, plain) == strlen(*argv);
        g_autofree char *quoted = is_plain ? g_strdup(*argv) : g_shell_quote(*argv);
        g_string_append_printf(line, "%s%s", line->len ? " " : "", quoted);
    }
    return g_string_free(line, FALSE);
}
