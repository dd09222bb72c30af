// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line shown in the plan means what it says: a shell and our own parser make the same options of
 * it. */
#include <locale.h>

#include "options/options.h"

/* Through a shell's eyes, then through GOption. */
static void parse(const char *line, struct backup_options *o)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_auto(GStrv) argv = NULL;
    g_assert_true(g_shell_parse_argv(line, NULL, &argv, &error));
    g_assert_cmpstr(argv[0], ==, "vmabackup");
    g_assert_cmpstr(argv[1], ==, "backup");
    g_auto(GStrv) rest = g_strdupv(argv + 1);
    backup_options_init(o);
    g_option_context_set_main_group(context, backup_options_group(o));
    g_option_context_parse_strv(context, &rest, &error);
    g_assert_no_error(error);
    unsigned n = g_strv_length(rest);
    o->monitor = g_strdup(rest[n - 1]); /* what is left, but for a "--" */
}

static void assert_same_lists(const GPtrArray *a, const GPtrArray *b)
{
    g_assert_cmpuint(a->len, ==, b->len);
    for (unsigned i = 0; i < a->len; i++)
        g_assert_cmpstr(a->pdata[i], ==, b->pdata[i]);
}

static void assert_same(const struct backup_options *a, const struct backup_options *b)
{
    assert_same_lists(a->include, b->include);
    assert_same_lists(a->exclude, b->exclude);
    g_assert_cmpuint(a->limits->len, ==, b->limits->len);
    for (unsigned i = 0; i < a->limits->len; i++) {
        const struct backup_limit *x = &g_array_index(a->limits, struct backup_limit, i);
        const struct backup_limit *y = &g_array_index(b->limits, struct backup_limit, i);
        g_assert_cmpstr(x->drive, ==, y->drive);
        g_assert_cmpuint(x->rate, ==, y->rate);
    }
    g_assert_cmpuint(a->configs->len, ==, b->configs->len);
    for (unsigned i = 0; i < a->configs->len; i++) {
        const struct backup_file *x = &g_array_index(a->configs, struct backup_file, i);
        const struct backup_file *y = &g_array_index(b->configs, struct backup_file, i);
        g_assert_cmpstr(x->name, ==, y->name);
        g_assert_cmpstr(x->path, ==, y->path);
    }
    g_assert_cmpstr(a->monitor, ==, b->monitor);
    g_assert_cmpstr(a->target, ==, b->target);
    g_assert_cmpstr(a->spool_dir, ==, b->spool_dir);
    g_assert_cmpstr(a->log_path, ==, b->log_path);
    g_assert_cmpstr(a->agent, ==, b->agent);
    g_assert_cmpstr(a->record_path, ==, b->record_path);
    g_assert_cmpuint(a->proxmox_vmid, ==, b->proxmox_vmid);
    g_assert_cmpuint(a->spool_bytes, ==, b->spool_bytes);
    g_assert_cmpint(a->guard, ==, b->guard);
    g_assert_cmpint(a->engine, ==, b->engine);
    g_assert_cmpint(a->no_track, ==, b->no_track);
    g_assert_cmpint(a->no_vmstate, ==, b->no_vmstate);
    g_assert_cmpint(a->on_full_fails, ==, b->on_full_fails);
    g_assert_cmpuint(a->on_full_minutes, ==, b->on_full_minutes);
    g_assert_cmpuint(a->retries, ==, b->retries);
    g_assert_cmpint(a->level, ==, b->level);
    g_assert_cmpuint(a->threads, ==, b->threads);
    g_assert_cmpint(a->strict, ==, b->strict);
    g_assert_cmpuint(a->max_pause_s, ==, b->max_pause_s);
    g_assert_cmpuint(a->timeout_s, ==, b->timeout_s);
    g_assert_cmpint(a->force, ==, b->force);
    g_assert_cmpint(a->keep_partial, ==, b->keep_partial);
    g_assert_cmpint(a->verify, ==, b->verify);
}

static void assert_round_trip(const char *line)
{
    struct backup_options first, again, copy;
    parse(line, &first);
    backup_options_copy(&copy, &first);
    assert_same(&first, &copy);
    g_autofree char *said = backup_options_line(&copy);
    parse(said, &again);
    assert_same(&first, &again);
    backup_options_clear(&first);
    backup_options_clear(&again);
    backup_options_clear(&copy);
}

