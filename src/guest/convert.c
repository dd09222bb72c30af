// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/convert.h"

#include <string.h>

#include "guest/device.h"
#include "guest/keyvals.h"

static const struct key_rule drive_keys[] = {
    {"id", VALUE_ID},          {"if", VALUE_WORD},
    {"bus", VALUE_NUMBER},     {"unit", VALUE_NUMBER},
    {"index", VALUE_NUMBER},   {"media", VALUE_WORD},
    {"werror", VALUE_WORD},    {"rerror", VALUE_WORD},
    {"discard", VALUE_WORD},   {"detect-zeroes", VALUE_WORD},
    {"readonly", VALUE_PLAIN}, {"read-only", VALUE_PLAIN},
    {NULL, VALUE_NONE},
};
static const struct key_rule nic_keys[] = {
    {"id", VALUE_ID},        {"model", VALUE_WORD},     {"mac", VALUE_ADDRESS}, {"macaddr", VALUE_ADDRESS},
    {"addr", VALUE_ADDRESS}, {"vectors", VALUE_NUMBER}, {NULL, VALUE_NONE},
};
static const struct key_rule net_keys[] = {
    {"type", VALUE_WORD}, {"netdev", VALUE_ID},    {"model", VALUE_WORD},     {"macaddr", VALUE_ADDRESS},
    {"name", VALUE_ID},   {"addr", VALUE_ADDRESS}, {"vectors", VALUE_NUMBER}, {NULL, VALUE_NONE},
};
static const struct key_rule audio_keys[] = {{"id", VALUE_ID}, {"model", VALUE_WORD}, {NULL, VALUE_NONE}};
static const struct key_rule id_keys[] = {{"id", VALUE_ID}, {NULL, VALUE_NONE}};
static const struct key_rule thread_keys[] = {
    {"id", VALUE_ID},
    {"poll-max-ns", VALUE_NUMBER},
    {"poll-grow", VALUE_NUMBER},
    {"poll-shrink", VALUE_NUMBER},
    {"aio-max-batch", VALUE_NUMBER},
    {"thread-pool-min", VALUE_NUMBER},
    {"thread-pool-max", VALUE_NUMBER},
    {NULL, VALUE_NONE},
};
/* Not "share", "prealloc", "host-nodes": where the memory comes from is the host's business. */
static const struct key_rule memory_keys[] = {
    {"id", VALUE_ID},
    {"size", VALUE_NUMBER},
    {"dump", VALUE_PLAIN},
    {"merge", VALUE_PLAIN},
    {"x-use-canonical-path-for-ramblock-id", VALUE_PLAIN},
    {NULL, VALUE_NONE},
};
static const struct key_rule crypto_keys[] = {{"id", VALUE_ID}, {"queues", VALUE_NUMBER}, {NULL, VALUE_NONE}};

/* Objects that stay, and what becomes of them. */
static const struct {
    const char *from, *to;
    const struct key_rule *keys;
} objects[] = {
    {"iothread", "iothread", thread_keys},
    {"main-loop", "main-loop", thread_keys},
    {"memory-backend-ram", "memory-backend-ram", memory_keys},
    {"memory-backend-file", "memory-backend-ram", memory_keys},
    {"memory-backend-memfd", "memory-backend-ram", memory_keys},
    {"memory-backend-shm", "memory-backend-ram", memory_keys},
    {"rng-builtin", "rng-builtin", id_keys},
    {"rng-random", "rng-builtin", id_keys},
    {"rng-egd", "rng-builtin", id_keys},
    {"cryptodev-backend-builtin", "cryptodev-backend-builtin", crypto_keys},
};

/* ---- pairs ---- */

/* Those of kv that are good, behind those of `to`. */
static void filter(GPtrArray *to, const GPtrArray *kv, const struct key_rule *rules)
{
    for (unsigned i = 0; i < kv->len; i++) {
        const struct keyval *pair = kv->pdata[i];
        if (value_is(value_kind_of(rules, pair->key), pair->value))
            keyvals_add(to, pair->key, pair->value);
    }
}

/* Which pairs is not told: a secret with a comma in it would be among the keys. */
static void leave_partly(struct guest_line *line, const char *option)
{
    g_autofree char *text = g_strdup_printf("%s (partly)", option);
    guest_line_leave(line, text, NULL);
}

static void replace(struct guest_entry *e, GPtrArray *kv)
{
    g_clear_pointer(&e->kv, g_ptr_array_unref);
    e->kv = kv;
}

static bool leave(struct guest_line *line, const struct guest_entry *e, const char *what)
{
    guest_line_leave(line, e->rule->name, what);
    return false;
}

