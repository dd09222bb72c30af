// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/header.h"

#include "base/be.h"
#include "base/error.h"
#include "base/text.h"
#include "vma/digest.h"

/* Places of the fixed part; docs/vma-format.md has the table. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_UUID = 8,
    AT_CTIME = 24,
    AT_MD5 = 32,
    AT_BLOB_OFFSET = 48,
    AT_BLOB_SIZE = 52,
    AT_HEADER_SIZE = 56,
    AT_EXTENSION = 60,
    AT_CONFIG_NAMES = 2044,
    AT_CONFIG_DATA = 3068,
    AT_DEVICES = 4096,
    DEVICE_ENTRY_SIZE = 32,
    BLOB_LENGTH_SIZE = 2,
};
#define MAGIC           "VMA"      /* with its NUL */
#define EXTENSION_MAGIC "VMABKUP1" /* without */

struct vma_header *vma_header_new(const uint8_t uuid[16], int64_t ctime)
{
    struct vma_header *h = g_new0(struct vma_header, 1);
    memcpy(h->uuid, uuid, sizeof h->uuid);
    h->ctime = ctime;
    h->has_extension = true;
    return h;
}

struct vma_header *vma_header_copy(const struct vma_header *h)
{
    struct vma_header *copy = g_memdup2(h, sizeof *h);
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        copy->devices[i].name = g_strdup(h->devices[i].name);
        copy->devices[i].dropped_name = g_strdup(h->devices[i].dropped_name);
    }
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        copy->configs[i].name = g_strdup(h->configs[i].name);
        copy->configs[i].data = g_memdup2(h->configs[i].data, h->configs[i].len);
    }
    return copy;
}

static void config_clear(struct vma_config *c)
{
    g_free(c->name);
    g_free(c->data);
    *c = (struct vma_config){0};
}

void vma_header_free(struct vma_header *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        g_free(h->devices[i].name);
        g_free(h->devices[i].dropped_name);
    }
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        config_clear(&h->configs[i]);
    g_free(h);
}

/* ---- names ---- */

bool vma_name_is_safe(const char *name)
{
    g_autofree char *safe = text_make_safe(name);
    return *name && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/') && !strcmp(name, safe);
}

char *vma_name_make_safe(const char *name)
{
    enum { MAX_NAME = 200 }; /* leaves room for a suffix in a file name of 255 bytes */
    GString *safe = g_string_new(NULL);
    for (const char *c = name; *c && safe->len < MAX_NAME; c++)
        g_string_append_c(safe, g_ascii_isalnum(*c) || strchr("._-", *c) ? *c : '_');
    if (safe->len && safe->str[0] == '.') /* neither "..", nor a hidden file */
        safe->str[0] = '_';
    if (!safe->len)
        g_string_assign(safe, "drive");
    if (!strcmp(safe->str, VMA_VMSTATE_NAME))
        g_string_append_c(safe, '_');
    return g_string_free(safe, FALSE);
}

char *vma_uuid_text(const uint8_t uuid[16])
{
    GString *text = g_string_new(NULL);
    for (unsigned i = 0; i < 16; i++)
        g_string_append_printf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    return g_string_free(text, FALSE);
}

/* ---- making ---- */

int vma_header_find_device(const struct vma_header *h, const char *name)
{
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++)
        if (!g_strcmp0(h->devices[i].name, name))
            return i;
    return -1;
}

static bool device_is_valid(const struct vma_header *h, const char *name, uint64_t size, GError **error)
{
    g_autofree char *shown = text_make_safe(name);
    const char *why = NULL;
    if (!vma_name_is_safe(name) || strlen(name) >= VMA_MAX_BLOB)
        why = "this name cannot be stored; choose a plain file name";
    else if (vma_header_find_device(h, name) >= 0)
        why = "this name is taken";
    else if (size == 0 || size % 512 || size > VMA_MAX_DEVICE_SIZE)
        why = "its size must be a multiple of 512, above 0 and at most 256 TiB";
    if (why)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "device %s: %s", shown, why);
    return !why;
}

