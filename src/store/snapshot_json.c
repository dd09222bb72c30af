// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/snapshot_json.h"

#include <json-c/json.h>
#include <string.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "vma/header.h"

#define FORMAT          1
#define MAX_DEPTH       8
#define MAX_DEVICE_NAME 249 /* of a file, with ".caibx" behind it */
#define COMPACT         (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define READABLE        (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

/* ---- making ---- */

static void add_text(json_object *to, const char *key, const char *text)
{
    json_object_object_add(to, key, text ? json_object_new_string(text) : NULL);
}

static void add_number(json_object *to, const char *key, uint64_t number)
{
    json_object_object_add(to, key, json_object_new_int64((int64_t)number));
}

static json_object *devices_json(const struct snapshot *s)
{
    json_object *list = json_object_new_array();
    for_each_in (const struct snapshot_device, d, s->devices) {
        json_object *o = json_object_new_object();
        add_text(o, "name", d->name);
        add_text(o, "index", d->index_name);
        add_number(o, "size", d->size);
        add_number(o, "new_bytes", d->new_bytes);
        add_number(o, "new_plain", d->new_plain);
        add_text(o, "bitmap", d->bitmap);
        add_text(o, "digest", d->digest);
        json_object_array_add(list, o);
    }
    return list;
}

static json_object *configs_json(const struct snapshot *s)
{
    json_object *list = json_object_new_array();
    for_each_in (const struct snapshot_config, c, s->configs) {
        json_object *o = json_object_new_object();
        add_text(o, "name", c->name);
        add_text(o, "file", c->file);
        add_text(o, "digest", c->digest);
        json_object_array_add(list, o);
    }
    return list;
}

/* Of all but the digest itself, without blanks. */
static void add_digest(json_object *root)
{
    char text[CHUNK_ID_TEXT];
    struct chunk_id id;
    json_object_object_del(root, "digest");
    const char *all = json_object_to_json_string_ext(root, COMPACT);
    chunk_id_of(all, strlen(all), &id);
    chunk_id_text(&id, text);
    add_text(root, "digest", text);
}

char *snapshot_to_json(const struct snapshot *s)
{
    g_autofree char *uuid = vma_uuid_text(s->uuid), *instant = snapshot_instant_text(s->instant);
    g_autofree char *verified = s->verified ? snapshot_instant_text(s->verified) : NULL;
    json_object *root = json_object_new_object();
    add_number(root, "format", FORMAT);
    add_text(root, "program", "vmabackup " VMB_VERSION);
    add_text(root, "uuid", uuid);
    add_text(root, "instant", instant);
    add_number(root, "chunk", s->chunk_bytes);
    json_object_object_add(root, "devices", devices_json(s));
    json_object_object_add(root, "configs", configs_json(s));
    add_text(root, "verified", verified);
    add_digest(root);
    char *text = g_strconcat(json_object_to_json_string_ext(root, READABLE), "\n", NULL);
    json_object_put(root);
    return text;
}

/* ---- reading ---- */

static json_object *parse(const char *text, size_t len)
{
    json_tokener *t = json_tokener_new_ex(MAX_DEPTH);
    json_object *o = len <= SNAPSHOT_MAX_JSON && g_utf8_validate(text, (gssize)len, NULL)
                         ? json_tokener_parse_ex(t, text, (int)len)
                         : NULL;
    size_t end = json_tokener_get_parse_end(t);
    while (o && end < len && g_ascii_isspace(text[end]))
        end++;
    json_tokener_free(t);
    if (json_object_is_type(o, json_type_object) && end == len)
        return o;
    json_object_put(o);
    return NULL;
}

static bool wrong(GError **error, const char *what)
{
    return vmb_fail(error, VMB_ERROR_DAMAGED, "%s", what);
}

/* NULL: it is none, or has a NUL within. */
static const char *text_in(json_object *o, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(o, key, &value) || !json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

/* -1: none from 0 to max. */
static int64_t number_in(json_object *o, const char *key, int64_t max)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(o, key, &value) || !json_object_is_type(value, json_type_int))
        return -1;
    int64_t number = json_object_get_int64(value);
    return number >= 0 && number <= max ? number : -1;
}