/* e->kv: this one pair. */
static void begin(struct guest_entry *e, GPtrArray **old, const char *key, const char *value)
{
    *old = g_steal_pointer(&e->kv);
    e->kv = keyvals_new();
    keyvals_add(e->kv, key, value);
}

/* ---- kinds of options ---- */

static bool convert_keys(struct guest_line *line, struct guest_entry *e)
{
    GPtrArray *good = keyvals_new();
    filter(good, e->kv, e->rule->keys);
    bool is_whole = good->len == e->kv->len;
    replace(e, good);
    if (!good->len || (!strcmp(e->name, "-smbios") && !keyvals_get(good, "uuid")))
        return leave(line, e, NULL);
    if (!is_whole)
        leave_partly(line, e->rule->name);
    return true;
}

/* Only firmware keeps its file. */
static bool convert_drive(struct guest_line *line, struct guest_entry *e)
{
    const char *interface = keyvals_get(e->kv, "if"), *file = keyvals_get(e->kv, "file");
    bool is_firmware = !g_strcmp0(interface, "pflash") && file && *file == '/' && value_is(VALUE_FIRMWARE, file);
    GPtrArray *good = keyvals_new();
    if (is_firmware) {
        keyvals_add(good, "file", file);
        keyvals_add(good, "format", "raw");
    }
    filter(good, e->kv, drive_keys);
    if (is_firmware) {
        keyvals_drop(good, "read-only");
        keyvals_set(good, "readonly", "on");
    }
    replace(e, good);
    return true;
}

static bool convert_disk(struct guest_line *line, struct guest_entry *e)
{
    replace(e, keyvals_parse(e->rule->text, NULL));
    if (e->value)
        keyvals_add(e->kv, "file", e->value);
    g_clear_pointer(&e->value, g_free);
    e->rule = option_find("-drive");
    g_free(e->name);
    e->name = g_strdup("-drive");
    return convert_drive(line, e);
}

static bool convert_device(struct guest_line *line, struct guest_entry *e)
{
    const char *driver = keyvals_get(e->kv, "driver");
    if (!driver || !device_is_known(driver))
        return leave(line, e, driver);
    g_autofree char *option = g_strdup_printf("-device %s", driver);
    g_autoptr(GPtrArray) old = NULL;
    begin(e, &old, "driver", driver);
    for (unsigned i = 0; i < old->len; i++) {
        const struct keyval *pair = old->pdata[i];
        if (!strcmp(pair->key, "driver"))
            continue;
        if (device_property_is_good(pair->key, pair->value))
            keyvals_add(e->kv, pair->key, pair->value);
        else
            leave_partly(line, option);
    }
    return true;
}

/* "driver.property=value" is made driver=…,property=…,value=…. A ROM for all is not taken. */
static bool convert_global(struct guest_line *line, struct guest_entry *e)
{
    const struct keyval *first = e->kv->len ? e->kv->pdata[0] : NULL;
    g_autofree char *driver = g_strdup(keyvals_get(e->kv, "driver")), *property = NULL, *value = NULL;
    const char *dot = first ? strchr(first->key, '.') : NULL;
    if (!driver && dot) {
        driver = g_strndup(first->key, (gsize)(dot - first->key));
        property = g_strdup(dot + 1);
        value = g_strdup(first->value);
    } else {
        property = g_strdup(keyvals_get(e->kv, "property"));
        value = g_strdup(keyvals_get(e->kv, "value"));
    }
    bool is_good = driver && property && value && value_is(VALUE_WORD, driver) && strcmp(property, "romfile") &&
                   device_property_is_good(property, value);
    if (!is_good)
        return leave(line, e, driver);
    replace(e, keyvals_new());
    keyvals_add(e->kv, "driver", driver);
    keyvals_add(e->kv, "property", property);
    keyvals_add(e->kv, "value", value);
    return true;
}

static bool convert_object(struct guest_line *line, struct guest_entry *e)
{
    const char *type = keyvals_get(e->kv, "qom-type");
    for (unsigned i = 0; type && i < G_N_ELEMENTS(objects); i++) {
        if (strcmp(objects[i].from, type))
            continue;
        g_autoptr(GPtrArray) old = NULL;
        begin(e, &old, "qom-type", objects[i].to);
        filter(e->kv, old, objects[i].keys);
        return true;
    }
    return leave(line, e, type);
}

static bool is_user(const char *type)
{
    return !g_strcmp0(type, "user");
}

/* A hub with nothing else in it. User networking has a part in RAM states, so that it stays, shut off by
 * itself. */
