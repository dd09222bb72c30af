// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/guest_command.h"

#include <json-c/json.h>
#include <string.h>

#include "base/text.h"
#include "cli/description.h"
#include "cli/guest_drive.h"
#include "cli/guest_program.h"
#include "guest/keyvals.h"
#include "guest/line.h"

struct guest_command {
    struct json_object *description;
    char **original;         /* as the archive has it, the program first; NULL: it has none */
    struct guest_line *line; /* likewise */
    char *machine, *program;
    bool is_trusted;
    GPtrArray *drives; /* struct guest_drive */
    GPtrArray *empty;  /* char *: drives of the line that are not in the archive */
    char *incoming;
    GPtrArray *added; /* options and values */
};

/* ---- what the archive says ---- */

/* "pc-i440fx-7.2-machine", as QEMU's object model has it, is "pc-i440fx-7.2" to -machine. An alias such as
 * "pc" would be another machine in another QEMU, so this one replaces it. */
static char *find_machine(struct json_object *description)
{
    const char *text = description ? description_text(description, "machine") : NULL;
    if (!text || !value_is(VALUE_ID, text))
        return NULL;
    return g_strndup(text, strlen(text) - (g_str_has_suffix(text, "-machine") ? strlen("-machine") : 0));
}

/* By its name alone: where it lies is our business. */
static char *find_program(char *const *original)
{
    g_autofree char *name = original ? g_path_get_basename(*original) : NULL;
    bool is_good = name && g_str_has_prefix(name, "qemu-system-") && value_is(VALUE_WORD, name);
    return is_good ? g_steal_pointer(&name) : g_strdup("qemu-system-x86_64");
}

struct guest_command *guest_command_new(const struct vma_header *header, bool is_trusted)
{
    struct guest_command *c = g_new0(struct guest_command, 1);
    c->drives = g_ptr_array_new_with_free_func(guest_drive_free);
    c->empty = g_ptr_array_new_with_free_func(g_free);
    c->added = g_ptr_array_new_with_free_func(g_free);
    c->is_trusted = is_trusted;
    c->description = description_of(header);
    c->machine = find_machine(c->description);
    c->original = description_texts(c->description, "command_line");
    if (c->original && !*c->original)
        g_clear_pointer(&c->original, g_strfreev);
    c->program = find_program(c->original);
    if (c->original)
        c->line = guest_line_new(c->original + 1, c->machine, is_trusted);
    return c;
}

void guest_command_free(struct guest_command *c)
{
    g_ptr_array_unref(c->drives);
    g_ptr_array_unref(c->empty);
    g_ptr_array_unref(c->added);
    g_clear_pointer(&c->line, guest_line_free);
    g_strfreev(c->original);
    json_object_put(c->description);
    g_free(c->machine);
    g_free(c->program);
    g_free(c->incoming);
    g_free(c);
}

const char *guest_command_program(const struct guest_command *c)
{
    return c->program;
}

const char *guest_command_version(const struct guest_command *c)
{
    const char *text = c->description ? description_text(c->description, "qemu") : NULL;
    return text && value_is(VALUE_WORD, text) ? text : NULL;
}

/* "pc-q35-10.0" -> "q35" */
void guest_command_fit(struct guest_command *c, unsigned version)
{
    static const struct {
        const char *prefix, *alias;
    } kinds[] = {{"pc-i440fx-", "pc"}, {"pc-q35-", "q35"}, {"virt-", "virt"}, {"pseries-", "pseries"}};
    for (unsigned i = 0; c->machine && i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(c->machine, kinds[i].prefix) &&
            guest_program_number(c->machine + strlen(kinds[i].prefix)) > version) {
            g_free(c->machine);
            c->machine = g_strdup(kinds[i].alias);
        }
}

char *guest_command_original(const struct guest_command *c)
{
    g_autofree char *line = c->original ? guest_command_quote(c->original) : NULL;
    return line ? text_make_safe(line) : NULL;
}

/* ---- what we say ---- */

void guest_command_drive(struct guest_command *c, const char *device, const char *file, const char *format)
{
    g_ptr_array_add(c->drives, guest_drive_new(c->description, c->line, device, file, format));
}

void guest_command_incoming(struct guest_command *c, const char *uri)
{
    g_free(c->incoming);
    c->incoming = g_strdup(uri);
}

void guest_command_add(struct guest_command *c, const char *option, const char *value)
{
    g_ptr_array_add(c->added, g_strdup(option));
    g_ptr_array_add(c->added, g_strdup(value));
}

