// SPDX-License-Identifier: GPL-2.0-or-later
/* Which drives are saved, by which recipe. */
#include <string.h>
#include "backup/fate.h"
#include "backup/found.h"
#include "backup/plan.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "options/options.h"
#include "options/proxmox.h"
#include "qemu/tracking.h"
#include "rescue/journal.h"
#include "store/store.h"
#include "vma/bitmap.h"

/* --- rows --------------------------------------------------------------------------------------- */

static const struct drive *drive_on_node(const struct backup *b, const char *node)
{
    for_each_drive (d, b) {
        if (g_str_equal(d->node, node))
            return d;
    }
    return NULL;
}

/* Why a drive is left out, owned; NULL if it is saved. */
static char *reason_to_skip(struct backup *b, const struct found_drive *f, const char *name)
{
    const struct backup_options *o = &b->options;
    const struct drive *twin = f->node_name ? drive_on_node(b, f->node_name) : NULL;
    const char *reason = NULL;

    if (!f->has_medium)
        reason = "no medium: skipped";
    else if (!f->node_name)
        reason = "no name in QEMU: skipped";
    else if (!f->is_attached)
        reason = "attached to no device: skipped";
    else if (!f->virtual_size)
        reason = "empty: skipped";
    else if (f->is_asleep)
        reason = "let go by a migration, until cont: skipped";
    else if (naming_is_among(b, o->exclude, name, f))
        reason = "excluded";
    else if (o->include->len && !naming_is_among(b, o->include, name, f))
        reason = "not asked for";
    else if (!o->include->len && f->is_read_only)
        reason = "read-only: skipped";
    else if (f->occupant)
        reason = f->occupant;
    else if (twin)
        return g_strdup_printf("the same node as %s: saved there", twin->name);
    return g_strdup(reason);
}

/* Another device writes to the same node: past a filter that stands before this one. */
static bool is_shared(const struct backup *b, const struct found_drive *f)
{
    unsigned n = 0;

    for_each_found (other, b)
        n += other->is_attached && g_strcmp0(other->node_name, f->node_name) == 0;
    return n > 1;
}

static void drive_free(gpointer data)
{
    struct drive *d = data;

    intake_clear(&d->intake);
    nbd_exports_free(d->filter.exports);
    nbd_exports_free(d->target.exports);
    g_free(d->name);
    g_free(d->qdev);
    g_free(d->node);
    g_free(d->names.filter);
    g_free(d->names.target);
    g_free(d->names.cbw);
    g_free(d->names.snap);
    g_free(d->names.lid);
    g_free(d->names.cap);
    g_free(d->names.export);
    g_free(d->names.job);
    g_free(d->names.bitmap);
    g_free(d->names.witness);
    g_free(d->names.changed);
    g_free(d->names.end);
    track_clear_drive(d);
    g_free(d->doubt);
    g_free(d->job.error);
    pull_free(d->pull.reader);
    g_free(d->pull.broken);
    g_clear_pointer(&d->zeroes, vma_bitmap_free);
    g_clear_error(&d->refusal);
    g_clear_error(&d->failure);
    g_free(d);
}

static void add_drive(struct backup *b, const struct found_drive *f, const char *name, unsigned row)
{
    struct tracking_image image = {name, f->format, f->file, f->backing};
    struct drive *d = g_new0(struct drive, 1);

    d->b = b;
    d->index = b->drives->len;
    d->row = row;
    d->name = g_strdup(name);
    d->qdev = g_strdup(f->qdev);
    d->node = g_strdup(f->node_name);
    d->size = f->virtual_size;
    d->names.bitmap = tracking_name(b->run_id, &image);
    d->names.witness = tracking_witness(d->names.bitmap);
    d->intake.pool = b->archive.pool;
    /* What nobody can write needs no guard, and a filter would not go in. */
    d->is_read_only = f->is_read_only;
    d->is_in_iothread = f->is_in_iothread;
    d->track.is_shared = f->is_shared;
    d->track.may_persist = f->may_keep_bitmaps;
    d->is_shared = !f->is_read_only && is_shared(b, f);
    d->is_guarded = b->options.guard != BACKUP_GUARD_DIRECT && !f->is_read_only && !d->is_shared;
    d->pull.connected = -1;
    g_ptr_array_add(b->drives, d);
}

