// SPDX-License-Identifier: GPL-2.0-or-later
/* What is kept of a command line: {as it was, as it is kept}. */
#include "guest/line.h"

#include <string.h>

#include "guest/keyvals.h"
#include "guest/mask.h"

/* Words are split at blanks; "~" is a blank in one. */
static char **words(const char *text)
{
    char **argv = g_strsplit(text, " ", -1);
    for (char **word = argv; *word; word++)
        g_strdelimit(*word, "~", ' ');
    if (*argv && !**argv)
        g_clear_pointer(argv, g_free);
    return argv;
}

static char *reduce(char *const *argv, const char *machine)
{
    g_autoptr(guest_line_t) line = guest_line_new(argv, machine, false);
    g_auto(GStrv) kept = guest_line_format(line);
    return g_strjoinv(" ", kept);
}

static const struct {
    const char *from, *to;
} cases[] = {
    {"-m 1G -smp 2,cores=2 -cpu host,+x2apic",
     "-m 1G -smp 2,cores=2 -cpu host,+x2apic -net nic -net restrict=on,type=user"},
    {"--nodefaults --m 64", "-nodefaults -m 64"},
    {"-nodefaults -enable-kvm -S -daemonize -no-user-config", "-nodefaults -enable-kvm -no-user-config"},
    {"-machine pc,accel=kvm:tcg,dumpdtb=x -nodefaults", "-machine pc,accel=kvm:tcg -nodefaults"},
    {"-machine accel=qtest -nodefaults", "-nodefaults"},
    /* networks */
    {"-nic none", "-nic none"},
    {"-nic tap,id=n,ifname=t0,model=e1000,mac=52:54:00:00:00:01",
     "-nic hubport,hubid=1,id=n,model=e1000,mac=52:54:00:00:00:01"},
    {"-netdev user,id=a -netdev {\"type\":\"tap\",\"id\":\"b\",\"fd\":\"7\"}",
     "-netdev user,restrict=on,id=a -netdev hubport,hubid=2,id=b"},
    {"-net nic,model=rtl8139 -net user,smb=/x,restrict=off", "-net nic,model=rtl8139 -net restrict=on,type=user"},
    {"-net nic -net tap,ifname=x -net socket,fd=3", "-net nic"},
    {"-nic user,hostfwd=tcp::1-:2,restrict=off", "-nic user,restrict=on"},
    /* drives */
    {"-nodefaults -hda a.img -hdb b.img", "-nodefaults -drive index=0,media=disk,id=ide0-hd0 -drive "
                                          "index=1,media=disk,id=ide0-hd1"},
    {"-nodefaults x.img", "-nodefaults -drive index=0,media=disk,id=ide0-hd0"},
    {"-nodefaults -drive file=a -drive file=b,media=cdrom -drive file=c", /* each takes the first free place
                                                                           */
     "-nodefaults -drive id=ide0-hd0 -drive media=cdrom,id=ide0-cd1 -drive id=ide1-hd0"},
    {"-nodefaults -drive file=a,,b,if=virtio,cache=none -drive if=none,file=c",
     "-nodefaults -drive if=virtio,id=virtio0 "
     "-drive if=none,id=none0"},
    {"-nodefaults -drive if=scsi -drive if=scsi,index=8", "-nodefaults -drive if=scsi,id=scsi0-hd0 -drive "
                                                          "if=scsi,index=8,id=scsi1-hd1"},
    {"-nodefaults -pflash /usr/share/OVMF/OVMF_CODE.fd -pflash /tmp/vars",
     "-nodefaults -drive file=/usr/share/OVMF/OVMF_CODE.fd,format=raw,if=pflash,readonly=on,id=pflash0 "
     "-drive "
     "if=pflash,id=pflash1"},
    {"-nodefaults -drive if=pflash,file=/usr/share/OVMF/../../x", "-nodefaults -drive if=pflash,id=pflash0"},
    {"-nodefaults -blockdev file,node-name=f,filename=/x -blockdev qcow2,node-name=q,file=f -device "
     "scsi-hd,drive=q",
     "-nodefaults -blockdev null-co,node-name=q,read-zeroes=on -device scsi-hd,drive=q"},
    {"-nodefaults -blockdev file,node-name=s,filename=/usr/share/OVMF/C.fd -blockdev raw,node-name=p,file=s "
     "-machine "
     "q35,pflash0=p",
     "-nodefaults -blockdev raw,node-name=p,read-only=on,file.driver=file,file.filename=/usr/share/OVMF/C.fd "
     "-machine "
     "q35,pflash0=p"},
    {"-nodefaults -blockdev raw,node-name=n,file.driver=file,file.filename=/usr/share/OVMF/C.fd -device "
     "virtio-blk,drive=n", /* only flash is firmware */
     "-nodefaults -blockdev null-co,node-name=n,read-zeroes=on -device virtio-blk,drive=n"},
    /* devices */
    {"-nodefaults -device {\"driver\":\"e1000\",\"romfile\":\"\",\"addr\":\"0x3\",\"multifunction\":true}",
     "-nodefaults -device e1000,romfile=,addr=0x3,multifunction=on"},
    {"-nodefaults -device vfio-pci,host=1 -device virtio-gpu-gl-pci -device virtio-9p-pci,fsdev=x", "-nodefaults"},
    {"-nodefaults -device virtio-blk-pci-non-transitional,drive=d,serial=a/b,x-y=3,z=word",
     "-nodefaults -device virtio-blk-pci-non-transitional,drive=d,x-y=3"},
    {"-nodefaults -device host-x86_64-cpu,socket-id=1", "-nodefaults -device host-x86_64-cpu,socket-id=1"},
    {"-nodefaults -device hda-duplex -device AC97,audiodev=a -audiodev pa,id=a",
     "-nodefaults -device hda-duplex,audiodev=vmb-silent -device AC97,audiodev=a -audiodev none,id=a "
     "-audiodev "
     "none,id=vmb-silent"},
    {"-nodefaults -global e1000.mq=on -global driver=x,property=romfile,value=y -global a.b=/c",
     "-nodefaults -global driver=e1000,property=mq,value=on"},
    {"-nodefaults -object memory-backend-file,id=m,size=1G,mem-path=/dev/shm/x,share=on,prealloc=on",
     "-nodefaults -object memory-backend-ram,id=m,size=1G"},
    {"-nodefaults -object secret,id=s,data=x -object rng-random,filename=/dev/x,id=r",
     "-nodefaults -object rng-builtin,id=r"},
    {"-nodefaults -serial pty -serial none -serial chardev:c -chardev socket,path=/x,id=c",
     "-nodefaults -serial null -serial none -serial chardev:c -chardev null,id=c"},
    {"-nodefaults -smbios type=11,value=x -smbios type=1,serial=y -uuid no", "-nodefaults"},
    {"-nodefaults -usbdevice tablet -usbdevice braille -vga std", "-nodefaults -usbdevice tablet -vga std"},
    /* words that are no options, options that are none, and the last one without its argument */
    {"-nodefaults -nonesuch value -other -device", "-nodefaults"},
    {"-nodefaults -name a~b,process=x -name c/d", "-nodefaults -name a b"},
};

