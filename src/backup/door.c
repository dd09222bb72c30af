// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How QEMU finds a socket that we listen on.
 *
 * Never by a connected descriptor: a block node keeps the number of one, and when its connection has ended, it connects again
 * by that number and so takes, or closes, whatever QEMU has opened under it meanwhile. So QEMU is handed the socket's
 * file instead, and connects to that; the path is removed, and nobody else can come in. The listener lets one client in. Whoever
 * tries again later finds nobody, which harms nobody.
 *
 * Where the monitor passes no descriptors (TCP, or a UNIX socket that socat or ssh forwards), the path stays until QEMU is in:
 * in a folder that only we, and root, may enter.
 */
#include <string.h>
#include "backup/journal.h"
#include "backup/run.h"
#include "base/listening.h"

bool door_has_descriptors(const struct backup *b)
{
    return qmp_can_pass_fds(b->qmp) && !b->is_forwarded;
}

char *door_path(const char *name, GError **error)
{
    g_autofree char *folder = journal_folder(error);

    return folder ? g_strdup_printf("%s/%s", folder, name) : NULL;
}

static void shown(struct steps_op *op, const char *path, const GError *error)
{
    op->b->door->on_shown(op, path, error);
}

static void note_forwarded(struct backup *b)
{
    b->is_forwarded = true;
    backup_note(b, "this monitor is forwarded and passes no descriptors: QEMU is told the paths of our sockets");
}

static void on_passed(void *user, int64_t set, int64_t number, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;
    struct door *door = b->door;
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%" G_GINT64_FORMAT, number);

    if (error && error->domain == QMP_ERROR && strstr(error->message, "No file descriptor supplied")) {
        note_forwarded(b);
        shown(op, listening_path(door->socket), NULL);
        return;
    }
    if (!error) {
        door->is_handed_over = true;
        door->set = set;
        listening_remove(door->socket);
    }
    shown(op, path, error);
}

void door_show(struct steps_op *op, struct door *door, const char *name, struct listening *socket, door_shown on_shown)
{
    struct backup *b = op->b;
    g_autoptr(GError) error = NULL;
    int fd;

    *door = (struct door){.socket = socket, .on_shown = on_shown};
    b->door = door;
    if (!door_has_descriptors(b)) {
        shown(op, listening_path(socket), NULL);
        return;
    }
    fd = listening_handle(socket, &error);
    if (fd < 0)
        shown(op, NULL, error);
    else
        qmp_add_fd(b->qmp, name, fd, on_passed, op);
}

void door_withdraw(struct steps_op *op, struct door *door, qmp_done done)
{
    bool is_handed_over = door->is_handed_over;

    door->is_handed_over = false;
    if (is_handed_over)
        qmp_remove_fd(op->b->qmp, door->set, done, op);
    else
        done(op, NULL);
}

GError *door_explain(const struct backup *b, const GError *error)
{
    bool is_unreachable = !door_has_descriptors(b) && strstr(error->message, "Failed to connect");

    return g_error_new(error->domain, error->code, "%s%s", error->message,
                       is_unreachable ? "; by a monitor that passes no descriptors (TCP, socat, ssh -L) this works only on "
                                        "QEMU's own host and as its user"
                                      : "");
}
