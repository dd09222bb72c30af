// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What can go wrong with a monitor. Connection errors are a whole sentence for the operator, "ADDRESS: what;
 * what to do"; an error that QEMU answered carries QEMU's own text. Both are safe to print.
 */
#include <stdbool.h>
#include <glib.h>

#define QMP_ERROR qmp_error_quark()
GQuark qmp_error_quark(void);
enum qmp_error {
    QMP_ERROR_COMMAND,    /* QEMU answered with an error: message is its desc */
    QMP_ERROR_NO_DEVICE,  /* the same: what the command names (device, job, node, export, fd) is not there */
    QMP_ERROR_NO_COMMAND, /* the same, class CommandNotFound */
    QMP_ERROR_TIMEOUT,    /* no answer within the deadline */
    QMP_ERROR_GONE,       /* the connection ended */
    QMP_ERROR_NOT_THERE,  /* no such path */
    QMP_ERROR_REFUSED,    /* nothing listens */
    QMP_ERROR_PERMISSION, /* this user may not open it */
    QMP_ERROR_NOT_SOCKET, /* the path is no socket, or host/port cannot be read */
    QMP_ERROR_BUSY,       /* connected, but no greeting in time: another client holds this monitor */
    QMP_ERROR_HMP,        /* a human monitor, not QMP */
    QMP_ERROR_NOT_QMP,    /* greeting or message that is no QMP, or too large */
};
/* QEMU answered, and said no: the command has changed nothing. NULL is no refusal. */
bool qmp_error_is_refusal(const GError *error);