static void add_row(struct backup *b, const struct found_drive *f)
{
    g_autofree char *name = naming_of(b, f);
    g_autofree char *reason = reason_to_skip(b, f, name);
    struct model_drive *row = model_add_drive(&b->model, name);

    model_set(row->node, "%s", f->node_name ? f->node_name : "");
    model_set(row->format, "%s", f->format ? f->format : "");
    model_set(row->note, "%s", reason ? reason : "");
    row->size = f->virtual_size;
    row->used = f->actual_size;
    row->is_included = !reason;
    row->is_refused = g_strcmp0(reason, f->occupant) == 0 && f->occupant;
    row->state = reason ? MODEL_SKIPPED : MODEL_WAIT;
    if (!reason)
        add_drive(b, f, name, b->model.n_drives - 1);
    if (!reason) {
        struct drive *d = g_ptr_array_index(b->drives, b->drives->len - 1);
        row->is_guarded = d->is_guarded;
        const char *guard = d->is_guarded || f->is_read_only ? ""
                            : d->is_shared                   ? "unguarded: two devices share its node"
                                                             : "unguarded";
        model_set(row->note, "%s%s%s", guard, *guard && f->is_encrypted ? "; " : "",
                  f->is_encrypted ? "encrypted: saved decrypted" : "");
    }
}

static void add_ram_row(struct backup *b)
{
    struct model_drive *row = model_add_drive(&b->model, VMA_VMSTATE_NAME);

    b->ram.row = b->model.n_drives - 1;
    row->is_vmstate = true;
    row->is_included = b->ram.method != RAM_NONE;
    row->state = row->is_included ? MODEL_WAIT : b->ram.is_lost ? MODEL_FAIL : MODEL_SKIPPED;
    model_set(row->note, "%s", row->is_included ? "" : "excluded");
    if (b->ram.is_lost)
        model_set(row->note, "left out: %s", b->guest.ram_obstacle);
    row->size = b->facts.ram_bytes;
    row->used = MODEL_UNKNOWN;
    model_set(row->format, "RAM");
}

/* Before 8.1 a background snapshot that is cancelled hangs the guest for good, and releases before 9.0 may let the
 * guest go by themselves once the snapshot is under way: also one that its user has paused. */
static bool is_snapshot_safe(const struct qmp_version *v)
{
    return v->major >= 9;
}

static void choose_recipe(struct backup *b)
{
    bool is_wanted = !b->options.no_vmstate;

    b->ram.is_lost = is_wanted && b->guest.ram_obstacle;
    b->ram.method = !is_wanted || b->ram.is_lost          ? RAM_NONE
                    : is_snapshot_safe(&b->facts.version) ? RAM_BACKGROUND
                                                          : RAM_PLAIN;
}

static char *target_at(const struct backup *b, const char *folder, GDateTime *now, const char *format)
{
    g_autofree char *when = g_date_time_format(now, format);
    g_autofree char *guest = vma_name_make_safe(b->model.guest);
    bool is_packed = !b->options.target ? b->options.level != 0 : backup_options_level(&b->options) > 0;

    if (b->options.proxmox_vmid) {
        g_autofree char *name = proxmox_file_name(b->options.proxmox_vmid, now, is_packed ? ".vma.zst" : ".vma");
        return g_strdup_printf("%s/%s", folder, name);
    }
    return g_strdup_printf("%s/%s-%s.vma%s", folder, guest, when, is_packed ? ".zst" : "");
}

