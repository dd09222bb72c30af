// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/acts.h"
#include <libnbd.h>
#include <string.h>
#include "fake/vhost.h"

/* --- copying ------------------------------------------------------------------------------------ */

static void conclude(struct fake_qemu *q, struct fake_job *j, const char *error)
{
    g_autofree char *data = g_strdup_printf("{\"status\":\"concluded\",\"id\":\"%s\"}", j->id);
    j->status = "concluded";
    j->is_paused = false;
    j->error = error;
    q->n_copied += !error;
    fake_event(q, "JOB_STATUS_CHANGE", data);
}

unsigned fake_drive_of(struct fake_qemu *q, const char *name)
{
    struct fake_node *n = fake_node(q, name);
    while (n && n->file)
        n = fake_node(q, n->file);
    return n ? g_ascii_strtoull(n->name + strlen("disk"), NULL, 10) : 0;
}

const struct fake_content *fake_content_of(struct fake_qemu *q, const char *name, unsigned drive)
{
    const struct fake_node *n = fake_node(q, name);
    while (n && n->file && !n->target)
        n = fake_node(q, n->file);
    return n && n->is_broken ? NULL : n && n->target ? &n->frozen : &q->contents[drive];
}

bool fake_is_unreadable(struct fake_qemu *q, unsigned drive, unsigned cluster)
{
    bool is_bad = q->n_bad_reads[drive] && cluster == q->bad_cluster[drive];
    q->n_bad_reads[drive] -= is_bad && q->n_bad_reads[drive] != FAKE_FOR_EVER;
    return is_bad;
}

/* One cluster more. */
static void copy(struct fake_qemu *q, struct fake_job *j)
{
    uint8_t data[FAKE_CLUSTER];
    struct fake_node *target = fake_node(q, j->target);
    unsigned drive = fake_drive_of(q, j->device), cluster = j->at / FAKE_CLUSTER;
    const struct fake_content *content = fake_content_of(q, j->device, drive);
    uint32_t bytes = MIN(FAKE_CLUSTER, FAKE_DRIVE_SIZE - j->at);
    if (!content) {
        conclude(q, j, "Permission denied");
        return;
    }
    memset(data, fake_byte(drive, cluster, content), sizeof data);
    if (fake_is_unreadable(q, drive, cluster)) {
        conclude(q, j, "Input/output error");
    } else if (nbd_pwrite(target->nbd, data, bytes, j->at, 0) < 0) {
        conclude(q, j, "Input/output error");
    } else if ((j->at += bytes) == FAKE_DRIVE_SIZE) {
        conclude(q, j, NULL);
    }
}

void fake_run_job(struct fake_qemu *q, struct fake_job *j)
{
    while (strcmp(j->status, "running") == 0)
        copy(q, j);
}

void fake_moment(struct fake_qemu *q)
{
    q->n_moments++;
    if (q->on_moment)
        q->on_moment(q->user, q->n_moments);
}

static struct fake_job *next_job(struct fake_qemu *q)
{
    for (unsigned i = 0; i < q->jobs->len; i++) {
        struct fake_job *j = g_ptr_array_index(q->jobs, (q->n_moments + i) % q->jobs->len);
        if (strcmp(j->status, "running") == 0 && !j->is_paused)
            return j;
    }
    return NULL;
}

bool fake_is_busy(struct fake_qemu *q)
{
    return q->kind.is_lively && (next_job(q) || fake_vhost_next(q));
}

void fake_live(struct fake_qemu *q)
{
    struct fake_job *j = next_job(q);
    struct fake_export *e = fake_vhost_next(q);

    fake_moment(q);
    if (q->is_running && !q->is_inactive)
        fake_guest_writes(q, q->n_moments * 5 % q->kind.n_drives, q->n_moments * 3 % FAKE_CLUSTERS);
    if (j && (!e || q->n_moments % 2))
        copy(q, j);
    else if (e)
        fake_vhost_step(q, e);
}

/* --- commands ----------------------------------------------------------------------------------- */

static const char *backup(struct fake_qemu *q, json_object *args)
{
    struct fake_node *device = fake_node(q, fake_text(args, "device"));
    struct fake_job *j;
    if (fake_job(q, fake_text(args, "job-id")))
        return "Job ID already in use";
    if (!device || !fake_node(q, fake_text(args, "target")))
        return "Cannot find device nor node-name";
    j = g_new0(struct fake_job, 1);
    j->id = fake_keep(q, fake_text(args, "job-id"));
    j->device = device->name;
    j->target = fake_keep(q, fake_text(args, "target"));
    j->status = "running";
    j->speed = json_object_get_int64(fake_object(args, "speed"));
    if (!device->file) /* its own instant, without a filter */
        q->instants[fake_drive_of(q, j->device)] = q->contents[fake_drive_of(q, j->device)];
    g_ptr_array_add(q->jobs, j);
    q->started = q->kind.holds_jobs || q->kind.is_lively ? NULL : j;
    return NULL;
}

static const char *cancel(struct fake_qemu *q, json_object *args)
{
    struct fake_job *j = fake_job(q, fake_text(args, "id"));
    if (!j)
        return "Job not found";
    if (q->kind.hangs_disks)
        return NULL;
    if (strcmp(j->status, "concluded") == 0)
        return "Job in state 'concluded' cannot accept command verb 'cancel'";
    conclude(q, j, "Operation canceled");
    return NULL;
}

static const char *set_paused(struct fake_qemu *q, json_object *args)
{
    struct fake_job *j = fake_job(q, fake_text(args, "id"));
    bool is_paused = strcmp(q->command, "job-pause") == 0;
    if (!j)
        return "Job not found";
    if (strcmp(j->status, "concluded") == 0 || j->is_paused == is_paused)
        return is_paused ? "Job is already paused" : "Job is not paused";
    j->is_paused = is_paused;
    return NULL;
}

static const char *set_speed(struct fake_qemu *q, json_object *args)
{
    struct fake_job *j = fake_job(q, fake_text(args, "device"));
    if (!j)
        return "Job not found";
    j->speed = json_object_get_int64(fake_object(args, "speed"));
    return NULL;
}

static const char *dismiss(struct fake_qemu *q, json_object *args)
{
    return g_ptr_array_remove(q->jobs, fake_job(q, fake_text(args, "id"))) ? NULL : "Job not found";
}

const struct fake_command fake_job_commands[] = {
    {"blockdev-backup", backup},
    {"job-cancel", cancel},
    {"job-pause", set_paused},
    {"job-resume", set_paused},
    {"job-dismiss", dismiss},
    {"block-job-set-speed", set_speed},
    {0},
};
