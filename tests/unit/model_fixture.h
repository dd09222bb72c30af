// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A run in the middle of its course, for the tests of both headless front ends. */
#include "model/event.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
/* 2026-11-22 11:29:26 UTC */
#define NOW_S INT64_C(1795346966)

enum { VMSTATE, SCSI0, VIRTIO4, CDROM };

static void make_model(struct model *m)
{
    model_init(m);
    m->phase = MODEL_COPY;
    model_set(m->guest, "web-01");
    model_set(m->guest_state, "running");
    model_set(m->qemu, "8.2.2");
    model_set(m->monitor, "/tmp/monitor.sock");
    model_set(m->recipe, "guard, background snapshot");
    model_set(m->target, "/mnt/bk/web-01.vma.zst");
    struct model_drive *d = model_add_drive(m, "vmstate");
    *d = (struct model_drive){.name = "vmstate",
                              .is_vmstate = true,
                              .is_included = true,
                              .state = MODEL_OK,
                              .size = 4 * GIB,
                              .done = 4 * GIB,
                              .average = 57 * MIB,
                              .elapsed_ms = 72000,
                              .used = MODEL_UNKNOWN,
                              .eta_ms = 0};
    m->pause_ms = 38;
    d = model_add_drive(m, "scsi0");
    d->is_included = d->is_guarded = true;
    d->state = MODEL_RUN;
    d->size = 64 * GIB;
    d->done = 32 * GIB;
    d->rate = 118 * MIB;
    d->limit = 120 * MIB;
    d->is_limit_binding = true;
    d = model_add_drive(m, "virtio4");
    d->is_included = true;
    d->state = MODEL_FAIL;
    d->size = 28 * GIB;
    d->done = 13 * GIB;
    model_set(d->note, "Input/output error");
    d = model_add_drive(m, "cdrom");
    model_set(d->note, "read-only: skipped");
    m->total = 96 * GIB;
    m->done = 25 * GIB;
    m->in_rate = 412 * MIB;
    m->eta_ms = 18 * 60000;
}
