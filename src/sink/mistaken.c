// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/mistaken.h"

#include <stdbool.h>
#include <string.h>

#include <glib.h>

#define DISK "%s, not an archive; qemu-img info FILE describes it"
#define PACK "%s, not an archive; unpack it first"
#define PIPE "compressed with %s, which is not read directly; pipe it: %s -dc FILE | vmabackup … -"

/* format: with the name in it, once or twice. In this order: an MBR is found in much. */
static const struct mark {
    unsigned at, len;
    const char *bytes, *name, *format;
} marks[] = {
    {0, 6, "\xfd\x37zXZ\0", "xz", PIPE},
    {0, 3, "BZh", "bzip2", PIPE},
    {0, 4, "\x04\x22\x4d\x18", "lz4", PIPE},
    {0, 4, "QEVM", "a RAM stream of QEMU (vmstate.bin)",
     "%s, not an archive; start QEMU as the guest was, with its drives and -incoming 'exec:cat FILE'"},
    {0, 15, "LibvirtQemudSav", "a guest saved by libvirt", "%s, not an archive; virsh restore FILE starts it"},
    {0, 4, "QFI\xfb", "a qcow2 image", DISK},
    {0, 4, "QED\0", "a QED image", DISK},
    {0, 4, "KDMV", "a VMDK image", DISK},
    {0, 8, "vhdxfile", "a VHDX image", DISK},
    {0, 8, "conectix", "a VHD image", DISK},
    {0, 6, "LUKS\xba\xbe", "an encrypted drive (LUKS)", DISK},
    {64, 4, "\x7f\x10\xda\xbe", "a VDI image", DISK},
    {0, 4, "PK\3\4", "a zip file", PACK},
    {0, 6, "7z\xbc\xaf\x27\x1c", "a 7z file", PACK},
    {257, 5, "ustar", "a tar file", PACK},
    {510, 2, "\x55\xaa", "a disk image (raw)", DISK},
};

static bool has_mark(const struct mark *m, const uint8_t *bytes, size_t len)
{
    return len >= m->at + m->len && memcmp(bytes + m->at, m->bytes, m->len) == 0;
}

/* "it is NAME, …" */
static char *tell(const struct mark *m)
{
    g_auto(GStrv) around = g_strsplit(m->format, "%s", -1);
    g_autofree char *told = g_strjoinv(m->name, around);
    return g_strconcat("it is ", told, NULL);
}

char *mistaken_for(const uint8_t *bytes, size_t len)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(marks); i++)
        if (has_mark(&marks[i], bytes, len))
            return tell(&marks[i]);
    return NULL;
}
