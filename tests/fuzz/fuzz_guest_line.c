// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile command lines, an argument a line: whatever is kept names no file but firmware, has nothing in it
 * that steers a terminal or a shell's line, and reduced again it is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>
#include "guest/line.h"
#include "guest/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            abort();                                                                                                   \
    } while (0)

static void check_word(const char *word)
{
    for (const char *c = word; *c; c++)
        CHECK(*c >= 0x20 && *c <= 0x7e);
    for (const char *slash = strchr(word, '/'); slash; slash = strchr(slash + 1, '/'))
        CHECK(strstr(word, "/usr/share/") || strstr(word, "/usr/lib/ipxe/"));
    CHECK(!strchr(word, '/') || !strstr(word, ".."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    if (!g_utf8_validate(text, -1, NULL))
        return 0;
    g_auto(GStrv) argv = g_strsplit(text, "\n", 512);
    g_autoptr(guest_line_t) line = guest_line_new(argv, NULL, false),
                            trusted = guest_line_new(argv, "pc-q35-7.2", true);
    g_auto(GStrv) once = guest_line_format(line), all = guest_line_format(trusted);
    g_autoptr(guest_line_t) again = guest_line_new(once, NULL, false);
    g_auto(GStrv) twice = guest_line_format(again), masked = mask_arguments(argv);
    CHECK(g_strv_equal((const char *const *)once, (const char *const *)twice));
    for (char **word = once; *word; word++)
        check_word(*word);
    for (unsigned i = 0; i < line->left->len; i++)
        check_word(line->left->pdata[i]);
    CHECK(g_strv_length(masked) == g_strv_length(argv));
    return 0;
}
