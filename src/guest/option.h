// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * THE table of QEMU's options: what an archive keeps of a guest's command line, and what `boot` takes from an
 * archive. An option that is not in it is left out.
 */
#include "guest/value.h"

enum option_kind {
    OPTION_UNKNOWN,
    OPTION_OUT,       /* left out, with its argument, unless the operator trusts the archive */
    OPTION_FLAG_OUT,  /* the same; it has none */
    OPTION_GONE,      /* always left out */
    OPTION_FLAG_GONE, /* the same; it has no argument */
    OPTION_FLAG,      /* kept; it has none */
    OPTION_VALUE,     /* kept, if its argument is of the kind */
    OPTION_KEYS,      /* kept with those of its pairs that are good */
    OPTION_DISK,      /* -hda FILE … : a -drive */
    OPTION_DRIVE,
    OPTION_BLOCKDEV,
    OPTION_DEVICE,
    OPTION_GLOBAL,
    OPTION_OBJECT,
    OPTION_NETDEV, /* these keep their id, and lead nowhere */
    OPTION_NIC,
    OPTION_NET,
    OPTION_CHARDEV,
    OPTION_CONSOLE,
    OPTION_AUDIO,
};

struct option_rule {
    const char *name; /* "-device" */
    enum option_kind kind;
    const char *implied;         /* the key of a first word that has none */
    const struct key_rule *keys; /* of OPTION_KEYS */
    enum value_kind value;       /* of OPTION_VALUE */
    const char *text;            /* of OPTION_DISK: pairs of the -drive that it stands for */
};

/* argument: "-device" or "--device". Never NULL: OPTION_UNKNOWN, which has an argument if the next one is no
 * option. */
const struct option_rule *option_find(const char *argument);
bool option_has_argument(const struct option_rule *rule);