static void test_round_trip(void)
{
    static const char *const lines[] = {
        "vmabackup backup /run/qemu/web-01.qmp",
        "vmabackup backup -o /mnt/bk/web.vma --exclude virtio3 --limit scsi1=120M --limit 450M /run/q.qmp",
        "vmabackup backup -o '|zstd -T0 -o \"my file.vma.zst\"' --no-vmstate --level 0 --threads 2 --retries "
        "0 --strict /run/q.qmp",
        "vmabackup backup -o - --drive \"it's\" --drive='$(reboot)' --drive '' --limit 'a=b=1.5M' '/tmp/a b'",
        "vmabackup backup --config qemu.conf=/etc/a=b.conf --guard direct --spool 5G --spool-dir '/x y' m",
        "vmabackup backup --on-full fail --max-pause 9 --timeout 1 --verify --force --keep-partial --record "
        "./r --log -l m",
        "vmabackup backup --level 19 --on-full wait:7 --guard filter --agent '/run/a b' --limit 65537 "
        "--drive=--strict tcp:127.0.0.1:4444",
        "vmabackup backup --proxmox 100 -o /none/x.vma m",
        "vmabackup backup --engine pull --engine push --engine pull m",
        "vmabackup backup --track auto --track no m",
        "vmabackup backup -o 'new\nline' --exclude '*' --exclude '~' --exclude 'ü' m",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
        assert_round_trip(lines[i]);
}

/* Nothing that stands for itself is said: a short line is one that is read. */
static void test_short(void)
{
    struct backup_options o;
    backup_options_init(&o);
    o.monitor = g_strdup("/run/qemu/web-01.qmp");
    o.target = g_strdup("./web-01-20261122T1129.vma");
    g_autofree char *line = backup_options_line(&o);
    g_assert_cmpstr(line, ==, "vmabackup backup -o ./web-01-20261122T1129.vma /run/qemu/web-01.qmp");
    backup_options_clear(&o);
}

/* What was said last holds; the configuration is told that something was said. */
static void test_engine(void)
{
    struct backup_options o;
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    backup_options_init(&o);
    g_assert_cmpint(o.engine, ==, ENGINE_PUSH);
    g_assert_false(o.is_engine_given);
    backup_options_clear(&o);
    parse("vmabackup backup --engine=pull --engine=push m", &o);
    g_assert_cmpint(o.engine, ==, ENGINE_PUSH);
    g_assert_true(o.is_engine_given);
    g_autofree char *line = backup_options_line(&o);
    g_assert_cmpstr(line, ==, "vmabackup backup m");
    g_option_context_set_main_group(context, backup_options_group(&o));
    g_auto(GStrv) argv = g_strsplit("vmabackup --engine=Pull m", " ", -1);
    g_assert_false(g_option_context_parse_strv(context, &argv, &error));
    g_assert_cmpstr(error->message, ==, "engine is push or pull, not Pull");
    backup_options_clear(&o);
}

/* Only a store has anything to compare with; the configuration is told that something was said. */
static void test_track(void)
{
    struct backup_options o;
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    parse("vmabackup backup m", &o);
    g_assert_false(o.is_track_given);
    g_assert_false(backup_options_track(&o));
    o.is_store = true;
    g_assert_true(backup_options_track(&o));
    backup_options_clear(&o);
    parse("vmabackup backup --track=no m", &o);
    o.is_store = true;
    g_assert_true(o.is_track_given);
    g_assert_false(backup_options_track(&o));
    g_option_context_set_main_group(context, backup_options_group(&o));
    g_auto(GStrv) argv = g_strsplit("vmabackup --track=yes m", " ", -1);
    g_assert_false(g_option_context_parse_strv(context, &argv, &error));
    g_assert_cmpstr(error->message, ==, "track is auto or no, not yes");
    backup_options_clear(&o);
}

/* All of them, in the order in which they are said: what is saved, how, where to. */
static void test_order(void)
{
    static const char line[] =
        "vmabackup backup --drive=d --exclude=x --no-vmstate --limit=5M --limit=s=1234567 --config=n=/p --guard=direct "
        "--engine=pull --track=no --proxmox=100 --spool=5G --spool-dir=/a --log=l --record=r --agent=/q "
        "--on-full=wait:7 "
        "--level=0 --threads=3 "
        "--retries=7 --strict --max-pause=9 --timeout=3 --verify --force --keep-partial -o x m";
    struct backup_options o;
    parse(line, &o);
    g_autofree char *said = backup_options_line(&o);
    g_assert_cmpstr(said, ==, line);
    backup_options_clear(&o);
}

/* In a folder the archive gets the name that qmrestore goes by. */
static void test_proxmox_folder(void)
{
    for (int level = -1; level < 1; level++) {
        g_autoptr(GError) error = NULL;
        struct backup_options o;
        backup_options_init(&o);
        o.target = g_strdup("/");
        o.proxmox_vmid = 117;
        o.level = level;
        g_assert_true(backup_options_check(&o, &error));
        g_assert_true(g_str_has_prefix(o.target, "/vzdump-qemu-117-2"));
        g_assert_true(g_str_has_suffix(o.target, level ? ".vma.zst" : ".vma"));
        g_assert_cmpint(backup_options_level(&o), ==, level ? 3 : 0);
        backup_options_clear(&o);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    setlocale(LC_ALL, "C.UTF-8"); /* option values are converted from it */
    g_test_add_func("/options/round-trip", test_round_trip);
    g_test_add_func("/options/short", test_short);
    g_test_add_func("/options/engine", test_engine);
    g_test_add_func("/options/track", test_track);
    g_test_add_func("/options/order", test_order);
    g_test_add_func("/options/proxmox", test_proxmox_folder);
    return g_test_run();
}
