// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that are handed over for an archive by mistake. */
#include "sink/mistaken.h"

#include <string.h>

#include <glib.h>

static void expect(unsigned at, const char *mark, size_t mark_len, const char *told)
{
    uint8_t bytes[MISTAKEN_BYTES] = {0};
    memcpy(bytes + at, mark, mark_len);
    g_autofree char *what = mistaken_for(bytes, sizeof bytes), *cut = mistaken_for(bytes, at + mark_len - 1);
    g_assert_cmpstr(cut, ==, NULL);
    g_assert_true(told ? g_str_has_prefix(what, told) : !what);
    g_assert_true(!what || !strchr(what, '%'));
}

static void test_known(void)
{
    expect(0, "QEVM", 4, "it is a RAM stream of QEMU (vmstate.bin), not an archive; start QEMU ");
    expect(0, "QFI\xfb", 4, "it is a qcow2 image, not an archive; qemu-img info");
    expect(0, "BZh", 3, "it is compressed with bzip2, which is not read directly; pipe it: bzip2 -dc FILE");
    expect(0, "LUKS\xba\xbe", 6, "it is an encrypted drive");
    expect(257, "ustar", 5, "it is a tar file, not an archive; unpack it first");
    expect(510, "\x55\xaa", 2, "it is a disk image");
}

static void test_others(void)
{
    expect(0, "VMA\0", 4, NULL);
    expect(0, "QEV", 3, NULL);
    expect(1, "QEVM", 4, NULL);
    g_assert_null(mistaken_for(NULL, 0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mistaken/known", test_known);
    g_test_add_func("/mistaken/others", test_others);
    return g_test_run();
}
