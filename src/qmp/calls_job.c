// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls about jobs. */
#include "qmp/call.h"
#include "qmp/field.h"

/* One cluster of ours; many small requests in flight are fastest and leanest for QEMU. It refuses less. */
#define MAX_CHUNK_BYTES 65536

void qmp_backup(struct qmp *q, const struct qmp_backup_job *job, qmp_done done, void *user)
{
    struct json_object *args = args_new_text("job-id", job->id);

    args_text(args, "device", job->device);
    args_text(args, "target", job->target);
    args_text(args, "sync", job->bitmap ? "bitmap" : "full");
    if (job->bitmap) {
        args_text(args, "bitmap", job->bitmap);
        args_text(args, "bitmap-mode", "never");
    }
    args_flag(args, "auto-dismiss", false); /* the result outlives a lost monitor */
    if (job->speed > 0)
        args_int(args, "speed", job->speed);
    if (job->workers) {
        struct json_object *perf = args_new();
        args_int(perf, "max-workers", job->workers);
        args_int(perf, "max-chunk", MAX_CHUNK_BYTES);
        args_object(args, "x-perf", perf);
    }
    call_do(q, "blockdev-backup", args, done, user);
}

void qmp_stream(struct qmp *q, const char *id, const char *device, const char *base, qmp_done done, void *user)
{
    struct json_object *args = args_new_text("job-id", id);

    args_text(args, "device", device);
    args_text(args, "base-node", base);
    call_do(q, "block-stream", args, done, user);
}

/* job-cancel, because block-job-cancel refuses a paused job. */
void qmp_job_cancel(struct qmp *q, const char *id, qmp_done done, void *user)
{
    call_do(q, "job-cancel", args_new_text("id", id), done, user);
}

void qmp_job_dismiss(struct qmp *q, const char *id, qmp_done done, void *user)
{
    call_do(q, "job-dismiss", args_new_text("id", id), done, user);
}

void qmp_job_pause(struct qmp *q, const char *id, qmp_done done, void *user)
{
    call_do(q, "job-pause", args_new_text("id", id), done, user);
}

void qmp_job_resume(struct qmp *q, const char *id, qmp_done done, void *user)
{
    call_do(q, "job-resume", args_new_text("id", id), done, user);
}

void qmp_job_set_speed(struct qmp *q, const char *id, int64_t bytes_per_s, qmp_done done, void *user)
{
    struct json_object *args = args_new_text("device", id);

    args_int(args, "speed", bytes_per_s);
    call_do(q, "block-job-set-speed", args, done, user);
}

/* --- query-jobs, and what only query-block-jobs tells ------------------------------------------- */

static struct qmp_job read_job(struct json_object *entry)
{
    return (struct qmp_job){
        .id = field_text(entry, "id"),
        .type = field_text(entry, "type"),
        .status = field_text(entry, "status"),
        .error = field_text(entry, "error"),
        .current = field_int(entry, "current-progress", 0),
        .total = field_int(entry, "total-progress", 0),
    };
}

/* A job may have ended between the two answers, or have no id (an internal one): then the rest stays zero. */
static void add_block_job(struct qmp_job *jobs, unsigned n, struct json_object *entry)
{
    const char *id = field_text(entry, "device");

    for (unsigned i = 0; i < n; i++) {
        if (!id || g_strcmp0(jobs[i].id, id) != 0)
            continue;
        jobs[i].speed = field_int(entry, "speed", 0);
        jobs[i].is_paused = field_is_true(entry, "paused");
    }
}

static void on_block_jobs(struct call *call, struct json_object *value, const GError *error)
{
    unsigned n = error ? 0 : call_length(call->kept);
    g_autofree struct qmp_job *jobs = g_new0(struct qmp_job, n);

    for (unsigned i = 0; i < n; i++)
        jobs[i] = read_job(json_object_array_get_idx(call->kept, i));
    for (unsigned i = 0; i < call_length(value); i++)
        add_block_job(jobs, n, json_object_array_get_idx(value, i));
    ((qmp_on_jobs)call->done)(call->user, jobs, n, error);
}

static void on_jobs(struct call *call, struct json_object *value, const GError *error)
{
    struct call *rest;

    if (error) {
        ((qmp_on_jobs)call->done)(call->user, NULL, 0, error);
        return;
    }
    rest = call_continue(call);
    rest->kept = json_object_get(value);
    call_send(rest, "query-block-jobs", NULL, json_type_array, on_block_jobs);
}

void qmp_query_jobs(struct qmp *q, qmp_on_jobs done, void *user)
{
    call_ask(q, "query-jobs", NULL, json_type_array, on_jobs, CALL_ANY(done), user);
}
