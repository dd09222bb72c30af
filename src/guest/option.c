// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/option.h"

#include <glib.h>
#include <string.h>

#define END                                                                                                            \
    {                                                                                                                  \
        NULL, VALUE_NONE                                                                                               \
    }

static const struct key_rule machine[] = {
    {"type", VALUE_ID},
    {"accel", VALUE_ACCEL},
    {"usb", VALUE_PLAIN},
    {"vmport", VALUE_PLAIN},
    {"kernel_irqchip", VALUE_WORD},
    {"kernel-irqchip", VALUE_WORD},
    {"dump-guest-core", VALUE_PLAIN},
    {"mem-merge", VALUE_PLAIN},
    {"smm", VALUE_PLAIN},
    {"pflash0", VALUE_ID},
    {"pflash1", VALUE_ID},
    {"memory-backend", VALUE_ID},
    {"hpet", VALUE_PLAIN},
    {"i8042", VALUE_PLAIN},
    {"acpi", VALUE_PLAIN},
    {"graphics", VALUE_PLAIN},
    {"nvdimm", VALUE_PLAIN},
    {"nvdimm-persistence", VALUE_WORD},
    {"sata", VALUE_PLAIN},
    {"pit", VALUE_PLAIN},
    {"smbus", VALUE_PLAIN},
    {"pcspk-audiodev", VALUE_ID},
    {"suppress-vmdesc", VALUE_PLAIN},
    {"default-bus-bypass-iommu", VALUE_PLAIN},
    {"default_bus_bypass_iommu", VALUE_PLAIN},
    {"gic-version", VALUE_WORD},
    {"virtualization", VALUE_PLAIN},
    {"secure", VALUE_PLAIN},
    {"highmem", VALUE_PLAIN},
    {"its", VALUE_PLAIN},
    {"iommu", VALUE_WORD},
    {"ras", VALUE_PLAIN},
    {"mte", VALUE_PLAIN},
    {"hmat", VALUE_PLAIN},
    {"max-ram-below-4g", VALUE_NUMBER},
    {"max-fw-size", VALUE_NUMBER},
    {"fd-bootchk", VALUE_PLAIN},
    END,
};
static const struct key_rule accel[] = {
    {"accel", VALUE_ACCEL},
    {"thread", VALUE_WORD},
    {"kernel-irqchip", VALUE_WORD},
    {"split-wx", VALUE_PLAIN},
    {"one-insn-per-tb", VALUE_PLAIN},
    {"tb-size", VALUE_NUMBER},
    {"dirty-ring-size", VALUE_NUMBER},
    END,
};
static const struct key_rule memory[] = {
    {"size", VALUE_NUMBER},
    {"slots", VALUE_NUMBER},
    {"maxmem", VALUE_NUMBER},
    END,
};
static const struct key_rule smp[] = {
    {"cpus", VALUE_NUMBER},
    {"sockets", VALUE_NUMBER},
    {"dies", VALUE_NUMBER},
    {"clusters", VALUE_NUMBER},
    {"modules", VALUE_NUMBER},
    {"cores", VALUE_NUMBER},
    {"threads", VALUE_NUMBER},
    {"maxcpus", VALUE_NUMBER},
    {"books", VALUE_NUMBER},
    {"drawers", VALUE_NUMBER},
    END,
};
static const struct key_rule numa[] = {
    {"type", VALUE_WORD},
    {"nodeid", VALUE_NUMBER},
    {"cpus", VALUE_RANGE},
    {"mem", VALUE_NUMBER},
    {"memdev", VALUE_ID},
    {"initiator", VALUE_NUMBER},
    {"src", VALUE_NUMBER},
    {"dst", VALUE_NUMBER},
    {"val", VALUE_NUMBER},
    {"node-id", VALUE_NUMBER},
    {"socket-id", VALUE_NUMBER},
    {"die-id", VALUE_NUMBER},
    {"core-id", VALUE_NUMBER},
    {"thread-id", VALUE_NUMBER},
    {"target", VALUE_NUMBER},
    {"hierarchy", VALUE_WORD},
    {"data-type", VALUE_WORD},
    {"latency", VALUE_NUMBER},
    {"bandwidth", VALUE_NUMBER},
    {"size", VALUE_NUMBER},
    {"level", VALUE_NUMBER},
    {"associativity", VALUE_WORD},
    {"policy", VALUE_WORD},
    {"line", VALUE_NUMBER},
    END,
};
static const struct key_rule rtc[] = {{"base", VALUE_ID}, {"clock", VALUE_WORD}, {"driftfix", VALUE_WORD}, END};
static const struct key_rule boot[] = {
    {"order", VALUE_WORD},
    {"once", VALUE_WORD},
    {"menu", VALUE_PLAIN},
    {"strict", VALUE_PLAIN},
    {"reboot-timeout", VALUE_NUMBER},
    {"splash-time", VALUE_NUMBER},
    END,
};
static const struct key_rule icount[] = {{"shift", VALUE_PLAIN}, {"align", VALUE_PLAIN}, {"sleep", VALUE_PLAIN}, END};
static const struct key_rule action[] = {
    {"reboot", VALUE_WORD}, {"shutdown", VALUE_WORD}, {"panic", VALUE_WORD}, {"watchdog", VALUE_WORD}, END,
};
static const struct key_rule name[] = {{"guest", VALUE_TEXT}, {"debug-threads", VALUE_PLAIN}, END};
/* Other strings of SMBIOS carry passwords and addresses into guests. */
static const struct key_rule smbios[] = {{"type", VALUE_NUMBER}, {"uuid", VALUE_UUID}, END};

