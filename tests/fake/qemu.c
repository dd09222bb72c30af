// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/qemu.h"
#include <libnbd.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fake/agent.h"
#include "fake/acts.h"
#include "fake/vhost.h"

/* --- a command ---------------------------------------------------------------------------------- */

static const char *act(struct fake_qemu *q, json_object *args)
{
    static const struct fake_command *const tables[] = {fake_block_commands, fake_export_commands, fake_job_commands,
                                                        fake_guest_commands};
    if ((q->answer = fake_answer(q, q->command)))
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const struct fake_command *c = tables[i]; c->name; c++)
            if (strcmp(c->name, q->command) == 0)
                return c->act(q, args);
    return "?";
}

/* Somebody else has a hand in it, too. The event comes before the answer. */
static void interfere(struct fake_qemu *q, enum fault_kind kind)
{
    if (kind == FAULT_RESUMED && !q->is_running) {
        q->was_instant_broken = q->is_frozen;
        q->kind.is_paused = false;
        fake_set_running(q, true);
    } else if (kind == FAULT_PAUSED && q->is_running) {
        q->kind.is_paused = true;
        fake_set_running(q, false);
    } else if (kind == FAULT_SHUTDOWN) {
        fake_event(q, "SHUTDOWN", "{\"guest\":true,\"reason\":\"guest-shutdown\"}");
    }
}

static void refuse(struct fake_qemu *q, int64_t id, const char *class, const char *why)
{
    fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"error\":{\"class\":\"%s\",\"desc\":\"%s\"}}\r\n", id, class, why);
}

static void answer(struct fake_qemu *q, int64_t id, const char *why)
{
    if (why)
        refuse(q, id,
               *why == '?'                ? "CommandNotFound"
               : strstr(why, "not found") ? "DeviceNotActive"
                                          : "GenericError",
               why);
    else
        fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"return\":%s}\r\n", id, q->answer ? q->answer : "{}");
}

static void execute(struct fake_qemu *q, json_object *args, int64_t id, enum fault_kind kind)
{
    const char *why = act(q, args);
    interfere(q, kind);
    if (kind != FAULT_HANGUP_AFTER && kind != FAULT_SILENT_AFTER && kind != FAULT_TOLD_AND_LOST && kind != FAULT_LATE)
        answer(q, id, why);
    g_clear_pointer(&q->answer, g_free);
    if (q->deleted) {
        g_autofree char *data = g_strdup_printf("{\"id\":\"%s\"}", q->deleted);
        q->deleted = NULL;
        fake_event(q, "BLOCK_EXPORT_DELETED", data);
    }
    if (q->started)
        fake_run_job(q, g_steal_pointer(&q->started));
}

/* --- what goes wrong with it -------------------------------------------------------------------- */

static void die(struct fake_qemu *q)
{
    q->is_dead = true;
    fake_each (struct fake_node, n, q->nodes)
        nbd_close(g_steal_pointer(&n->nbd)); /* no goodbye */
    g_ptr_array_set_size(q->nodes, 0);
    g_ptr_array_set_size(q->jobs, 0);
    g_ptr_array_set_size(q->exports, 0);
    g_hash_table_remove_all(q->fds);
    g_hash_table_remove_all(q->sets);
    fake_end_stream(q, "failed");
}

/* The answer that is late comes when it is due. */
static void be_late(struct fake_qemu *q, enum fault_kind kind, int64_t id)
{
    if (kind == FAULT_LATE) {
        q->late_id = id;
        q->late_after = 8;
    } else if (q->late_id && --q->late_after == 0) {
        refuse(q, q->late_id, "GenericError", "not today");
        q->late_id = 0;
    }
}

/* Into the log, with whom it is about. */
static void note(struct fake_qemu *q, json_object *args)
{
    static const char *const keys[] = {"node-name", "fdname", "job-id", "id", "device", "path"};
    const char *subject = NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(keys) && !subject; i++)
        subject = fake_text(args, keys[i]);
    g_ptr_array_add(q->log, g_strdup_printf("%s %s", q->command, subject ? subject : ""));
}

