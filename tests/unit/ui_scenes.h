// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Runs frozen at a moment, for the tests of the screen. Wall clock: 2026-11-22 11:42:07 UTC. */
#include <stdlib.h>
#include <time.h>

#include "model/model.h"
#include "ui/ui.h"

#define G           (UINT64_C(1) << 30)
#define M           (UINT64_C(1) << 20)
#define SCENE_NOW_S 1795347727

static inline int64_t scene_time(int hour, int minute, int second)
{
    return SCENE_NOW_S - (11 * 3600 + 42 * 60 + 7) + hour * 3600 + minute * 60 + second;
}

static inline struct model_drive *scene_drive(struct model *m, const char *name, uint64_t size, uint64_t done,
                                              enum model_state state, uint64_t rate)
{
    struct model_drive *d = model_add_drive(m, name);
    d->is_included = d->is_guarded = true;
    d->size = size;
    d->done = done;
    d->zero = done / 3;
    d->state = state;
    d->rate = d->data_rate = rate;
    d->average = d->peak = state == MODEL_OK ? 113 * M : rate;
    if (rate)
        d->eta_ms = (size - done) * 1000 / rate;
    m->total += size;
    m->forecast.reads += size;
    m->done += done;
    return d;
}

static inline void scene_guest(struct model *m)
{
    setenv("TZ", "UTC", 1);
    tzset();
    model_init(m);
    model_set(m->monitor, "/run/qemu/web-01.qmp");
    model_set(m->guest, "web-01");
    model_set(m->guest_state, "running");
    model_set(m->qemu, "8.2.2");
    model_set(m->target, "/mnt/bk/web-01-20261122T1129.vma.zst");
    model_set(m->recipe, "guard filters, background snapshot");
    model_set(m->compression, "zstd:3");
    m->link.data_age_ms = 400;
}

static inline void scene_log(struct model *m)
{
    model_log(m, MODEL_INFO, scene_time(11, 29, 26), "connected, guest web-01 running, 7 devices");
    model_log(m, MODEL_INFO, scene_time(11, 30, 38), "vmstate saved 4.0G in 72 s, guest stopped 38ms");
    model_log(m, MODEL_INFO, scene_time(11, 41, 20), "scsi1 limit 200M > 120M (operator)");
    model_log(m, MODEL_ERROR, scene_time(11, 41, 58), "virtio4 read error at 13.2G: Input/output error");
    model_log(m, MODEL_HINT, scene_time(11, 41, 58), "look at the host's dmesg; then r retries, c drops it");
    model_log(m, MODEL_WARNING, scene_time(11, 42, 3), "target takes 123M/s, less than comes in; drives wait for it");
}

/* Copied up to 61 %, with a stretch of zeros and what the guest overwrote further on. */
static inline void scene_map(struct model_drive *d)
{
    for (unsigned i = 0; i < MODEL_MAP_CELLS; i++) {
        d->map.held[i] = i < 156 ? 255 : i == 156 ? 100 : i % 40 == 0 ? 9 : 0;
        d->map.zero[i] = i >= 70 && i < 100 ? 255 : 0;
    }
}

/* Three minutes of it, as the screen would have seen them. */
static inline void scene_watch(struct ui *ui, struct model *m)
{
    static const unsigned in[] = {380, 395, 410, 420, 412, 300, 120, 60, 90, 260, 390, 430, 445, 440, 420, 405};
    uint64_t in_rate = m->in_rate, out_rate = m->out_rate, write_us = m->impact.write_us;
    for (unsigned s = 0; s < 180; s++) {
        m->in_rate = (in[s / 6 % 16] + s * 7 % 23) * M;
        m->out_rate = m->in_rate * 3 / 10;
        m->impact.write_us = 1500 + s * 131 % 900;
        m->drives[2].rate = (100 + s * 13 % 24) * M;
        ui_tick(ui, m, 1000 * (int64_t)s);
    }
    m->in_rate = in_rate;
    m->out_rate = out_rate;
    m->impact.write_us = write_us;
    m->drives[2].rate = 118 * M;
    ui_tick(ui, m, 180000);
}

