// SPDX-License-Identifier: GPL-2.0-or-later
/* -blockdev: a tree of nodes, of which a guest sees the top. */
#include <string.h>

#include "guest/convert.h"
#include "guest/keyvals.h"

#define MAX_DEPTH 8

static bool is_flash(const struct guest_line *line, const char *name)
{
    for (unsigned i = 0; i < line->entries->len; i++) {
        const struct guest_entry *e = line->entries->pdata[i];
        if (e->rule->kind == OPTION_KEYS && e->kv && name &&
            (!g_strcmp0(keyvals_get(e->kv, "pflash0"), name) || !g_strcmp0(keyvals_get(e->kv, "pflash1"), name)))
            return true;
    }
    return false;
}

/* The file at the bottom of plain nodes, if firmware may lie there. Borrowed. */
static const char *find_firmware(const struct guest_line *line, const struct guest_entry *e)
{
    for (unsigned depth = 0; e && depth < MAX_DEPTH; depth++) {
        const char *path = keyvals_get(e->kv, "filename");
        path = path ? path : keyvals_get(e->kv, "file.filename");
        if (path)
            return *path == '/' && value_is(VALUE_FIRMWARE, path) ? path : NULL;
        e = guest_line_find(line, OPTION_BLOCKDEV, "node-name", keyvals_get(e->kv, "file"));
    }
    return NULL;
}

static GPtrArray *inert(const char *name, const char *firmware, bool is_read_only)
{
    GPtrArray *kv = keyvals_new();
    keyvals_add(kv, "driver", firmware ? "raw" : "null-co");
    keyvals_add(kv, "node-name", name);
    if (is_read_only || firmware)
        keyvals_add(kv, "read-only", "on");
    keyvals_add(kv, firmware ? "file.driver" : "read-zeroes", firmware ? "file" : "on");
    if (firmware)
        keyvals_add(kv, "file.filename", firmware);
    return kv;
}

void convert_nodes(struct guest_line *line)
{
    g_autoptr(GPtrArray) made = g_ptr_array_new(); /* pairs in the order of the nodes, NULL: it goes */
    for (unsigned i = 0; i < line->entries->len; i++) {
        const struct guest_entry *e = line->entries->pdata[i];
        const char *name = e->rule->kind == OPTION_BLOCKDEV ? keyvals_get(e->kv, "node-name") : NULL;
        bool may_be = name && value_is(VALUE_ID, name), is_top = may_be && is_flash(line, name);
        const char *firmware = is_top ? find_firmware(line, e) : NULL;
        if (is_top || (may_be && guest_line_find(line, OPTION_DEVICE, "drive", name)))
            g_ptr_array_add(made, inert(name, firmware, !g_strcmp0(keyvals_get(e->kv, "read-only"), "on")));
        else
            g_ptr_array_add(made, NULL);
    }
    for (unsigned i = line->entries->len; i-- > 0;) {
        struct guest_entry *e = line->entries->pdata[i];
        if (e->rule->kind != OPTION_BLOCKDEV)
            continue;
        g_ptr_array_unref(e->kv);
        e->kv = made->pdata[i];
        if (!e->kv)
            g_ptr_array_remove_index(line->entries, i);
    }
}
