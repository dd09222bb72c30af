// SPDX-License-Identifier: GPL-2.0-or-later
/* What qmrestore expects: names, keys and the configuration's lines. */
#include "backup/proxmox.h"

#include <string.h>

static void assert_key(GHashTable *taken, const char *type, const char *id, const char *want)
{
    g_autofree char *key = proxmox_key(taken, type, id);
    g_assert_cmpstr(key, ==, want);
}

static void test_keys(void)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    assert_key(taken, "scsi-hd", "scsi1", "scsi1");
    assert_key(taken, "scsi-hd", "root", "scsi0");
    assert_key(taken, "scsi-hd", "scsi1", "scsi2"); /* taken by another */
    assert_key(taken, "virtio-blk-device", "scsi3", "virtio0");
    assert_key(taken, "virtio-blk-pci", "virtio99", "virtio1");
    assert_key(taken, "ide-hd", NULL, "ide0");
    assert_key(taken, "nvme", "n", "scsi3");
    assert_key(taken, NULL, NULL, "scsi4");
    assert_key(taken, "scsi-hd", "drive-scsi9", "scsi9"); /* as Proxmox itself calls it */
    assert_key(taken, "sata", "disk", "sata0");
}

static void test_bus_is_full(void)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *want = g_strdup_printf("ide%u", i);
        assert_key(taken, "ide-hd", "x", want);
    }
    assert_key(taken, "ide-hd", "x", NULL);
}

static void test_file_name(void)
{
    g_autoptr(GDateTime) when = g_date_time_new_utc(2026, 1, 2, 3, 4, 5);
    g_autofree char *name = proxmox_file_name(100, when, ".vma.zst");

    g_assert_cmpstr(name, ==, "vzdump-qemu-100-2026_01_02-03_04_05.vma.zst");
}

static void test_config(void)
{
    const struct proxmox_drive drives[] = {{"scsi0", 1 << 20}, {"virtio1", 512 << 10}};
    const struct proxmox_guest guest = {"web 01", UINT64_C(2) << 30, drives, 2};
    g_autofree char *text = proxmox_config(&guest);

    g_assert_cmpstr(text, ==,
                    "scsi0: local:restored,size=1024K\nvirtio1: local:restored,size=512K\n"
                    "name: web-01\nmemory: 2048\n"
                    "#qmdump#map:scsi0:drive-scsi0::raw:\n#qmdump#map:virtio1:drive-virtio1::raw:\n");
}

static void test_lines_are_added_once(void)
{
    const struct proxmox_drive drives[] = {{"scsi0", 1 << 20}, {"scsi1", 1 << 20}};
    g_autofree char *once =
        proxmox_complete("cores: 1\nscsi1: fast:x,size=1M\n#qmdump#map:scsi1:drive-scsi1:fast:qcow2:", drives, 2);
    g_autofree char *twice = proxmox_complete(once, drives, 2);

    g_assert_cmpstr(once, ==,
                    "scsi0: local:restored,size=1024K\ncores: 1\nscsi1: fast:x,size=1M\n"
                    "#qmdump#map:scsi1:drive-scsi1:fast:qcow2:\n#qmdump#map:scsi0:drive-scsi0::raw:\n");
    g_assert_cmpstr(twice, ==, once);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/proxmox/keys", test_keys);
    g_test_add_func("/proxmox/full", test_bus_is_full);
    g_test_add_func("/proxmox/file_name", test_file_name);
    g_test_add_func("/proxmox/config", test_config);
    g_test_add_func("/proxmox/complete", test_lines_are_added_once);
    return g_test_run();
}