/* In the middle of a copy: every state a row can have. */
static inline void scene_copy(struct model *m)
{
    scene_guest(m);
    m->phase = MODEL_COPY;
    m->started_s = scene_time(11, 29, 26);
    m->elapsed_ms = 761000;
    m->eta_ms = 1080000;
    m->in_rate = m->data_rate = 412 * M;
    m->out_rate = 123 * M;
    m->sink.written = 39 * G + 205 * M;
    m->sink.free_bytes = 1239 * G;
    m->sink.need_bytes = 111 * G;
    m->sink.spool_size = 5 * G;
    m->sink.spool_used = 150 * M;
    m->pause_ms = 38;
    m->slowest.by = MODEL_BY_SINK;
    m->sink.buffers_total = 768;
    m->sink.buffers_used = 630;
    m->impact = (struct model_impact){.write_us = 1800, .base_us = 900, .p99_us = 7000};
    struct model_drive *d = scene_drive(m, "vmstate", 4 * G, 4 * G, MODEL_OK, 0);
    d->is_vmstate = d->takes_no_limit = true;
    d->elapsed_ms = 72000;
    d = scene_drive(m, "scsi0", 32 * G, 32 * G, MODEL_OK, 0);
    d->elapsed_ms = 290000;
    d = scene_drive(m, "scsi1", 64 * G, 39 * G + 307 * M, MODEL_RUN, 118 * M);
    d->limit = d->limit_wanted = 120 * M;
    d->is_limit_binding = true;
    d->average = 101 * M;
    d->peak = 203 * M;
    d->elapsed_ms = 399000;
    d->filter.bytes = 1229 * M;
    d->filter.rate = 3 * M;
    scene_map(d);
    d = scene_drive(m, "scsi2", 128 * G, 39 * G + 40 * M, MODEL_RUN, 294 * M);
    d->paused.by_target = true;
    d = scene_drive(m, "virtio3", 256 * G, 5 * G + 400 * M, MODEL_PAUSE, 0);
    d->paused.by_operator = true;
    d->limit = d->limit_wanted = 50 * M;
    model_set(d->note, "by you 11:40");
    d = scene_drive(m, "virtio4", 28 * G, 13 * G + 200 * M, MODEL_FAIL, 0);
    d->may_retry = d->keeps_instant = true;
    d->retries = 3;
    model_set(d->note, "read error (EIO)");
    model_set(d->error, "read error at 13.2G of drive virtio4: Input/output error");
    model_set(d->hint, "the host could not read it: look at dmesg there; then r retries");
    for (unsigned i = 0; i < m->n_drives; i++) {
        m->drives[i].instant_us = scene_time(11, 29, 27) * G_USEC_PER_SEC;
        model_set(m->drives[i].node, "drive-%s", m->drives[i].name);
        model_set(m->drives[i].format, "qcow2");
    }
    scene_drive(m, "efidisk0", 64 * M, 0, MODEL_WAIT, 0);
    m->zero = m->done / 100 * 37;
    scene_log(m);
}

static inline void scene_plan(struct model *m)
{
    static const struct {
        const char *name, *format, *note;
        uint64_t size, used;
    } rows[] = {
        {"vmstate", "", "RAM and devices", 4 * G, 3 * G + 100 * M},
        {"scsi0", "qcow2", "", 32 * G, 12 * G + 410 * M},
        {"scsi1", "qcow2", "", 64 * G, 50 * G + 100 * M},
        {"scsi2", "raw", "", 128 * G, 101 * G},
        {"virtio3", "raw", "excluded", 256 * G, 248 * G},
        {"ide2", "raw", "CD-ROM, read-only: skipped", 1200 * M, MODEL_UNKNOWN},
        {"efidisk0", "qcow2", "", 64 * M, 512 << 10},
    };
    scene_guest(m);
    m->phase = MODEL_PLAN;
    m->sink.free_bytes = 1239 * G;
    m->sink.need_bytes = 167 * G;
    m->retries = m->level = 3;
    m->wants_vmstate = true;
    model_set(m->engine.word, "push");
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct model_drive *d = scene_drive(m, rows[i].name, rows[i].size, 0, MODEL_WAIT, 0);
        d->used = rows[i].used;
        d->is_vmstate = d->takes_no_limit = i == 0;
        d->is_included = i != 4 && i != 5;
        d->state = i == 5 ? MODEL_SKIPPED : MODEL_WAIT;
        d->limit = d->limit_wanted = i == 2 ? 120 * M : 0;
        model_set(d->engine, i ? "push" : "");
        model_set(d->format, "%s", rows[i].format);
        model_set(d->note, "%s", rows[i].note);
        if (!d->is_included)
            m->total = m->forecast.reads -= d->size;
    }
    model_set(m->same_as, "vmabackup backup --limit scsi1=120M --exclude virtio3 -o %s /run/qemu/web-01.qmp",
              m->target);
    model_log(m, MODEL_INFO, scene_time(11, 29, 26), "connected, guest web-01 running, 7 devices");
    model_log(m, MODEL_WARNING, scene_time(11, 29, 26), "no guest agent: file systems are saved as after a power cut");
}

