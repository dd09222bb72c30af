// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/device.h"

#include <glib.h>
#include <string.h>

#include "guest/value.h"

/* Without "-pci", "-device" and the like behind it. */
static const char *const known[] = {
    /* virtio, without those that open something: input-host, gpu-gl, 9p, vhost-… */
    "virtio-blk",
    "virtio-scsi",
    "virtio-net",
    "virtio-rng",
    "virtio-balloon",
    "virtio-serial",
    "virtio-keyboard",
    "virtio-mouse",
    "virtio-tablet",
    "virtio-multitouch",
    "virtio-gpu",
    "virtio-vga",
    "virtio-crypto",
    "virtio-mem",
    "virtio-pmem",
    "virtio-iommu",
    "virtio-sound",
    "virtserialport",
    "virtconsole",
    /* drives and what they hang on */
    "scsi-hd",
    "scsi-cd",
    "scsi-disk",
    "ide-hd",
    "ide-cd",
    "ide-drive",
    "nvme",
    "nvme-ns",
    "nvme-subsys",
    "usb-storage",
    "usb-bot",
    "usb-uas",
    "floppy",
    "sd-card",
    "isa-fdc",
    "sdhci",
    "lsi",
    "lsi53c895a",
    "lsi53c810",
    "megasas",
    "megasas-gen2",
    "mptsas1068",
    "pvscsi",
    "am53c974",
    "dc390",
    "ahci",
    "ich9-ahci",
    "piix3-ide",
    "piix4-ide",
    /* networks */
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "igb",
    "rtl8139",
    "ne2k_pci",
    "ne2k_isa",
    "pcnet",
    "i82550",
    "i82551",
    "i82557a",
    "i82557b",
    "i82557c",
    "i82558a",
    "i82558b",
    "i82559a",
    "i82559b",
    "i82559c",
    "i82559er",
    "i82562",
    "i82801",
    "vmxnet3",
    "tulip",
    "usb-net",
    /* USB */
    "qemu-xhci",
    "nec-usb-xhci",
    "usb-ehci",
    "ich9-usb-ehci1",
    "ich9-usb-ehci2",
    "ich9-usb-uhci1",
    "ich9-usb-uhci2",
    "ich9-usb-uhci3",
    "ich9-usb-uhci4",
    "ich9-usb-uhci5",
    "ich9-usb-uhci6",
    "piix3-usb-uhci",
    "piix4-usb-uhci",
    "pci-ohci",
    "usb-tablet",
    "usb-mouse",
    "usb-kbd",
    "usb-hub",
    "usb-wacom-tablet",
    "usb-serial",
    "usb-redir",
    "usb-ccid",
    /* screens and sound */
    "VGA",
    "cirrus-vga",
    "qxl",
    "qxl-vga",
    "bochs-display",
    "secondary-vga",
    "vmware-svga",
    "ramfb",
    "ati-vga",
    "isa-vga",
    "isa-cirrus-vga",
    "AC97",
    "ES1370",
    "intel-hda",
    "ich9-intel-hda",
    "hda-duplex",
    "hda-micro",
    "hda-output",
    "usb-audio",
    "sb16",
    "adlib",
    "cs4231a",
    "gus",
    /* buses */
    "pcie-root-port",
    "ioh3420",
    "pci-bridge",
    "pcie-pci-bridge",
    "i82801b11-bridge",
    "x3130-upstream",
    "xio3130-downstream",
    "pxb",
    "pxb-pcie",
    "vmbus-bridge",
    /* the rest */
    "pvpanic",
    "vmcoreinfo",
    "vmgenid",
    "i6300esb",
    "ib700",
    "isa-serial",
    "pci-serial",
    "pci-serial-2x",
    "pci-serial-4x",
    "isa-parallel",
    "isa-debugcon",
    "isa-debug-exit",
    "intel-iommu",
    "amd-iommu",
    "smbus-eeprom",
    "pc-dimm",
    "nvdimm",
    "ipmi-bmc-sim",
    "isa-ipmi-kcs",
    "isa-ipmi-bt",
    "hv-balloon",
    "sclpconsole",
    NULL,
};

