// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The runs that go on on this machine, found by their control sockets (control.h), and one question to one of them. For
 * programs that do nothing else: these calls wait, at most RUNS_PATIENCE_MS for each run.
 *
 *     g_autoptr(GPtrArray) all = runs_list();
 *     struct runs_entry *e = runs_find("b7c1f00d", &error);      // or the path of its monitor
 *     g_autofree char *answer = runs_ask(e, "limit scsi1 50M", &error);
 *     runs_entry_free(e);
 */
#include <glib.h>
#include "model/model.h"

#define RUNS_PATIENCE_MS 2000

struct runs_entry {
    char *path; /* of its control socket */
    char *run_id;
    char *state; /* the lines that told how it stands */
    struct replay *replay;
    const struct model *model;
};
void runs_entry_free(struct runs_entry *e);

/* struct runs_entry *, those that have answered, by guest: of this user, and to root of all. Sockets of runs that died
 * are removed. */
GPtrArray *runs_list(void);
/* By its id, or by its monitor as it was named or as any path to the same socket. VMB_ERROR_MONITOR where there is
 * none; VMB_ERROR_USAGE where one monitor has several (they are not begun yet). */
struct runs_entry *runs_find(const char *run, GError **error);
/* What it says to a command; "" when it only says yes. NULL with its sentence when it refuses. */
char *runs_ask(const struct runs_entry *e, const char *line, GError **error);
/* A connected socket, or -1. */
int runs_connect(const char *path, GError **error);