#define RULE(...)                                                                                                      \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define FLAG(n)        RULE(n, OPTION_FLAG, NULL, NULL, VALUE_NONE, NULL)
#define FLAG_OUT(n)    RULE(n, OPTION_FLAG_OUT, NULL, NULL, VALUE_NONE, NULL)
#define GONE(n)        RULE(n, OPTION_GONE, NULL, NULL, VALUE_NONE, NULL)
#define FLAG_GONE(n)   RULE(n, OPTION_FLAG_GONE, NULL, NULL, VALUE_NONE, NULL)
#define OUT(n)         RULE(n, OPTION_OUT, NULL, NULL, VALUE_NONE, NULL)
#define VALUE(n, v)    RULE(n, OPTION_VALUE, NULL, NULL, v, NULL)
#define KEYS(n, i, k)  RULE(n, OPTION_KEYS, i, k, VALUE_NONE, NULL)
#define KIND(n, k, i)  RULE(n, k, i, NULL, VALUE_NONE, NULL)
#define DISK(n, pairs) RULE(n, OPTION_DISK, NULL, NULL, VALUE_NONE, pairs)

static const struct option_rule rules[] = {
    KEYS("-machine", "type", machine),
    KEYS("-M", "type", machine),
    VALUE("-cpu", VALUE_TEXT),
    KEYS("-accel", "accel", accel),
    FLAG("-enable-kvm"),
    KEYS("-m", "size", memory),
    KEYS("-smp", "cpus", smp),
    KEYS("-numa", "type", numa),
    KEYS("-rtc", "base", rtc),
    KEYS("-boot", "order", boot),
    KEYS("-icount", "shift", icount),
    KEYS("-action", NULL, action),
    KEYS("-name", "guest", name),
    KEYS("-smbios", NULL, smbios),
    VALUE("-uuid", VALUE_UUID),
    VALUE("-bios", VALUE_FIRMWARE),
    VALUE("-vga", VALUE_WORD),
    VALUE("-watchdog", VALUE_WORD),
    VALUE("-watchdog-action", VALUE_WORD),
    FLAG("-usb"),
    VALUE("-usbdevice", VALUE_POINTER),
    FLAG("-nodefaults"),
    FLAG("-no-user-config"),
    FLAG("-no-acpi"),
    FLAG("-no-hpet"),
    FLAG("-no-reboot"),
    FLAG("-no-shutdown"),
    FLAG("-no-fd-bootchk"),
    FLAG("-win2k-hack"),

    DISK("-hda", "index=0,media=disk"),
    DISK("-hdb", "index=1,media=disk"),
    DISK("-hdc", "index=2,media=disk"),
    DISK("-hdd", "index=3,media=disk"),
    DISK("-cdrom", "index=2,media=cdrom"),
    DISK("-fda", "if=floppy,index=0"),
    DISK("-fdb", "if=floppy,index=1"),
    DISK("-pflash", "if=pflash"),
    DISK("-sd", "if=sd"),
    KIND("-drive", OPTION_DRIVE, NULL),
    KIND("-blockdev", OPTION_BLOCKDEV, "driver"),
    KIND("-device", OPTION_DEVICE, "driver"),
    KIND("-global", OPTION_GLOBAL, NULL),
    KIND("-object", OPTION_OBJECT, "qom-type"),
    KIND("-netdev", OPTION_NETDEV, "type"),
    KIND("-nic", OPTION_NIC, "type"),
    KIND("-net", OPTION_NET, "type"),
    KIND("-chardev", OPTION_CHARDEV, "backend"),
    KIND("-serial", OPTION_CONSOLE, NULL),
    KIND("-parallel", OPTION_CONSOLE, NULL),
    KIND("-debugcon", OPTION_CONSOLE, NULL),
    KIND("-audiodev", OPTION_AUDIO, "driver"),
    KIND("-audio", OPTION_AUDIO, "driver"),

    /* of the guest that was saved: it may still run, and a copy would take its monitors and its memory */
    GONE("-qmp"),
    GONE("-qmp-pretty"),
    GONE("-mon"),
    GONE("-monitor"),
    GONE("-pidfile"),
    GONE("-incoming"),
    GONE("-loadvm"),
    GONE("-gdb"),
    GONE("-mem-path"),
    FLAG_GONE("-mem-prealloc"),
    FLAG_GONE("-daemonize"),
    FLAG_GONE("-S"),
    FLAG_GONE("-s"),
    FLAG_GONE("-snapshot"),
    FLAG_GONE("-preconfig"),
    FLAG_GONE("-only-migratable"),
    FLAG_GONE("-help"),
    FLAG_GONE("-h"),
    FLAG_GONE("-version"),
    FLAG_GONE("-audio-help"),
    /* screens */
    OUT("-display"),
    OUT("-vnc"),
    OUT("-spice"),
    OUT("-k"),
    OUT("-rotate"),
    OUT("-echr"),
    FLAG_OUT("-nographic"),
    FLAG_OUT("-full-screen"),
    FLAG_OUT("-sdl"),
    FLAG_OUT("-curses"),
    FLAG_OUT("-portrait"),
    FLAG_OUT("-alt-grab"),
    FLAG_OUT("-ctrl-grab"),
    FLAG_OUT("-no-quit"),
    FLAG_OUT("-no-frame"),
    /* files, folders, devices, memory and rights of the host */
    OUT("-kernel"),
    OUT("-initrd"),
    OUT("-append"),
    OUT("-dtb"),
    OUT("-shim"),
    OUT("-fsdev"),
    OUT("-virtfs"),
    FLAG_OUT("-virtfs_synth"),
    OUT("-mtdblock"),
    OUT("-iscsi"),
    OUT("-add-fd"),
    OUT("-set"),
    OUT("-acpitable"),
    OUT("-fw_cfg"),
    OUT("-tpmdev"),
    OUT("-option-rom"),
    OUT("-readconfig"),
    OUT("-writeconfig"),
    OUT("-plugin"),
    OUT("-trace"),
    OUT("-D"),
    OUT("-d"),
    OUT("-dfilter"),
    OUT("-L"),
    OUT("-runas"),
    OUT("-run-with"),
    OUT("-chroot"),
    OUT("-sandbox"),
    OUT("-overcommit"),
    OUT("-msg"),
    OUT("-dump-vmstate"),
    OUT("-compat"),
    OUT("-seed"),
    OUT("-prom-env"),
    OUT("-semihosting-config"),
    OUT("-tb-size"),
    OUT("-bt"),
    OUT("-soundhw"),
    OUT("-balloon"),
    OUT("-clock"),
    OUT("-xen-domid"),
    FLAG_OUT("-xen-attach"),
    FLAG_OUT("-xen-domid-restrict"),
    FLAG_OUT("-semihosting"),
    FLAG_OUT("-old-param"),
    FLAG_OUT("-singlestep"),
    FLAG_OUT("-enable-sync-profile"),
    FLAG_OUT("-async-teardown"),
    FLAG_OUT("-perfmap"),
    FLAG_OUT("-jitdump"),
    FLAG_OUT("-nodefconfig"),
    FLAG_OUT("-no-kvm"),
    FLAG_OUT("-no-kvm-irqchip"),
    OUT("-qtest"),
    OUT("-qtest-log"),
};

const struct option_rule *option_find(const char *argument)
{
    static const struct option_rule unknown = KIND("an unknown option", OPTION_UNKNOWN, NULL);
    const char *wanted = argument[0] == '-' && argument[1] == '-' ? argument + 1 : argument;
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++)
        if (!strcmp(rules[i].name, wanted))
            return &rules[i];
    return &unknown;
}

bool option_has_argument(const struct option_rule *rule)
{
    return rule->kind != OPTION_FLAG && rule->kind != OPTION_FLAG_OUT && rule->kind != OPTION_FLAG_GONE;
}