int vma_header_add_device(struct vma_header *h, const char *name, uint64_t size, GError **error)
{
    if (!device_is_valid(h, name, size, error))
        return -1;
    for (int id = 1; id < (int)VMA_MAX_DEVICES - 1; id++) {
        struct vma_device *d = &h->devices[id];
        if (d->name || d->dropped_name)
            continue;
        d->name = g_strdup(name);
        d->size = size;
        return id;
    }
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "device %s: an archive holds at most 254 devices", name);
    return -1;
}

void vma_header_drop_device(struct vma_header *h, int dev_id)
{
    struct vma_device *d = &h->devices[dev_id];
    g_free(d->dropped_name);
    d->dropped_name = g_steal_pointer(&d->name);
    d->size = 0;
}

void vma_header_set_size(struct vma_header *h, int dev_id, uint64_t size)
{
    g_assert(h->devices[dev_id].name);
    h->devices[dev_id].size = size;
    if (!size) /* half an entry would be left */
        vma_header_drop_device(h, dev_id);
}

/* Bytes that a device's name takes in the blob buffer: kept when it is dropped, so that nothing moves. */
static const char *device_blob(const struct vma_device *d)
{
    return d->name ? d->name : d->dropped_name;
}

static size_t encoded_size(const struct vma_header *h)
{
    size_t blobs = 1;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        if (device_blob(&h->devices[i]))
            blobs += BLOB_LENGTH_SIZE + strlen(device_blob(&h->devices[i])) + 1;
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        if (h->configs[i].name)
            blobs += 2 * BLOB_LENGTH_SIZE + strlen(h->configs[i].name) + 1 + h->configs[i].reserve;
    return VMA_FIXED_HEADER_SIZE + (blobs + 511) / 512 * 512;
}

static struct vma_config *config_slot(struct vma_header *h, const char *name)
{
    struct vma_config *free_slot = NULL;
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        struct vma_config *c = &h->configs[i];
        if (c->name && !strcmp(c->name, name))
            return c;
        if (!c->name && !free_slot)
            free_slot = c;
    }
    return free_slot;
}

bool vma_header_set_config(struct vma_header *h, const char *name, const void *data, size_t len, size_t reserve,
                           GError **error)
{
    g_autofree char *shown = text_make_safe(name);
    struct vma_config *slot = config_slot(h, name);
    const char *why = NULL;
    reserve = MAX(reserve, len);
    if (!vma_name_is_safe(name) || strlen(name) >= VMA_MAX_BLOB)
        why = "this name cannot be stored; choose a plain file name";
    else if (reserve > VMA_MAX_BLOB)
        why = "it is larger than 65535 bytes, the most the archive format can hold";
    else if (!slot)
        why = "an archive holds at most 256 configurations";
    if (why)
        return vmb_fail(error, VMB_ERROR_FAILED, "configuration %s: %s", shown, why);
    struct vma_config before = *slot;
    *slot = (struct vma_config){g_strdup(name), g_memdup2(data, len), len, reserve};
    if (encoded_size(h) > VMA_MAX_HEADER_WRITTEN) {
        config_clear(slot);
        *slot = before;
        return vmb_fail(error, VMB_ERROR_FAILED,
                        "configuration %s: no room left for it in the archive's header of 512 KiB", shown);
    }
    config_clear(&before);
    return true;
}

/* Appends a blob padded with blanks to `reserve`; returns its offset in the blob buffer. */
static uint32_t put_blob(GByteArray *out, const void *data, size_t len, size_t reserve)
{
    uint32_t offset = out->len - VMA_FIXED_HEADER_SIZE;
    uint8_t length_le[BLOB_LENGTH_SIZE] = {reserve & 0xff, reserve >> 8};
    g_byte_array_append(out, length_le, sizeof length_le);
    g_byte_array_append(out, data, (guint)len);
    g_byte_array_set_size(out, out->len + (guint)(reserve - len));
    memset(out->data + out->len - (reserve - len), ' ', reserve - len);
    return offset;
}

static void encode_devices(const struct vma_header *h, GByteArray *out)
{
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        const char *name = device_blob(&h->devices[i]);
        if (!name)
            continue;
        uint32_t at = put_blob(out, name, strlen(name) + 1, strlen(name) + 1);
        if (h->devices[i].name) {
            uint8_t *entry = out->data + AT_DEVICES + (size_t)i * DEVICE_ENTRY_SIZE;
            be32_put(entry, at);
            be64_put(entry + 8, h->devices[i].size);
        }
    }
}