static json_object *list_in(json_object *o, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(o, key, &value);
    return json_object_is_type(value, json_type_array) ? value : NULL;
}

static bool instant_in(json_object *o, const char *key, int64_t *instant)
{
    const char *text = text_in(o, key);
    g_autoptr(GDateTime) when = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;
    *instant = when ? g_date_time_to_unix(when) : 0;
    g_autofree char *same = when ? snapshot_instant_text(*instant) : NULL;
    return same && !strcmp(same, text); /* no other way to write it */
}

static bool uuid_in(json_object *root, uint8_t uuid[16])
{
    const char *text = text_in(root, "uuid");
    for (unsigned i = 0; text && i < 16; i++) {
        text += *text == '-';
        int high = g_ascii_xdigit_value(text[0]), low = high < 0 ? -1 : g_ascii_xdigit_value(text[1]);
        if (low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return text && !*text;
}

static bool is_digest(const char *text)
{
    struct chunk_id id;
    return text && chunk_id_parse(text, &id);
}

static bool is_file_name(const char *name)
{
    return name && vma_name_is_safe(name) && *name != '.' && strlen(name) < 256;
}

/* A drive has sectors; the RAM's stream is as long as it is. */
static bool is_device_size(const char *name, uint64_t size)
{
    return size && size <= VMA_MAX_DEVICE_SIZE && (size % 512 == 0 || !strcmp(name, VMA_VMSTATE_NAME));
}

static bool is_config_name(const char *name)
{
    return name && vma_name_is_safe(name) && strlen(name) < VMA_MAX_BLOB;
}

bool snapshot_json_check(const struct vma_header *h, GError **error)
{
    g_autofree char *instant = snapshot_instant_text(h->ctime);
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        const char *name = h->devices[i].name;
        if (name && (!is_file_name(name) || strlen(name) > MAX_DEVICE_NAME))
            return vmb_fail(error, VMB_ERROR_DAMAGED, "the name of its device %u is no safe file name", i);
        if (name && !is_device_size(name, h->devices[i].size))
            return vmb_fail(error, VMB_ERROR_DAMAGED, "the size of its device %u is none that a drive has", i);
    }
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        if (h->configs[i].name && !is_config_name(h->configs[i].name))
            return vmb_fail(error, VMB_ERROR_DAMAGED, "the name of its configuration %u is no safe file name", i);
    return snapshot_is_name(instant) || vmb_fail(error, VMB_ERROR_DAMAGED, "it is of no time that a snapshot can have");
}

static bool read_device(struct snapshot *s, json_object *o, GError **error)
{
    const char *name = text_in(o, "name"), *index = text_in(o, "index"), *digest = text_in(o, "digest");
    int64_t size = number_in(o, "size", VMA_MAX_DEVICE_SIZE), stored = number_in(o, "new_bytes", INT64_MAX),
            plain = number_in(o, "new_plain", INT64_MAX);
    if (!name || !is_file_name(name) || snapshot_find_device(s, name))
        return wrong(error, "a drive has no name of its own");
    struct snapshot_device *d = snapshot_add_device(s, name, (uint64_t)size);
    if (size < 0 || !is_device_size(name, (uint64_t)size) || stored < 0 || plain < 0)
        return wrong(error, "a drive's size is none");
    if (g_strcmp0(index, d->index_name) || !is_digest(digest))
        return wrong(error, "a drive has no index");
    d->new_bytes = (uint64_t)stored;
    d->new_plain = (uint64_t)plain;
    d->bitmap = g_strdup(text_in(o, "bitmap"));
    d->digest = g_strdup(digest);
    return true;
}

static bool is_config_taken(const struct snapshot *s, const char *name, const char *file)
{
    for_each_in (const struct snapshot_config, c, s->configs)
        if (!strcmp(c->name, name) || !strcmp(c->file, file))
            return true;
    return false;
}

static bool read_config(struct snapshot *s, json_object *o, GError **error)
{
    const char *name = text_in(o, "name"), *file = text_in(o, "file"), *digest = text_in(o, "digest");
    if (!is_config_name(name) || !is_file_name(file) || is_config_taken(s, name, file) || !is_digest(digest))
        return wrong(error, "a configuration has no name of its own, or no digest");
    struct snapshot_config *c = g_new0(struct snapshot_config, 1);
    c->name = g_strdup(name);
    c->file = g_strdup(file);
    c->digest = g_strdup(digest);
    c->bytes = g_bytes_new(NULL, 0);
    g_ptr_array_add(s->configs, c);
    return true;
}

static bool read_list(struct snapshot *s, json_object *list, size_t most,
                      bool (*read)(struct snapshot *s, json_object *o, GError **error), GError **error)
{
    size_t n = list ? json_object_array_length(list) : 0;
    if (!list || n > most)
        return wrong(error, "a list is missing, or too long");
    for (size_t i = 0; i < n; i++)
        if (!read(s, json_object_array_get_idx(list, i), error))
            return false;
    return true;
}

static bool check_digest(json_object *root, GError **error)
{
    g_autofree char *told = g_strdup(text_in(root, "digest"));
    add_digest(root);
    return g_strcmp0(told, text_in(root, "digest")) == 0 || wrong(error, "its digest is wrong");
}

static bool read_root(struct snapshot *s, json_object *root, GError **error)
{
    int64_t chunk = number_in(root, "chunk", CHUNK_MAX_BYTES);
    if (!chunk_id_is_size((uint64_t)chunk))
        return wrong(error, "its size of chunks is none");
    s->chunk_bytes = (uint32_t)chunk;
    if (!uuid_in(root, s->uuid) || !instant_in(root, "instant", &s->instant))
        return wrong(error, "its uuid or instant is missing");
    instant_in(root, "verified", &s->verified);
    return read_list(s, list_in(root, "devices"), VMA_MAX_DEVICES - 2, read_device, error) &&
           read_list(s, list_in(root, "configs"), VMA_MAX_CONFIGS, read_config, error);
}

static bool check_format(json_object *root, GError **error)
{
    int64_t format = root ? number_in(root, "format", INT32_MAX) : -1;
    if (format < 1)
        return wrong(error, "not what describes a snapshot");
    if (format != FORMAT)
        return vmb_fail(error, VMB_ERROR_FAILED, "format %d, made by a newer vmabackup; use that one", (int)format);
    return true;
}

struct snapshot *snapshot_from_json(const char *text, size_t len, GError **error)
{
    static const uint8_t none[16];
    g_autoptr(snapshot) s = snapshot_new(none, 0, 0);
    json_object *root = parse(text, len);
    bool ok = check_format(root, error) && check_digest(root, error) && read_root(s, root, error);
    json_object_put(root);
    return ok ? g_steal_pointer(&s) : NULL;
}

/* Its vmabackup.json; NULL: none that can be read. */
static json_object *description_of(const struct snapshot *s)
{
    json_object *about = NULL;
    for_each_in (const struct snapshot_config, c, s->configs) {
        gsize len;
        const char *text = g_bytes_get_data(c->bytes, &len);
        if (strcmp(c->name, VMA_DESCRIPTION_NAME) == 0)
            about = c->is_damaged || about ? about : parse(text, len);
    }
    if (json_object_is_type(about, json_type_object))
        return about;
    json_object_put(about);
    return NULL;
}

static char *described(const struct snapshot *s, const char *key)
{
    json_object *about = description_of(s);
    char *value = about ? g_strdup(text_in(about, key)) : NULL;
    json_object_put(about);
    return value;
}

char *snapshot_guest(const struct snapshot *s)
{
    return described(s, "guest");
}

char *snapshot_nameless_at(const struct snapshot *s)
{
    return described(s, "nameless_at");
}

char **snapshot_missing(const struct snapshot *s)
{
    json_object *about = description_of(s), *list = about ? list_in(about, "missing") : NULL;
    GPtrArray *names = g_ptr_array_new();
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        g_ptr_array_add(names, text_make_safe(name ? name : ""));
    }
    g_ptr_array_add(names, NULL);
    json_object_put(about);
    return (char **)g_ptr_array_free(names, FALSE);
}