static const char *const suffixes[] = {"-pci-non-transitional", "-pci-transitional", "-pci", "-device", "-ccw"};

/* Text that they may have. Of the rest only numbers and switches are taken. */
static const struct key_rule texts[] = {
    {"id", VALUE_ID},
    {"bus", VALUE_ID},
    {"drive", VALUE_ID},
    {"netdev", VALUE_ID},
    {"chardev", VALUE_ID},
    {"iothread", VALUE_ID},
    {"rng", VALUE_ID},
    {"audiodev", VALUE_ID},
    {"memdev", VALUE_ID},
    {"cryptodev", VALUE_ID},
    {"hostmem", VALUE_ID},
    {"subsys", VALUE_ID},
    {"failover_pair_id", VALUE_ID},
    {"primary-bus", VALUE_ID},
    {"bmc", VALUE_ID},
    {"prealloc", VALUE_NONE},
    {"addr", VALUE_ADDRESS},
    {"mac", VALUE_ADDRESS},
    {"wwn", VALUE_ADDRESS},
    {"port_wwn", VALUE_ADDRESS},
    {"sas_address", VALUE_ADDRESS},
    {"port", VALUE_ADDRESS},
    {"uuid", VALUE_UUID},
    {"guid", VALUE_UUID},
    {"serial", VALUE_TEXT},
    {"model", VALUE_TEXT},
    {"vendor", VALUE_TEXT},
    {"product", VALUE_TEXT},
    {"ver", VALUE_TEXT},
    {"device_id", VALUE_TEXT},
    {"label", VALUE_TEXT},
    {"name", VALUE_TEXT},
    {"nqn", VALUE_TEXT},
    {"eui64", VALUE_TEXT},
    {"werror", VALUE_WORD},
    {"rerror", VALUE_WORD},
    {"tx", VALUE_WORD},
    {"speed", VALUE_WORD},
    {"width", VALUE_WORD},
    {"lost_tick_policy", VALUE_WORD},
    {"bios-chs-trans", VALUE_WORD},
    {"fdtype", VALUE_WORD},
    {"fallback", VALUE_WORD},
    {"driveA", VALUE_NONE},
    {"driveB", VALUE_NONE},
    {"aw-bits", VALUE_NUMBER},
    {"romfile", VALUE_FIRMWARE},
    {"file", VALUE_NONE},
    {"filename", VALUE_NONE},
    {"path", VALUE_NONE},
    {"fd", VALUE_NONE},
    {"vhostfd", VALUE_NONE},
    {NULL, VALUE_NONE},
};

static bool is_among(const char *const *list, const char *driver)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        size_t len = strlen(driver), tail = strlen(suffixes[i]);
        if (len <= tail || strcmp(driver + len - tail, suffixes[i]))
            continue;
        g_autofree char *base = g_strndup(driver, len - tail);
        return g_strv_contains(list, base) || g_strv_contains(list, driver);
    }
    return g_strv_contains(list, driver);
}

bool device_is_known(const char *driver)
{
    bool is_processor = value_is(VALUE_WORD, driver) && g_str_has_suffix(driver, "-cpu");
    return is_processor || is_among(known, driver);
}

bool device_is_audible(const char *driver)
{
    static const char *const list[] = {"AC97", "ES1370", "hda-duplex", "hda-micro", "hda-output",   "usb-audio",
                                       "sb16", "adlib",  "cs4231a",    "gus",       "virtio-sound", NULL};
    return is_among(list, driver);
}

bool device_is_removable(const char *driver)
{
    static const char *const list[] = {"ide-cd", "scsi-cd", "floppy", NULL};
    return is_among(list, driver);
}

static bool is_listed(const char *key)
{
    for (const struct key_rule *r = texts; r->key; r++)
        if (!strcmp(r->key, key))
            return true;
    return false;
}

bool device_property_is_good(const char *key, const char *value)
{
    if (!value_is_key(key))
        return false;
    if (!strcmp(key, "romfile") && !*value) /* no ROM */
        return true;
    return is_listed(key) ? value_is(value_kind_of(texts, key), value) : value_is(VALUE_PLAIN, value);
}
