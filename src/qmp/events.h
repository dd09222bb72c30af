// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The events of QEMU we act upon, as plain values. Others come as QMP_EVENT_OTHER with their name. */
#include <stdint.h>

enum qmp_event_type {
    QMP_EVENT_OTHER,
    QMP_EVENT_STOP,
    QMP_EVENT_RESUME,
    QMP_EVENT_WAKEUP,         /* from the sleep of its own, "suspended": RESUME does not come then */
    QMP_EVENT_GUEST_PANICKED, /* action */
    QMP_EVENT_WATCHDOG,       /* action */
    QMP_EVENT_SHUTDOWN,
    QMP_EVENT_RESET,
    QMP_EVENT_MIGRATION,            /* status */
    QMP_EVENT_MIGRATION_PASS,       /* offset = the pass */
    QMP_EVENT_JOB_STATUS_CHANGE,    /* id, status */
    QMP_EVENT_BLOCK_JOB_COMPLETED,  /* id, offset, len, error or NULL */
    QMP_EVENT_BLOCK_JOB_CANCELLED,  /* id, offset, len */
    QMP_EVENT_BLOCK_JOB_ERROR,      /* id, operation, action */
    QMP_EVENT_BLOCK_IO_ERROR,       /* id = node-name, operation, action */
    QMP_EVENT_BLOCK_EXPORT_DELETED, /* id */
    QMP_EVENT_DEVICE_DELETED,       /* id = device or path */
};

/* Strings are borrowed for the callback, and NULL where the event has none. */
struct qmp_event {
    enum qmp_event_type type;
    const char *name;
    const char *id;
    const char *status;
    const char *operation;
    const char *action;
    const char *error;
    int64_t offset;
    int64_t len;
};