static void test_lines(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) argv = words(cases[i].from);
        g_autofree char *once = reduce(argv, NULL);
        g_assert_cmpstr(once, ==, cases[i].to);
    }
}

static void test_again(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) argv = words(cases[i].from);
        g_autoptr(guest_line_t) line = guest_line_new(argv, NULL, false);
        g_auto(GStrv) kept = guest_line_format(line);
        g_autofree char *once = g_strjoinv(" ", kept), *twice = reduce(kept, NULL);
        g_assert_cmpstr(twice, ==, once);
    }
}

static void assert_id(const char *machine, const char *line, const char *id)
{
    g_auto(GStrv) argv = words(line);
    g_autofree char *kept = reduce(argv, machine);
    g_assert_nonnull(strstr(kept, id));
}

/* After QEMU's own names, seen in query-block. */
static void test_places(void)
{
    assert_id("pc-q35-7.2-machine", "-hdb x", "id=ide1-hd0");
    assert_id("pc-i440fx-7.2", "-hdc x", "id=ide1-hd0");
    assert_id("pc", "-cdrom x", "id=ide1-cd0");
    assert_id("microvm", "-drive file=x", "id=virtio0");
    assert_id("virt-7.2", "-drive file=x", "id=virtio0");
    assert_id("pc", "-drive if=ide,bus=1,unit=1", "id=ide1-hd1");
    assert_id("pc", "-drive if=ide,index=-7,bus=99999999999999", "id=ide0-hd0");
    assert_id("pc", "-fda x", "id=floppy0");
}