char *plan_default_target(const struct backup *b, const char *folder, const char *taken)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *path = target_at(b, folder, now, "%Y%m%dT%H%M");

    return g_strcmp0(path, taken) != 0 ? g_steal_pointer(&path) : target_at(b, folder, now, "%Y%m%dT%H%M%S");
}

/* Drives that were asked for, but that others are at work on. */
static void log_refused(struct backup *b)
{
    for (unsigned i = 0; i < b->model.n_drives && !b->options.only_ask; i++) /* else the table says it */
        if (b->model.drives[i].is_refused)
            backup_log(b, MODEL_WARNING, "back up again when that has ended", "drive %s is left out: %s",
                       b->model.drives[i].name, b->model.drives[i].note);
}

static void log_unsavable(struct backup *b)
{
    g_autoptr(GError) gone = NULL;

    if (b->options.only_ask && !state_is_here(b, &gone))
        backup_log(b, MODEL_WARNING, NULL, "%s", gone->message);
    if (b->ram.is_lost && !b->options.only_ask)
        backup_log(b, MODEL_WARNING, NULL, "RAM is left out: %s", b->guest.ram_obstacle);
    for_each_in (const char, why, b->facts.unsavable)
        backup_log(b, MODEL_WARNING, NULL, "%s", why);
}

/* A store whose disk is not mounted, or whose name is misspelt, becomes a file on another disk. */
static void log_target(struct backup *b)
{
    const char *target = b->options.target;
    g_autofree char *name = g_path_get_basename(target);

    if (b->options.only_ask || *target == '|' || g_str_equal(target, "-") || strstr(name, ".vma") ||
        g_file_test(target, G_FILE_TEST_EXISTS))
        return;
    backup_log(b, MODEL_WARNING, "for a store: look at its name, and whether its disk is mounted",
               "there is no store %s: an archive of that name is made", target);
}

/* QEMU reads it through its key, and so do we. */
static void log_encrypted(struct backup *b)
{
    for_each_found (f, b) {
        const struct drive *d = f->is_encrypted && f->node_name ? drive_on_node(b, f->node_name) : NULL;
        if (d && !b->options.only_ask)
            backup_log(b, MODEL_WARNING, "keep the archive in a safe place, or encrypt it: -o '|COMMAND'",
                       "drive %s is encrypted, and the archive holds it decrypted", d->name);
    }
}

static void reset(struct backup *b)
{
    g_ptr_array_set_size(b->drives, 0);
    g_clear_pointer(&b->model.drives, g_free);
    b->model.n_drives = 0;
    b->ram.row = -1;
}

/* What the plan says of itself: the options as they are now. */
static void show_options(struct backup *b)
{
    struct model *m = &b->model;
    g_autofree char *line = backup_options_line(&b->options);
    g_autofree char *guest = b->options.is_store ? store_guest_name(m->guest) : NULL;

    model_set(m->target, "%s", b->options.target);
    model_set(m->sink.guest, "%s", guest ? guest : "");
    m->level = (unsigned)backup_options_level(&b->options);
    model_set(m->compression, m->level ? "zstd:%u" : "", m->level);
    m->retries = b->options.retries;
    m->is_strict = b->options.strict;
    m->wants_vmstate = !b->options.no_vmstate;
    model_set(m->same_as, "%s", strlen(line) < sizeof m->same_as ? line : ""); /* half a command is none */
    for_each_drive (d, b) {
        m->drives[d->row].limit = m->drives[d->row].limit_wanted = d->limit.pace.own;
    }
}

bool plan_lay_out(struct backup *b, GError **error)
{
    reset(b);
    choose_recipe(b);
    add_ram_row(b);
    for_each_found (f, b)
        add_row(b, f);
    if (!b->archive.is_target_chosen) {
        g_clear_pointer(&b->options.target, g_free);
        b->options.target = plan_default_target(b, ".", NULL);
    }
    track_plan(b);
    plan_engine(b);
    bool is_good = plan_check(b, error);
    plan_forecast(b);
    show_options(b);
    return is_good;
}

