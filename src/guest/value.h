// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the value of an option may look like, so that it can name nothing of the host: no kind takes a '/',
 * but the paths of firmware, which lie where packages put them.
 */
#include <stdbool.h>

enum value_kind {
    VALUE_NONE,    /* nothing is taken */
    VALUE_PLAIN,   /* on, off, auto or a number */
    VALUE_NUMBER,  /* 4096, 0x1c, 1.5G */
    VALUE_RANGE,   /* 0-3 */
    VALUE_WORD,    /* writethrough */
    VALUE_ID,      /* pcie.0, drive-scsi0, #block123, 1970-01-01T00:00:00 */
    VALUE_ADDRESS, /* 1c.0, 52:54:00:00:00:01 */
    VALUE_UUID,
    VALUE_TEXT,     /* a name of a guest, a serial number: no '/' */
    VALUE_ACCEL,    /* kvm:tcg */
    VALUE_POINTER,  /* tablet, mouse: of -usbdevice */
    VALUE_FIRMWARE, /* a file's name, or its path below a folder of firmware */
};

/* One pair that is taken; lists end with a NULL key. */
struct key_rule {
    const char *key;
    enum value_kind kind;
};

bool value_is(enum value_kind kind, const char *value);
/* As a key of QEMU's can look. */
bool value_is_key(const char *key);
/* The kind for a key, VALUE_NONE for one that is not in the list. */
enum value_kind value_kind_of(const struct key_rule *rules, const char *key);
/* Where this firmware lies on this host: a path to g_free(), or NULL. value: a VALUE_FIRMWARE. */
char *value_find_firmware(const char *value);