static inline void scene_connect(struct model *m, bool has_failed)
{
    static const struct {
        enum model_state state;
        const char *text;
    } checks[] = {
        {MODEL_OK, "the path exists and is a socket (srwxr-x--- root:kvm)"},
        {MODEL_OK, "this user may open it"},
        {MODEL_FAIL, "connect: Connection refused (ECONNREFUSED)"},
        {MODEL_WAIT, "QMP greeting"},
        {MODEL_WAIT, "capabilities, QEMU version, guest"},
    };
    setenv("TZ", "UTC", 1);
    tzset();
    model_init(m);
    m->phase = has_failed ? MODEL_CONNECT_FAILED : MODEL_CONNECTING;
    model_set(m->monitor, "/run/qemu/web-01.qmp");
    for (unsigned i = 0; i < G_N_ELEMENTS(checks); i++) {
        m->link.checks[i].state = has_failed || i < 2 ? checks[i].state : i == 2 ? MODEL_RUN : MODEL_WAIT;
        model_set(m->link.checks[i].text, "%s", !has_failed && i == 2 ? "connect" : checks[i].text);
    }
    m->link.n_checks = G_N_ELEMENTS(checks);
    if (!has_failed)
        return;
    model_set(m->link.failure, "Nothing is listening on that socket.");
    model_set(m->link.advice, "Most often QEMU has ended and left the file behind, or it was started without "
                              "-qmp unix:/run/qemu/web-01.qmp,server=on,wait=off");
    m->link.retry_in_ms = 3000;
    m->link.attempt = 4;
    m->link.n_nearby = 2;
    model_set(m->link.nearby[0].address, "/run/qemu/db-02.qmp");
    model_set(m->link.nearby[0].guest, "db-02");
    model_set(m->link.nearby[0].qemu, "8.2.2");
    model_set(m->link.nearby[1].address, "/run/qemu/mail.qmp");
    model_set(m->link.nearby[1].guest, "mail");
    model_set(m->link.nearby[1].qemu, "7.2.9");
    model_log(m, MODEL_ERROR, scene_time(11, 42, 5), "connect /run/qemu/web-01.qmp: Connection refused");
}

static inline void scene_finished(struct model *m, bool is_complete)
{
    scene_copy(m);
    m->phase = MODEL_DONE;
    m->elapsed_ms = 1862000;
    m->done = m->total;
    m->zero = m->total / 100 * 37;
    m->end.archive_bytes = 141 * G + 300 * M;
    m->slowest.ms[MODEL_BY_SINK] = 1320000;
    m->slowest.ms[MODEL_BY_LIMIT] = 335000;
    m->slowest.ms[MODEL_BY_SOURCE] = 204000;
    for (unsigned i = 0; i < m->n_drives; i++) {
        struct model_drive *d = &m->drives[i];
        if (d->state == MODEL_FAIL && !is_complete) {
            d->retries = 3;
            continue;
        }
        d->state = MODEL_OK;
        d->done = d->size;
        d->zero = d->size / 3;
        d->average = d->average ? d->average : 64 * M;
        d->elapsed_ms = d->size * 1000 / d->average;
        d->paused.by_operator = d->paused.by_target = false;
        d->note[0] = '\0';
    }
    m->end.exit_status = is_complete ? 0 : 3;
    model_set(m->end.outcome, "%s",
              is_complete ? "all 7 devices saved, 141G in 31m02s"
                          : "6 of 7 devices saved, virtio4 is missing (read error, EIO)");
    model_set(m->end.next, "%s",
              is_complete ? "" : "look at the host's disk, then back up again; this archive lacks virtio4");
}
