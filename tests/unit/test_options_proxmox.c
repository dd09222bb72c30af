// SPDX-License-Identifier: GPL-2.0-or-later
/* What qmrestore expects: names, keys and the configuration's lines. */
#include "options/proxmox.h"

#include <string.h>

static void assert_key(GHashTable *taken, const char *type, const char *id, const char *want)
{
    g_autofree char *claim = proxmox_claim(type, id),
                    *key = proxmox_key(taken, &(struct proxmox_wish){.type = type, .claim = claim});
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

static void assert_claim(const char *type, const char *id, const char *want)
{
    g_autofree char *claim = proxmox_claim(type, id);
    g_assert_cmpstr(claim, ==, want);
}

static void test_claims(void)
{
    assert_claim("scsi-hd", "scsi0", "scsi0");
    assert_claim("scsi-hd", "scsi01", NULL);
    assert_claim("scsi-hd", "scsi31", NULL);
    assert_claim("scsi-hd", "virtio0", NULL); /* only a name */
    assert_claim("scsi-hd", "drive-virtio0", "virtio0");
    assert_claim("ide-hd", "sata1", "sata1");
    assert_claim("cfi.pflash01", "pflash1", NULL);
    assert_claim("cfi.pflash01", "drive-efidisk0", "efidisk0");
    assert_claim("scsi-hd", "drive-tpmstate0-backup", "tpmstate0");
    assert_claim("virtio-blk-device", "tpmstate0", "tpmstate0");
    assert_claim("scsi-hd", "drive-tpmstate1", NULL);
    assert_claim(NULL, NULL, NULL);
    assert_claim("scsi-hd", "", NULL);
}

static void assert_placed(GHashTable *taken, const char *type, uint64_t size, const char *config, const char *want)
{
    g_autofree char *key = proxmox_key(taken, &(struct proxmox_wish){.type = type, .size = size, .config = config});
    g_assert_cmpstr(key, ==, want);
}

/* Two drives, one line: which of them it is of, nobody says; as without it then. */
static void test_half_a_configuration(void)
{
    static const char config[] = "virtio1: local:mine,size=16M\n";
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct proxmox_wish wish = {.type = "virtio-blk-device", .size = 16 << 20, .config = config, .n_more = 1};
    g_autofree char *first = proxmox_key(taken, &wish);
    wish.n_more = 0;
    g_autofree char *second = proxmox_key(taken, &wish);

    g_assert_cmpstr(first, ==, "virtio0");
    g_assert_cmpstr(second, ==, "virtio1");
}

/* Where the operator's configuration says it: by the size, else in its order; never in a CD's place. */
static void test_places_of_a_configuration(void)
{
    static const char config[] =
        "boot: order=scsi3\nscsi1: a:x,size=8G\nscsi3: a:y,size=528K\nscsi0: none,media=cdrom\n"
        "efidisk0: a:z,efitype=4m,size=528K\nide2: none,media=cdrom\n[snap]\nscsi5: a:x,size=8G\n";
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    assert_placed(taken, "cfi.pflash01", 540672, config, "efidisk0");
    assert_placed(taken, "cfi.pflash01", 540672, config, NULL);
    assert_placed(taken, "scsi-hd", 540672, config, "scsi3");
    assert_placed(taken, "scsi-hd", UINT64_C(8) << 30, config, "scsi1");
    assert_placed(taken, "scsi-hd", UINT64_C(8) << 30, config, "scsi2");
    assert_placed(taken, "ide-hd", 512, config, "ide0");
    assert_placed(taken, "virtio-blk-device", 512, "virtio2: a:x\nvirtio7: a:y,size=1T\n", "virtio2");
    assert_placed(taken, "virtio-blk-device", UINT64_C(1) << 40, "virtio7: a:y,size=1T", "virtio7");
}

static void test_efi_and_tpm(void)
{
    const struct proxmox_drive drives[] = {{"efidisk0", 540672}, {"tpmstate0", 4 << 20}};
    const struct proxmox_guest guest = {.drives = drives, .n_drives = 2};
    g_autofree char *text = proxmox_config(&guest);

    g_assert_cmpstr(text, ==,
                    "efidisk0: local:restored,efitype=4m,size=528K\ntpmstate0: local:restored,version=v2.0,size=4096K\n"
                    "bios: ovmf\n"
                    "#qmdump#map:efidisk0:drive-efidisk0::raw:\n#qmdump#map:tpmstate0:drive-tpmstate0::raw:\n");
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
    g_test_add_func("/proxmox/claims", test_claims);
    g_test_add_func("/proxmox/half", test_half_a_configuration);
    g_test_add_func("/proxmox/places", test_places_of_a_configuration);
    g_test_add_func("/proxmox/efi-and-tpm", test_efi_and_tpm);
    g_test_add_func("/proxmox/full", test_bus_is_full);
    g_test_add_func("/proxmox/file_name", test_file_name);
    g_test_add_func("/proxmox/config", test_config);
    g_test_add_func("/proxmox/complete", test_lines_are_added_once);
    return g_test_run();
}