static void take(struct fake_qemu *q, json_object *message)
{
    json_object *args = fake_object(message, "arguments");
    int64_t id = json_object_get_int64(fake_object(message, "id"));
    enum fault_kind kind = FAULT_NONE;
    q->command = fake_text(message, "execute");
    note(q, args);
    if (g_strcmp0(q->fault.command, q->command) == 0 && ++q->n_seen == q->fault.nth)
        kind = q->fault.kind;
    be_late(q, kind, id);
    q->is_mute |= kind == FAULT_MUTE;
    if (q->is_mute)
        return;
    fake_moment(q);
    if (kind == FAULT_PANICKED)
        fake_panic(q);
    else if (kind == FAULT_MIGRATED)
        fake_leave(q);
    else if (kind == FAULT_SNAPSHOT)
        fake_snapshot(q);
    else if (kind == FAULT_TOLD || kind == FAULT_TOLD_AND_LOST)
        q->on_fault(q->user);
    if (kind == FAULT_ERROR)
        refuse(q, id, "GenericError", "not today");
    else if (kind == FAULT_DEATH)
        die(q);
    else if (kind != FAULT_HANGUP_BEFORE && kind != FAULT_SILENT_BEFORE)
        execute(q, args, id, kind);
    q->hangs_up = kind == FAULT_HANGUP_BEFORE || kind == FAULT_HANGUP_AFTER || kind == FAULT_TOLD_AND_LOST;
}

/* --- the monitor's socket ----------------------------------------------------------------------- */

static void hang_up(struct fake_qemu *q)
{
    if (q->conn >= 0) {
        close(q->conn);
        g_atomic_int_inc(&q->n_hung_up);
    }
    if (q->passed_fd >= 0)
        close(q->passed_fd);
    q->conn = q->passed_fd = -1;
    q->hangs_up = false;
    g_string_truncate(q->input, 0);
}

static bool receive(struct fake_qemu *q)
{
    char bytes[4096];
    struct iovec iov = {bytes, sizeof bytes};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(q->conn, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (n <= 0)
        return false;
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(&q->passed_fd, CMSG_DATA(c), sizeof q->passed_fd);
    g_string_append_len(q->input, bytes, n);
    return true;
}

static void serve(struct fake_qemu *q)
{
    char *end;
    if (!receive(q)) {
        hang_up(q);
        return;
    }
    while (!q->is_dead && !q->hangs_up && (end = strchr(q->input->str, '\n'))) {
        *end = '\0';
        json_object *message = json_tokener_parse(q->input->str);
        g_assert_nonnull(message);
        take(q, message);
        json_object_put(message);
        g_string_erase(q->input, 0, end - q->input->str + 1);
    }
    if (q->hangs_up)
        hang_up(q);
}

static void greet(struct fake_qemu *q)
{
    q->conn = accept4(q->listener, NULL, NULL, SOCK_CLOEXEC);
    fake_say(q,
             "{\"QMP\":{\"version\":{\"qemu\":{\"major\":%d,\"minor\":0,\"micro\":0},\"package\":\"\"},"
             "\"capabilities\":[]}}\r\n",
             q->kind.major);
}

static gpointer qemu_main(gpointer data)
{
    struct fake_qemu *q = data;
    while (!q->is_dead) {
        struct pollfd fds[3 + FAKE_VHOST_FDS] = {{q->wake[0], POLLIN, 0},
                                                 {q->conn >= 0 ? q->conn : q->listener, POLLIN, 0},
                                                 {q->agent && q->is_running ? fake_agent_fd(q->agent) : -1, POLLIN, 0}};
        bool is_busy = fake_is_busy(q);
        poll(fds, 3 + fake_vhost_poll(q, fds + 3), is_busy ? 1 : -1);
        if (fds[0].revents)
            break;
        fake_vhost_serve(q, fds + 3);
        if (fds[2].revents)
            fake_agent_serve(q->agent);
        if (fds[1].revents)
            (q->conn >= 0 ? serve : greet)(q);
        else if (is_busy && !fds[2].revents)
            fake_live(q);
    }
    hang_up(q);
    if (q->agent)
        fake_agent_hang_up(q->agent);
    if (q->is_dead) {
        close(q->listener);
        unlink(q->path);
    }
    return NULL;
}

void fake_start(struct fake_qemu *q)
{
    g_assert_cmpint(pipe(q->wake), ==, 0);
    q->thread = g_thread_new("qemu", qemu_main, q);
}

void fake_stop(struct fake_qemu *q)
{
    g_assert_cmpint(write(q->wake[1], "x", 1), ==, 1);
    g_thread_join(q->thread);
    close(q->wake[0]);
    close(q->wake[1]);
}