static void test_left(void)
{
    g_auto(GStrv) argv =
        words("-virtfs x -object secret,id=SECRET,data=SECRET -device vfio-pci,host=SECRET -SECRET "
              "-device a/SECRET -qmp SECRET -qmp SECRET -device e1000,mac=SECRET -name x,SECRET -m SECRET");
    g_autoptr(guest_line_t) line = guest_line_new(argv, NULL, false);
    g_ptr_array_add(line->left, NULL);
    g_autofree char *text = g_strjoinv(", ", (char **)line->left->pdata);
    g_assert_cmpstr(text, ==,
                    "-virtfs, -object secret, -device vfio-pci, an unknown option, -device, -qmp, "
                    "-device e1000 (partly), -name (partly), -m");
}

static void test_trusted(void)
{
    g_auto(GStrv) argv =
        words("-virtfs x -qmp y -drive file=z,if=none,id=d -device vfio-pci,host=1 -mem-path m -unknown -u v");
    g_autoptr(guest_line_t) line = guest_line_new(argv, NULL, true);
    g_auto(GStrv) kept = guest_line_format(line);
    g_autofree char *text = g_strjoinv(" ", kept);
    g_assert_cmpstr(text, ==, "-virtfs x -drive if=none,id=d -device vfio-pci,host=1 -unknown -u v");
}

static void test_keyvals(void)
{
    g_autoptr(GPtrArray) kv = keyvals_parse("e1000,id=a,,b,flag,x=1,x=2,c==", "driver");
    g_autofree char *text = keyvals_format(kv, "driver");
    g_assert_cmpstr(text, ==, "e1000,id=a,,b,flag=on,x=1,x=2,c==");
    g_assert_cmpstr(keyvals_get(kv, "x"), ==, "2");
    keyvals_set(kv, "x", "3,4");
    keyvals_drop(kv, "flag");
    g_autofree char *changed = keyvals_format(kv, "driver");
    g_assert_cmpstr(changed, ==, "e1000,id=a,,b,x=3,,4,c==");
    g_autoptr(GPtrArray) json = keyvals_parse("{\"a\":{\"b\":[1,true,null]},\"c\":\"x,y\"}", NULL);
    g_autofree char *flat = keyvals_format(json, NULL);
    g_assert_cmpstr(flat, ==, "a.b.0=1,a.b.1=on,c=x,,y");
    g_assert_null(keyvals_parse("{\"a\":", NULL));
}

static void test_mask(void)
{
    static const struct {
        const char *from, *to;
    } lines[] = {
        {"-object secret,id=s,data=x -m 1G", "-object secret,id=s,data=*** -m 1G"},
        {"-drive file=rbd:p/i:key=x,id=d", "-drive file=***,id=d"},
        {"-drive file=ssh://u@h/x -hda /a/b.img", "-drive file=*** -hda /a/b.img"},
        {"-fw_cfg name=a,string=b -vnc :1,password=x", "-fw_cfg *** -vnc :1,password=***"},
        {"-netdev {\"type\":\"user\",\"token\":\"x\"}", "-netdev user,token=***"},
        {"-object {broken", "-object ***"},
        {"-x=secret stray", "*** stray"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(GStrv) argv = words(lines[i].from), masked = mask_arguments(argv);
        g_autofree char *text = g_strjoinv(" ", masked);
        g_assert_cmpstr(text, ==, lines[i].to);
    }
    g_autofree char *text = mask_text("cannot open nbd://u:pw@h/x: password=abc refused, 3 of 4 at 10%");
    g_assert_cmpstr(text, ==, "cannot open *** *** refused, 3 of 4 at 10%");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest/line", test_lines);
    g_test_add_func("/guest/line-again", test_again);
    g_test_add_func("/guest/places", test_places);
    g_test_add_func("/guest/left", test_left);
    g_test_add_func("/guest/trusted", test_trusted);
    g_test_add_func("/guest/keyvals", test_keyvals);
    g_test_add_func("/guest/mask", test_mask);
    return g_test_run();
}
