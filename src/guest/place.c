// SPDX-License-Identifier: GPL-2.0-or-later
/* After QEMU's drive_new(). */
#include "guest/place.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guest/keyvals.h"

#define MAX_NUMBER 10000

struct places {
    GHashTable *taken; /* "ide/0/1" */
    const char *usual; /* interface */
    int ide_units;     /* of a bus */
};

struct places *places_new(const char *machine)
{
    struct places *p = g_new0(struct places, 1);
    const char *m = machine ? machine : "";
    p->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    p->usual = strstr(m, "virt") || strstr(m, "microvm") || strstr(m, "s390") ? "virtio"
               : strstr(m, "pseries")                                         ? "scsi"
                                                                              : "ide";
    p->ide_units = strstr(m, "q35") ? 1 : 2;
    return p;
}

void places_free(struct places *places)
{
    g_hash_table_unref(places->taken);
    g_free(places);
}

static int number(const GPtrArray *keyvals, const char *key, int missing)
{
    const char *text = keyvals_get(keyvals, key);
    long value = text ? strtol(text, NULL, 0) : missing;
    return value < 0 || value > MAX_NUMBER ? missing : (int)value;
}

/* Units of a bus; 0: it has but one bus. */
static int units_of(const struct places *p, const char *interface)
{
    return !strcmp(interface, "ide") ? p->ide_units : !strcmp(interface, "scsi") ? 7 : 0;
}

static bool take(struct places *p, const char *interface, int bus, int unit)
{
    return g_hash_table_add(p->taken, g_strdup_printf("%s/%d/%d", interface, bus, unit));
}

char *places_take(struct places *p, const GPtrArray *keyvals)
{
    const char *given = keyvals_get(keyvals, "if"), *interface = given ? given : p->usual;
    int units = units_of(p, interface), index = number(keyvals, "index", -1);
    int bus = number(keyvals, "bus", 0), unit = number(keyvals, "unit", -1);
    if (index >= 0) {
        bus = units ? index / units : 0;
        unit = units ? index % units : index;
    }
    if (unit >= 0)
        take(p, interface, bus, unit);
    else
        for (unit = 0; !take(p, interface, bus, unit); unit++)
            if (units && unit + 1 >= units) {
                unit = -1;
                bus++;
            }
    const char *media = strcmp(interface, "ide") && strcmp(interface, "scsi") ? ""
                        : !g_strcmp0(keyvals_get(keyvals, "media"), "cdrom")  ? "-cd"
                                                                              : "-hd";
    return units ? g_strdup_printf("%s%d%s%d", interface, bus, media, unit)
                 : g_strdup_printf("%s%s%d", interface, media, unit);
}