static void encode_configs(const struct vma_header *h, GByteArray *out)
{
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        const struct vma_config *c = &h->configs[i];
        if (!c->name)
            continue;
        uint32_t name_at = put_blob(out, c->name, strlen(c->name) + 1, strlen(c->name) + 1);
        uint32_t data_at = put_blob(out, c->data, c->len, c->reserve);
        be32_put(out->data + AT_CONFIG_NAMES + 4 * i, name_at);
        be32_put(out->data + AT_CONFIG_DATA + 4 * i, data_at);
    }
}

static void encode_fixed(const struct vma_header *h, uint8_t *out)
{
    memcpy(out + AT_MAGIC, MAGIC, 4);
    be32_put(out + AT_VERSION, 1);
    memcpy(out + AT_UUID, h->uuid, sizeof h->uuid);
    be64_put(out + AT_CTIME, (uint64_t)h->ctime);
    if (h->has_extension) {
        memcpy(out + AT_EXTENSION, EXTENSION_MAGIC, 8);
        be32_put(out + AT_EXTENSION + 8, h->extension_flags);
        memcpy(out + AT_EXTENSION + 12, h->parent_uuid, sizeof h->parent_uuid);
    }
}

GBytes *vma_header_encode(struct vma_header *h, GError **error)
{
    size_t size = encoded_size(h);
    if (size > VMA_MAX_HEADER_WRITTEN)
        return vmb_null(error, VMB_ERROR_FAILED,
                        "archive header: names and configurations need %zu bytes; 524288 is the most", size);
    GByteArray *out = g_byte_array_sized_new((guint)size);
    g_byte_array_set_size(out, VMA_FIXED_HEADER_SIZE + 1); /* blob offset 0 means "none": one byte unused */
    memset(out->data, 0, out->len);
    encode_fixed(h, out->data);
    encode_devices(h, out);
    encode_configs(h, out);

    size_t used = out->len;
    g_byte_array_set_size(out, (guint)size);
    memset(out->data + used, 0, size - used);
    h->header_size = (uint32_t)size;
    be32_put(out->data + AT_BLOB_OFFSET, VMA_FIXED_HEADER_SIZE);
    be32_put(out->data + AT_BLOB_SIZE, (uint32_t)(used - VMA_FIXED_HEADER_SIZE));
    be32_put(out->data + AT_HEADER_SIZE, h->header_size);
    vma_md5(out->data, size, AT_MD5, out->data + AT_MD5);
    return g_byte_array_free_to_bytes(out);
}

/* ---- reading ---- */

static uint32_t refuse(GError **error, const char *why)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_DAMAGED, "archive header: %s", why);
    return 0;
}

uint32_t vma_header_size_of(const uint8_t *bytes, size_t len, GError **error)
{
    if (len < AT_EXTENSION || memcmp(bytes + AT_MAGIC, MAGIC, 4))
        return refuse(error, "this is not a VMA archive");
    if (be32_get(bytes + AT_VERSION) != 1)
        return refuse(error, "its format version is not 1, the only one known");
    uint64_t size = be32_get(bytes + AT_HEADER_SIZE), blob_at = be32_get(bytes + AT_BLOB_OFFSET);
    if (size <= VMA_FIXED_HEADER_SIZE || size % 512)
        return refuse(error, "its size field is damaged");
    if (size > VMA_MAX_HEADER_READ)
        return refuse(error, "it claims to be larger than 16 MiB");
    if (blob_at < VMA_FIXED_HEADER_SIZE || blob_at + be32_get(bytes + AT_BLOB_SIZE) > size)
        return refuse(error, "its names and configurations lie outside of it");
    return (uint32_t)size;
}

/* The blob buffer of a header being decoded; `starts`: offset of each blob. */
struct blobs {
    const uint8_t *at;
    uint32_t size;
    GHashTable *starts;
};

/* A pointer must hit the start of a blob, so the chain is walked once. */
static bool blobs_walk(struct blobs *b)
{
    uint32_t at = 1;
    while ((uint64_t)at + BLOB_LENGTH_SIZE <= b->size) {
        uint32_t len = b->at[at] | (uint32_t)b->at[at + 1] << 8;
        if ((uint64_t)at + BLOB_LENGTH_SIZE + len > b->size)
            return false;
        g_hash_table_add(b->starts, GUINT_TO_POINTER(at));
        at += BLOB_LENGTH_SIZE + len;
    }
    return true;
}

