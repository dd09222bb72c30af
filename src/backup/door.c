// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How QEMU finds the sockets that we listen on.
 *
 * Never by a connected descriptor: a block node keeps the number of one, and when its connection has ended, it connects
 * again by that number and so takes, or closes, whatever QEMU has opened under it meanwhile. So the sockets lie in a
 * folder of the run's own, QEMU gets a descriptor of that, and connects to /proc/self/fd/NUMBER/NAME. Each socket lets
 * one client in and is gone then: a node that tries again finds nothing, which harms nobody. The folder lies in one
 * that only we, and root, may enter; by the descriptor QEMU gets past that, whatever user it runs as.
 *
 * Where the monitor passes no descriptors (TCP, or a UNIX socket that socat or ssh forwards), QEMU is told the path.
 * (QEMU 11.1 ends a monitor by which it gets an O_PATH descriptor: so it is the folder, not the socket's file.)
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backup/run.h"
#include "backup/steps.h"
#include "base/listening.h"
#include "rescue/journal.h"

bool door_has_descriptors(const struct backup *b)
{
    return qmp_can_pass_fds(b->qmp) && !b->door.is_forwarded;
}

/* --- the folder --------------------------------------------------------------------------------- */

bool door_open(struct backup *b, GError **error)
{
    g_autofree char *parent = journal_folder(error);
    struct door *door = &b->door;

    if (!parent)
        return false;
    g_free(door->folder);
    door->folder = g_strdup_printf("%s/%s", parent, b->run_id);
    /* Others may pass through: who gets as far as that. */
    if (mkdir(door->folder, 0700) == 0 && chmod(door->folder, 0711) == 0)
        return true;
    return vmb_fail(error, VMB_ERROR_FAILED, "folder %s: %s", door->folder, g_strerror(errno));
}

char *door_path(const struct backup *b, const char *name)
{
    return g_strdup_printf("%s/%s", b->door.folder, name);
}

void door_close(struct backup *b)
{
    if (b->door.folder)
        rmdir(b->door.folder); /* each socket is gone with its listener */
    g_clear_pointer(&b->door.folder, g_free);
}

int door_dead_end(const struct backup *b, const char *name, GError **error)
{
    g_autofree char *path = door_path(b, name);
    struct listening *socket = listening_open(path, error);
    int fd = socket ? listening_take_fd(socket) : -1;

    listening_close(socket);
    return fd;
}

/* --- showing it --------------------------------------------------------------------------------- */

static void show(struct steps_op *op)
{
    struct door *door = &op->b->door;
    const char *path = listening_path(door->socket);
    g_autofree char *name = g_path_get_basename(path), *by_number = NULL;

    if (door->is_handed_over)
        by_number = g_strdup_printf("/proc/self/fd/%" G_GINT64_FORMAT "/%s", door->number, name);
    door->on_shown(op, by_number ? by_number : path, NULL);
}

static void on_passed(void *user, int64_t set, int64_t number, const GError *error)
{
    struct steps_op *op = user;
    struct door *door = &op->b->door;
    bool is_forwarded = error && error->domain == QMP_ERROR && strstr(error->message, "No file descriptor supplied");

    if (is_forwarded) {
        door->is_forwarded = true;
        backup_note(op->b,
                    "this monitor is forwarded and passes no descriptors: QEMU is told the paths of our sockets");
    } else if (error) {
        door->on_shown(op, NULL, error);
        return;
    }
    door->is_handed_over = !is_forwarded;
    door->number = number;
    show(op);
}

static void hand_over(struct steps_op *op)
{
    struct backup *b = op->b;
    g_autofree char *name = g_strdup_printf("vmb-%s-door", b->run_id);
    g_autoptr(GError) error = NULL;
    int fd = open(b->door.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0) {
        qmp_add_fd(b->qmp, name, fd, on_passed, op);
        return;
    }
    g_set_error(&error, VMB_ERROR, VMB_ERROR_FAILED, "folder %s: %s", b->door.folder, g_strerror(errno));
    b->door.on_shown(op, NULL, error);
}

void door_show(struct steps_op *op, struct listening *socket, door_shown on_shown)
{
    struct door *door = &op->b->door;
    g_autoptr(GError) error = NULL;

    door->socket = socket;
    door->on_shown = on_shown;
    if (!door_has_descriptors(op->b))
        show(op);
    else if (!listening_admit_all(socket, &error))
        on_shown(op, NULL, error);
    else if (door->is_handed_over)
        show(op);
    else
        hand_over(op);
}

void door_monitor_lost(struct backup *b)
{
    b->door.is_handed_over = false;
}

/* Also what was handed over when the monitor was lost, and its answer with it. */
void door_undo(struct steps_op *op)
{
    g_autofree char *prefix = g_strdup_printf("vmb-%s-", op->b->run_id);

    op->b->door.is_handed_over = false;
    if (door_has_descriptors(op->b))
        qmp_remove_fds_named(op->b->qmp, prefix, steps_reply, op);
    else
        steps_end(op, NULL);
}

GError *door_explain(const struct backup *b, const GError *error)
{
    bool is_unreachable = !door_has_descriptors(b) && strstr(error->message, "Failed to connect");

    return g_error_new(error->domain, error->code, "%s%s", error->message,
                       is_unreachable
                           ? "; by a monitor that passes no descriptors (TCP, socat, ssh -L) this works only on "
                             "QEMU's own host and as its user"
                           : "");
}