static void begin_network(const struct guest_line *line, struct guest_entry *e, const char *type, GPtrArray **old)
{
    unsigned n = 1;
    for (unsigned i = 0; i < line->entries->len; i++) {
        enum option_kind kind = ((struct guest_entry *)line->entries->pdata[i])->rule->kind;
        n += kind == OPTION_NETDEV || kind == OPTION_NIC;
    }
    g_autofree char *number = g_strdup_printf("%u", n);
    bool is_shut = is_user(type);
    begin(e, old, "type", is_shut ? "user" : "hubport");
    keyvals_add(e->kv, is_shut ? "restrict" : "hubid", is_shut ? "on" : number);
}

static bool convert_network(struct guest_line *line, struct guest_entry *e)
{
    const char *type = keyvals_get(e->kv, "type"), *id = keyvals_get(e->kv, "id");
    bool is_netdev = e->rule->kind == OPTION_NETDEV;
    g_autoptr(GPtrArray) old = NULL;
    if (is_netdev && (!id || !value_is(VALUE_ID, id)))
        return leave(line, e, NULL);
    if (!is_netdev && !g_strcmp0(type, "none")) {
        begin(e, &old, "type", "none");
        return true;
    }
    begin_network(line, e, type, &old);
    filter(e->kv, old, is_netdev ? id_keys : nic_keys);
    line->is_severed = true;
    return true;
}

/* The card stays, what it hangs on goes. */
static bool convert_net(struct guest_line *line, struct guest_entry *e)
{
    const char *type = keyvals_get(e->kv, "type");
    g_autoptr(GPtrArray) old = NULL;
    line->is_severed |= g_strcmp0(type, "none") != 0;
    if (is_user(type)) {
        begin(e, &old, "restrict", "on");
        keyvals_add(e->kv, "type", "user");
        return true;
    }
    if (g_strcmp0(type, "nic") && g_strcmp0(type, "none"))
        return false;
    GPtrArray *good = keyvals_new();
    filter(good, e->kv, net_keys);
    replace(e, good);
    return true;
}

static bool convert_chardev(struct guest_line *line, struct guest_entry *e)
{
    const char *id = keyvals_get(e->kv, "id");
    if (!id || !value_is(VALUE_ID, id))
        return leave(line, e, keyvals_get(e->kv, "backend"));
    g_autoptr(GPtrArray) old = NULL;
    begin(e, &old, "backend", "null");
    filter(e->kv, old, id_keys);
    line->is_severed = true;
    return true;
}

static bool convert_console(struct guest_line *line, struct guest_entry *e)
{
    bool is_chardev = g_str_has_prefix(e->value, "chardev:") && value_is(VALUE_ID, e->value);
    if (is_chardev || !strcmp(e->value, "none"))
        return true;
    g_free(e->value);
    e->value = g_strdup("null");
    line->is_severed = true;
    return true;
}

static bool convert_audio(struct guest_line *line, struct guest_entry *e)
{
    g_autoptr(GPtrArray) old = NULL;
    begin(e, &old, "driver", "none");
    filter(e->kv, old, audio_keys);
    return true;
}

/* ---- all ---- */

static bool convert_pairs(struct guest_line *line, struct guest_entry *e)
{
    e->kv = keyvals_parse(e->value, e->rule->implied);
    if (!e->kv)
        return leave(line, e, NULL);
    g_clear_pointer(&e->value, g_free);
    switch (e->rule->kind) {
    case OPTION_KEYS:
        return convert_keys(line, e);
    case OPTION_DRIVE:
        return convert_drive(line, e);
    case OPTION_DEVICE:
        return convert_device(line, e);
    case OPTION_GLOBAL:
        return convert_global(line, e);
    case OPTION_OBJECT:
        return convert_object(line, e);
    case OPTION_NETDEV:
    case OPTION_NIC:
        return convert_network(line, e);
    case OPTION_NET:
        return convert_net(line, e);
    case OPTION_CHARDEV:
        return convert_chardev(line, e);
    case OPTION_AUDIO:
        return convert_audio(line, e);
    default: /* -blockdev: convert_nodes() */
        return true;
    }
}

bool convert_entry(struct guest_line *line, struct guest_entry *e)
{
    switch (e->rule->kind) {
    case OPTION_UNKNOWN:
    case OPTION_FLAG_OUT:
    case OPTION_FLAG_GONE:
        return leave(line, e, NULL);
    case OPTION_OUT:
    case OPTION_GONE:
        return g_strcmp0(e->value, "none") && leave(line, e, NULL);
    case OPTION_FLAG:
        return true;
    case OPTION_VALUE:
        return value_is(e->rule->value, e->value) || leave(line, e, NULL);
    case OPTION_DISK:
        return convert_disk(line, e);
    case OPTION_CONSOLE:
        return convert_console(line, e);
    default:
        return convert_pairs(line, e);
    }
}