static const uint8_t *blobs_find(const struct blobs *b, uint32_t offset, size_t *len)
{
    if (!g_hash_table_contains(b->starts, GUINT_TO_POINTER(offset)))
        return NULL;
    *len = b->at[offset] | (size_t)b->at[offset + 1] << 8;
    return b->at + offset + BLOB_LENGTH_SIZE;
}

/* A blob that is one string with its NUL; NULL when it is not. */
static const char *blobs_string(const struct blobs *b, uint32_t offset)
{
    size_t len;
    const uint8_t *at = blobs_find(b, offset, &len);
    return at && len > 1 && memchr(at, 0, len) == at + len - 1 ? (const char *)at : NULL;
}

static const char *decode_devices(struct vma_header *h, const uint8_t *bytes, const struct blobs *blobs)
{
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        const uint8_t *entry = bytes + AT_DEVICES + (size_t)i * DEVICE_ENTRY_SIZE;
        uint64_t size = be64_get(entry + 8);
        if (!be32_get(entry) || !size) /* such a device does not exist, for any reader */
            continue;
        const char *name = blobs_string(blobs, be32_get(entry));
        if (!name)
            return "the name of a device is damaged";
        if (i == 0 || i == VMA_MAX_DEVICES - 1)
            return "it uses a reserved device number";
        if (size > VMA_MAX_DEVICE_SIZE)
            return "the size of a device is impossible";
        if (vma_header_find_device(h, name) >= 0)
            return "two devices have the same name";
        h->devices[i].name = g_strdup(name);
        h->devices[i].size = size;
    }
    return NULL;
}

static const char *decode_configs(struct vma_header *h, const uint8_t *bytes, const struct blobs *blobs)
{
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        uint32_t name_at = be32_get(bytes + AT_CONFIG_NAMES + 4 * i);
        uint32_t data_at = be32_get(bytes + AT_CONFIG_DATA + 4 * i);
        if (!name_at || !data_at)
            continue;
        size_t len = 0;
        const char *name = blobs_string(blobs, name_at);
        const uint8_t *data = blobs_find(blobs, data_at, &len);
        if (!name || !data)
            return "the name or place of a configuration is damaged";
        h->configs[i] = (struct vma_config){g_strdup(name), g_memdup2(data, len), len, len};
    }
    return NULL;
}

static void decode_fixed(struct vma_header *h, const uint8_t *bytes)
{
    h->header_size = be32_get(bytes + AT_HEADER_SIZE);
    h->has_extension = !memcmp(bytes + AT_EXTENSION, EXTENSION_MAGIC, 8);
    if (h->has_extension) {
        h->extension_flags = be32_get(bytes + AT_EXTENSION + 8);
        memcpy(h->parent_uuid, bytes + AT_EXTENSION + 12, sizeof h->parent_uuid);
    }
}

struct vma_header *vma_header_decode(const uint8_t *bytes, size_t len, GError **error)
{
    uint32_t size = vma_header_size_of(bytes, len, error);
    if (!size)
        return NULL;
    uint8_t md5[16];
    const char *why = len < size ? "it is cut short" : NULL;
    if (!why) {
        vma_md5(bytes, size, AT_MD5, md5);
        if (memcmp(md5, bytes + AT_MD5, sizeof md5))
            why = "its checksum does not match: it is damaged";
    }
    g_autoptr(vma_header) h = vma_header_new(bytes + AT_UUID, (int64_t)be64_get(bytes + AT_CTIME));
    g_autoptr(GHashTable) starts = g_hash_table_new(NULL, NULL);
    struct blobs blobs = {bytes + be32_get(bytes + AT_BLOB_OFFSET), be32_get(bytes + AT_BLOB_SIZE), starts};
    if (!why) {
        decode_fixed(h, bytes);
        if (!blobs_walk(&blobs))
            why = "its names and configurations are damaged";
    }
    if (!why)
        why = decode_devices(h, bytes, &blobs);
    if (!why)
        why = decode_configs(h, bytes, &blobs);
    if (why) {
        refuse(error, why);
        return NULL;
    }
    return g_steal_pointer(&h);
}