/* ---- the operator's arguments against the guest's own ---- */

static const char *option_name(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' ? argument + 1 : argument;
}

/* Options that say the same thing. */
static const char *group_of(const char *option)
{
    static const char *const groups[][6] = {
        {"-machine", "-M"},
        {"-net", "-nic"},
        {"-display", "-vnc", "-spice", "-nographic", "-sdl", "-curses"},
        {"-accel", "-enable-kvm"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(groups[i]) && groups[i][k]; k++)
            if (!strcmp(groups[i][k], option))
                return groups[i][0];
    return option;
}

static bool is_same_option(const char *own, const char *theirs)
{
    bool is_headless = !strcmp(theirs, "-nographic") && (!strcmp(own, "-serial") || !strcmp(own, "-parallel"));
    return is_headless || !strcmp(group_of(own), group_of(theirs));
}

static bool has_same_id(const struct guest_entry *e, const char *argument)
{
    g_autoptr(GPtrArray) theirs = argument ? keyvals_parse(argument, NULL) : NULL;
    const char *key = e->rule->kind == OPTION_BLOCKDEV ? "node-name" : "id";
    const char *id = e->kv ? keyvals_get(e->kv, key) : NULL;
    return theirs && id && !g_strcmp0(keyvals_get(theirs, key), id);
}

static bool is_additive(const char *option)
{
    static const char *const additive[] = {"-drive",  "-blockdev", "-device", "-chardev", "-netdev", "-object",
                                           "-global", "-audiodev", "-set",    "-add-fd",  "-numa",   NULL};
    return g_strv_contains(additive, option);
}

static bool is_replaced(const char *option, const struct guest_entry *e, char *const *more)
{
    for (; more && *more; more++)
        if (**more == '-' && is_same_option(option, option_name(*more)) &&
            (!is_additive(option) || (e && has_same_id(e, more[1]))))
            return true;
    return false;
}

/* ---- building ---- */

static void add(GPtrArray *argv, const char *option, const char *argument)
{
    g_ptr_array_add(argv, g_strdup(option));
    if (argument)
        g_ptr_array_add(argv, g_strdup(argument));
}

static bool is_machine(const struct guest_entry *e)
{
    return e->kv && !strcmp(group_of(e->name), "-machine");
}

/* The machine as it was, without flash that is not there. */
static void finish_machine(struct guest_command *c, struct guest_entry *e)
{
    static const char *const flashes[] = {"pflash0", "pflash1"};
    if (c->machine && keyvals_get(e->kv, "type"))
        keyvals_set(e->kv, "type", c->machine);
    for (unsigned i = 0; i < G_N_ELEMENTS(flashes); i++) {
        const char *node = keyvals_get(e->kv, flashes[i]);
        if (node && !guest_line_find(c->line, OPTION_BLOCKDEV, "node-name", node))
            keyvals_drop(e->kv, flashes[i]);
    }
}

static bool finish_bios(struct guest_command *c, struct guest_entry *e)
{
    g_autofree char *path = value_find_firmware(e->value), *named = g_strdup(e->value);
    g_free(e->value);
    e->value = g_steal_pointer(&path);
    if (!e->value)
        guest_line_leave(c->line, "-bios", named);
    return e->value != NULL;
}

static void finish_device(struct guest_command *c, struct guest_entry *e)
{
    const char *rom = keyvals_get(e->kv, "romfile");
    g_autofree char *path = rom && *rom ? value_find_firmware(rom) : NULL;
    if (!rom || !*rom)
        return;
    if (path) {
        keyvals_set(e->kv, "romfile", path);
        return;
    }
    guest_line_leave(c->line, "-device romfile", rom);
    keyvals_drop(e->kv, "romfile");
}

/* Drives in their places, and firmware that may be trusted; false: leave it out. */
static bool finish_entry(struct guest_command *c, struct guest_entry *e)
{
    switch (e->rule->kind) {
    case OPTION_DRIVE:
    case OPTION_BLOCKDEV:
        return guest_drive_finish(c->drives, c->line, e, c->empty);
    case OPTION_VALUE:
        return c->is_trusted || strcmp(e->name, "-bios") != 0 || finish_bios(c, e);
    case OPTION_DEVICE:
        if (e->kv && !c->is_trusted)
            finish_device(c, e);
        return true;
    default:
        return true;
    }
}

/* Nodes first: the machine is asked which of its flash is there. */
static void finish_line(struct guest_command *c)
{
    GPtrArray *entries = c->line->entries;
    for (unsigned i = 0; i < entries->len;) {
        if (finish_entry(c, entries->pdata[i]))
            i++;
        else
            g_ptr_array_remove_index(entries, i);
    }
    for (unsigned i = 0; i < entries->len; i++)
        if (is_machine(entries->pdata[i]))
            finish_machine(c, entries->pdata[i]);
}

static bool has_machine_type(const struct guest_command *c)
{
    for (unsigned i = 0; c->line && i < c->line->entries->len; i++) {
        const struct guest_entry *e = c->line->entries->pdata[i];
        if (is_machine(e) && keyvals_get(e->kv, "type"))
            return true;
    }
    return false;
}

static void add_own(struct guest_command *c, GPtrArray *argv, char *const *more)
{
    guest_drive_settle(c->drives);
    finish_line(c);
    for (unsigned i = 0; i < c->line->entries->len; i++) {
        struct guest_entry *e = c->line->entries->pdata[i];
        if (is_machine(e) && is_replaced("-accel", NULL, more)) /* QEMU takes it in one place only */
            keyvals_drop(e->kv, "accel");
        g_autofree char *argument = guest_entry_argument(e);
        if (!is_replaced(e->name, e, more) && (!e->kv || e->kv->len))
            add(argv, e->name, argument);
    }
}

/* Drives that have no place on the line: all, if there is none. */
static void add_other_drives(struct guest_command *c, GPtrArray *argv)
{
    for (unsigned i = 0; i < c->drives->len; i++) {
        g_autofree char *argument = guest_drive_plain(c->drives->pdata[i]);
        if (argument)
            add(argv, "-drive", argument);
    }
}

/* QEMU would open a window or a port, and a network. */
static void add_isolation(struct guest_command *c, GPtrArray *argv, char *const *more)
{
    if (!c->line && !is_replaced("-nic", NULL, more))
        add(argv, "-nic", "none");
    if (!is_replaced("-display", NULL, more))
        add(argv, "-display", "none");
}

char **guest_command_build(struct guest_command *c, const char *program, char *const *more)
{
    GPtrArray *argv = g_ptr_array_new();
    add(argv, program ? program : c->program, NULL);
    if (c->machine && !has_machine_type(c) && !is_replaced("-machine", NULL, more))
        add(argv, "-machine", c->machine);
    if (c->line)
        add_own(c, argv, more);
    add_other_drives(c, argv);
    add_isolation(c, argv, more);
    if (c->incoming)
        add(argv, "-incoming", c->incoming);
    for (unsigned i = 0; i < c->added->len; i += 2)
        add(argv, c->added->pdata[i], c->added->pdata[i + 1]);
    for (; more && *more; more++)
        add(argv, *more, NULL);
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

/* ---- telling ---- */

static void list_texts(GString *text, const char *before, const GPtrArray *list)
{
    for (unsigned i = 0; i < list->len; i++)
        g_string_append_printf(text, "%s%s%s",
                               i           ? ", "
                               : text->len ? "; "
                                           : "",
                               i ? "" : before, (char *)list->pdata[i]);
}

/* What the archive says was left out when it was made, if it looks like that. */
static void add_left_before(const struct guest_command *c)
{
    g_auto(GStrv) before = description_texts(c->description, "command_line_without");
    for (char **option = before; option && *option; option++)
        if (**option == '-' && strlen(*option) <= 64 && value_is(VALUE_TEXT, *option))
            guest_line_leave(c->line, *option, NULL);
}

char *guest_command_left(const struct guest_command *c)
{
    GString *text = g_string_new(NULL);
    if (c->line) {
        add_left_before(c);
        list_texts(text, "left out: ", c->line->left);
    }
    list_texts(text, "not in the archive, so empty: ", c->empty);
    if (c->line && c->line->is_severed)
        g_string_append_printf(text, "%snetworks and consoles lead nowhere", text->len ? "; " : "");
    char *line = text->len ? text_make_safe(text->str) : NULL;
    g_string_free(text, TRUE);
    return line;
}

char *guest_command_quote(char *const *argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%";
    GString *line = g_string_new(NULL);
    for (; *argv; argv++) {
        bool is_plain = **argv && strspn(*argv, plain) == strlen(*argv);
        g_autofree char *quoted = is_plain ? g_strdup(*argv) : g_shell_quote(*argv);
        g_string_append_printf(line, "%s%s", line->len ? " " : "", quoted);
    }
    return g_string_free(line, FALSE);
}
