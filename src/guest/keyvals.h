// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Arguments of QEMU's options: "virtio-blk-pci,drive=a,id=b", where ",," is a comma in a value, or a JSON
 * object, whose nested members become "file.filename".
 *
 *     g_autoptr(GPtrArray) kv = keyvals_parse(text, "driver");     // {driver, virtio-blk-pci}, {drive, a} …
 *     keyvals_set(kv, "drive", "x");
 *     g_autofree char *again = keyvals_format(kv, "driver");
 */
#include <glib.h>

struct keyval {
    char *key, *value; /* unescaped; a key alone has the value "on" */
};

/* implied: the key of a first word that has none, or NULL. NULL: JSON that is no object. struct keyval. */
GPtrArray *keyvals_parse(const char *text, const char *implied);
GPtrArray *keyvals_new(void);
/* The last one counts, as in QEMU. Borrowed; NULL: it has none. */
const char *keyvals_get(const GPtrArray *keyvals, const char *key);
void keyvals_add(GPtrArray *keyvals, const char *key, const char *value);
/* In the place of the first one of this key, or behind all others. */
void keyvals_set(GPtrArray *keyvals, const char *key, const char *value);
void keyvals_drop(GPtrArray *keyvals, const char *key);
/* As QEMU reads it; g_free() it. */
char *keyvals_format(const GPtrArray *keyvals, const char *implied);
