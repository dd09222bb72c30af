// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* QEMU's option arguments: "virtio-blk-pci,drive=a,id=b", where ",," stands for a comma in a value. */
#include <glib.h>

/* The value of a key, unescaped; g_free() it. NULL: it has none. */
char *keyvals_get(const char *text, const char *key);
/* The first word, if it has no key: the driver or kind. NULL else. */
char *keyvals_kind(const char *text);
/* A comma in a value is doubled. g_free() it. */
char *keyvals_escape(const char *value);
/* Without these keys (NULL at the end). g_free() it. */
char *keyvals_without(const char *text, const char *const *keys);