void plan_make(struct backup *b)
{
    g_autoptr(GError) error = NULL;
    bool is_good = plan_lay_out(b, &error);

    backup_note(b, "connected to %s, QEMU %s, guest %s %s", b->model.monitor, b->model.qemu, b->model.guest,
                b->guest.status);
    *b->guest.told = '\0'; /* of another guest, perhaps */
    state_tell(b);
    if (!is_good) {
        backup_fail(b, error);
        return;
    }
    log_unsavable(b);
    log_target(b);
    log_encrypted(b);
    log_refused(b);
    plan_engine_log(b);
    agent_on_plan(b);
    write_latency_begin(b); /* before anything is done to the guest */
    backup_set_phase(b, MODEL_PLAN);
    backup_emit(b, &(struct model_event){.type = MODEL_EV_PLAN, .drive = -1});
    target_space_ask(b);
    b->hooks->planned(b);
}

/* --- begin -------------------------------------------------------------------------------------- */

static void name_nodes(struct drive *d)
{
    const char *run = d->b->run_id;

    d->names.filter = g_strdup_printf("vmb-%s-fl-%u", run, d->index);
    d->names.target = g_strdup_printf("vmb-%s-tgt-%u", run, d->index);
    d->names.cbw = g_strdup_printf("vmb-%s-cbw-%u", run, d->index);
    d->names.snap = g_strdup_printf("vmb-%s-snap-%u", run, d->index);
    d->names.lid = g_strdup_printf("vmb-%s-lid-%u", run, d->index);
    d->names.cap = g_strdup_printf("vmb-%s-lid-%u-cap", run, d->index);
    d->names.export = g_strdup_printf("vmb-%s-exp-%u", run, d->index);
    d->names.job = g_strdup_printf("vmb-%s-job-%u", run, d->index);
    d->names.changed = g_strdup_printf("vmb-%s-changed", run);
    d->names.end = g_strdup_printf("vmb-%s-end-%u", run, d->index);
}

static void on_all_begun(void *user, const GError *error)
{
    struct backup *b = user;

    if (error)
        backup_fail(b, error);
    else if (!b->is_failing)
        jobs_copy_begins(b);
}

static bool prepare(struct backup *b, GError **error)
{
    g_autofree char *what = g_strdup_printf("writing %s", b->options.target);

    b->journal = journal_open(b->options.monitor, b->run_id, what, error);
    if (!b->journal || !door_open(b, error) || !pull_reader_prepare(b, error))
        return false;
    for_each_drive (d, b) {
        name_nodes(d);
        fate_forget_clusters(d);
        port_init(&d->filter, d, true);
        port_init(&d->target, d, false);
    }
    return target_open(b, error);
}

void plan_begin(struct backup *b)
{
    g_autoptr(GError) error = NULL;

    b->has_begun = true;
    pulse_start(&b->pulse);
    b->guest.was_running = state_can_be_stopped(b); /* while the plan was looked at, its user may have paused it */
    if (b->ram.method == RAM_PLAIN && !b->guest.was_running)
        backup_log(b, MODEL_WARNING, "cont resumes it as before",
                   "guest is paused: saving its RAM leaves QEMU's state \"postmigrate\" instead of \"paused\"");
    b->model.started_s = g_get_real_time() / G_USEC_PER_SEC;
    b->started_ms = uv_now(b->loop);
    backup_set_phase(b, MODEL_PREPARE);
    if (!prepare(b, &error)) {
        backup_fail(b, error);
        return;
    }
    steps_run(b->steps, recipe_forward(b), true, on_all_begun, b);
}

void plan_init(struct backup *b)
{
    b->drives = g_ptr_array_new_with_free_func(drive_free);
    g_snprintf(b->run_id, sizeof b->run_id, "%08x", g_random_int());
    for (unsigned i = 0; i < sizeof b->uuid; i += 4) {
        guint32 random = g_random_int();
        memcpy(b->uuid + i, &random, 4);
    }
}
