// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/value.h"

#include <glib.h>
#include <string.h>

#define LETTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"
#define HEX      DIGITS "abcdefABCDEF"
#define MAX_LEN  128
#define MAX_TEXT 2048 /* -cpu with all its features */

/* Where packages put firmware and ROMs: everybody may read it, only root writes there. */
static const char *const firmware_folders[] = {
    "/usr/share/qemu/",
    "/usr/share/OVMF/",
    "/usr/share/ovmf/",
    "/usr/share/AAVMF/",
    "/usr/share/edk2/",
    "/usr/share/edk2-ovmf/",
    "/usr/share/seabios/",
    "/usr/share/ipxe/",
    "/usr/lib/ipxe/qemu/",
    "/usr/share/kvm/",
    "/usr/share/qemu-efi-aarch64/",
    "/usr/share/pve-edk2-firmware/",
};

static bool is_made_of(const char *value, const char *characters, size_t max)
{
    return *value && strlen(value) <= max && strspn(value, characters) == strlen(value);
}

static bool is_number(const char *value)
{
    value += *value == '-';
    if (g_str_has_prefix(value, "0x"))
        return is_made_of(value + 2, HEX, 16);
    size_t n = strspn(value, DIGITS);
    if (n && value[n] == '.')
        n += 1 + strspn(value + n + 1, DIGITS);
    n += n && value[n] && strchr("kKmMgGtTpPeE", value[n]);
    n += n && (value[n] == 'b' || value[n] == 'B');
    return n && n <= MAX_LEN && !value[n];
}

static bool is_plain(const char *value)
{
    static const char *const words[] = {"on", "off", "yes", "no", "true", "false", "y", "n", "auto", NULL};
    return g_strv_contains(words, value) || is_number(value);
}

static bool is_text(const char *value)
{
    for (const char *c = value; *c; c++)
        if (*c < 0x20 || *c > 0x7e || *c == '/' || *c == '\\')
            return false;
    return *value && strlen(value) <= MAX_TEXT;
}

static bool is_accel(const char *value)
{
    static const char *const known[] = {"kvm", "tcg", "hvf", "nvmm", "whpx", NULL};
    g_auto(GStrv) parts = g_strsplit(value, ":", 8);
    for (char **part = parts; *part; part++)
        if (!g_strv_contains(known, *part))
            return false;
    return *parts != NULL;
}

static bool is_pointer(const char *value)
{
    static const char *const known[] = {"tablet", "mouse", "keyboard", "wacom-tablet", NULL};
    return g_strv_contains(known, value);
}

static bool is_file_name(const char *value)
{
    return is_made_of(value, LETTERS DIGITS "._+-", MAX_LEN) && g_ascii_isalnum(*value);
}

static bool is_firmware(const char *value)
{
    if (is_file_name(value))
        return true;
    for (unsigned i = 0; i < G_N_ELEMENTS(firmware_folders); i++)
        if (g_str_has_prefix(value, firmware_folders[i]))
            return is_made_of(value, LETTERS DIGITS "._+-/", MAX_LEN) && !strstr(value, "..");
    return false;
}

bool value_is(enum value_kind kind, const char *value)
{
    switch (kind) {
    case VALUE_NONE:
        return false;
    case VALUE_PLAIN:
        return is_plain(value);
    case VALUE_NUMBER:
        return is_number(value);
    case VALUE_RANGE:
        return is_made_of(value, DIGITS "-", MAX_LEN);
    case VALUE_WORD:
        return is_made_of(value, LETTERS DIGITS "._+-", MAX_LEN) && g_ascii_isalnum(*value);
    case VALUE_ID:
        return is_made_of(value, LETTERS DIGITS "._+-#:", MAX_LEN) && *value != '-';
    case VALUE_ADDRESS:
        return is_made_of(value, HEX "x.:-", MAX_LEN) && *value != '-';
    case VALUE_UUID:
        return g_uuid_string_is_valid(value);
    case VALUE_TEXT:
        return is_text(value);
    case VALUE_ACCEL:
        return is_accel(value);
    case VALUE_POINTER:
        return is_pointer(value);
    case VALUE_FIRMWARE:
        return is_firmware(value);
    }
    return false;
}

bool value_is_key(const char *key)
{
    return is_made_of(key, LETTERS DIGITS "._-", MAX_LEN) && g_ascii_isalpha(*key);
}

enum value_kind value_kind_of(const struct key_rule *rules, const char *key)
{
    for (; rules->key; rules++)
        if (!strcmp(rules->key, key))
            return rules->kind;
    return VALUE_NONE;
}

char *value_find_firmware(const char *value)
{
    if (!is_firmware(value))
        return NULL;
    if (*value == '/')
        return g_file_test(value, G_FILE_TEST_IS_REGULAR) ? g_strdup(value) : NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(firmware_folders); i++) {
        g_autofree char *path = g_strconcat(firmware_folders[i], value, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
            return g_steal_pointer(&path);
    }
    return NULL;
}
