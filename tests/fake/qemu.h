// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A QEMU that is none: a thread that speaks QMP, takes descriptors, writes drives over NBD and RAM into a
 * socket, keeps the books on nodes, jobs and descriptors, and does one thing wrong when it is told to.
 *
 *     struct fake_qemu *q = fake_new("/tmp/x.sock", &(struct fake_kind){.major = 10, .n_drives = 2});
 *     q->fault = (struct fake_fault){"blockdev-add", 3, FAULT_HANGUP_BEFORE};
 *     fake_start(q); … a backup …; fake_stop(q);
 *     q->violation, q->log, fake_left(q) …
 *
 * The books are read only before fake_start() and after fake_stop(). What aborts a real QEMU is a violation
 * here.
 */
#include "fake/acts.h"

/* --- answers ------------------------------------------------------------------------------------ */

static char *fake_list_drives(struct fake_qemu *q)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->kind.n_drives; i++)
        g_string_append_printf(s,
                               "%s{\"device\":\"\",\"qdev\":\"/machine/peripheral/dev%u/x\",\"removable\":false,"
                               "\"inserted\":{\"node-name\":\"%s\",\"drv\":\"raw\",\"ro\":false,"
                               "\"image\":{\"virtual-size\":%u,\"actual-size\":%u}}}",
                               i ? "," : "", i, q->drives[i], FAKE_DRIVE_SIZE, FAKE_DRIVE_SIZE);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *fake_list_nodes(struct fake_qemu *q)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->nodes->len; i++) {
        const struct fake_node *n = g_ptr_array_index(q->nodes, i);
        g_string_append_printf(
            s, "%s{\"node-name\":\"%s\",\"drv\":\"%s\",\"image\":{\"virtual-size\":%" G_GUINT64_FORMAT "}}",
            i ? "," : "", n->name, n->driver, n->size);
    }
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        g_string_append_printf(s, ",{\"node-name\":\"#block%u\",\"drv\":\"file\",\"ro\":false,\"file\":\"disk%u.raw\"}",
                               i, i);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *fake_list_jobs(struct fake_qemu *q, bool is_block)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->jobs->len; i++) {
        const struct fake_job *j = g_ptr_array_index(q->jobs, i);
        g_string_append(s, i ? "," : "");
        if (is_block)
            g_string_append_printf(s, "{\"device\":\"%s\",\"speed\":%" G_GINT64_FORMAT ",\"paused\":%s}", j->id,
                                   j->speed, j->is_paused ? "true" : "false");
        else
            g_string_append_printf(s, "{\"id\":\"%s\",\"type\":\"backup\",\"status\":\"%s\"%s%s%s}", j->id,
                                   j->is_paused && !q->kind.hangs_disks ? "paused" : j->status,
                                   j->error ? ",\"error\":\"" : "", j->error ? j->error : "", j->error ? "\"" : "");
    }
    if (q->kind.has_mirror)
        g_string_append_printf(s, "%s{\"%s\":\"m0\",\"type\":\"mirror\",\"status\":\"ready\"}", s->len > 1 ? "," : "",
                               is_block ? "device" : "id");
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static char *fake_list_exports(struct fake_qemu *q)
{
    GString *s = g_string_new("[");

    for (unsigned i = 0; i < q->exports->len; i++) {
        const struct fake_export *e = g_ptr_array_index(q->exports, i);
        g_string_append_printf(
            s, "%s{\"id\":\"%s\",\"type\":\"vhost-user-blk\",\"node-name\":\"%s\",\"shutting-down\":false}",
            i ? "," : "", e->id, e->node);
    }
    return g_string_free(g_string_append(s, "]"), FALSE);
}

/* Ids: nodes from 1, devices from 1000, jobs from 2000. */
static void fake_add_edge(struct fake_qemu *q, GString *s, unsigned parent, const char *child, const char *name)
{
    for (unsigned i = 0; child && i < q->nodes->len; i++)
        if (strcmp(((struct fake_node *)g_ptr_array_index(q->nodes, i))->name, child) == 0)
            g_string_append_printf(s, "%s{\"parent\":%u,\"child\":%u,\"name\":\"%s\"}",
                                   s->str[s->len - 1] == '[' ? "" : ",", parent, i + 1, name);
}

static char *fake_graph(struct fake_qemu *q)
{
    GString *s = g_string_new("{\"nodes\":[");

    for (unsigned i = 0; i < q->nodes->len; i++)
        g_string_append_printf(s, "%s{\"id\":%u,\"type\":\"block-driver\",\"name\":\"%s\"}", i ? "," : "", i + 1,
                               ((struct fake_node *)g_ptr_array_index(q->nodes, i))->name);
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        g_string_append_printf(s, ",{\"id\":%u,\"type\":\"block-backend\",\"name\":\"/machine/peripheral/dev%u/x\"}",
                               1000 + i, i);
    for (unsigned i = 0; i < q->jobs->len; i++)
        g_string_append_printf(s, ",{\"id\":%u,\"type\":\"block-job\",\"name\":\"%s\"}", 2000 + i,
                               ((struct fake_job *)g_ptr_array_index(q->jobs, i))->id);
    if (q->kind.has_mirror)
        g_string_append(s, ",{\"id\":3000,\"type\":\"block-job\",\"name\":\"m0\"}");
    g_string_append(s, "],\"edges\":[");
    for (unsigned i = 0; i < q->nodes->len; i++) {
        const struct fake_node *n = g_ptr_array_index(q->nodes, i);
        fake_add_edge(q, s, i + 1, n->file, strcmp(n->driver, "qcow2") == 0 ? "backing" : "file");
        fake_add_edge(q, s, i + 1, n->target, "target");
    }
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        fake_add_edge(q, s, 1000 + i, q->drives[i], "root");
    for (unsigned i = 0; i < q->jobs->len; i++) {
        const struct fake_job *j = g_ptr_array_index(q->jobs, i);
        if (strcmp(j->status, "concluded") != 0)
            fake_add_edge(q, s, 2000 + i, j->device, "main node");
    }
    if (q->kind.has_mirror)
        fake_add_edge(q, s, 3000, "disk0", "source");
    return g_string_free(g_string_append(s, "]}"), FALSE);
}

/* The number of a set is that of its one descriptor. */
static char *fake_add_fd(struct fake_qemu *q, json_object *args)
{
    int fd = q->passed_fd;

    g_hash_table_replace(q->fds, g_strdup(text_of(args, "opaque")), GINT_TO_POINTER(fd));
    q->passed_fd = -1;
    return g_strdup_printf("{\"fdset-id\":%d,\"fd\":%d}", fd, fd);
}

static char *fake_list_fds(struct fake_qemu *q)
{
    GString *s = g_string_new("[");
    GHashTableIter iter;
    gpointer name, fd;

    g_hash_table_iter_init(&iter, q->fds);
    while (g_hash_table_iter_next(&iter, &name, &fd))
        g_string_append_printf(s, "%s{\"fdset-id\":%d,\"fds\":[{\"fd\":%d,\"opaque\":\"%s\"}]}", s->len > 1 ? "," : "",
                               GPOINTER_TO_INT(fd), GPOINTER_TO_INT(fd), (char *)name);
    return g_string_free(g_string_append(s, "]"), FALSE);
}

static const char *fake_remove_fd(struct fake_qemu *q, int64_t set)
{
    GHashTableIter iter;
    gpointer fd;

    g_hash_table_iter_init(&iter, q->fds);
    while (g_hash_table_iter_next(&iter, NULL, &fd)) {
        if (GPOINTER_TO_INT(fd) == set) {
            g_hash_table_iter_remove(&iter);
            return NULL;
        }
    }
    return "File descriptor named 'fdset-id' not found";
}

static char *fake_answer(struct fake_qemu *q, const char *command, json_object *args)
{
    if (strcmp(command, "query-version") == 0)
        return g_strdup_printf("{\"qemu\":{\"major\":%d,\"minor\":0,\"micro\":0},\"package\":\"\"}", q->kind.major);
    if (strcmp(command, "query-name") == 0)
        return g_strdup("{\"name\":\"fake\"}");
    if (strcmp(command, "query-status") == 0)
        return g_strdup_printf("{\"status\":\"%s\",\"running\":%s}",
                               q->is_running                           ? "running"
                               : g_get_monotonic_time() < q->passed_us ? "finish-migrate"
                                                                       : q->state,
                               q->is_running ? "true" : "false");
    if (strcmp(command, "query-commands") == 0)
        return g_strdup(q->kind.major >= 10 ? "[{\"name\":\"blockdev-set-active\"}]" : "[{\"name\":\"quit\"}]");
    if (strcmp(command, "query-memory-size-summary") == 0)
        return g_strdup("{\"base-memory\":1048576}");
    if (strcmp(command, "query-migrate-capabilities") == 0)
        return g_strdup_printf("[{\"capability\":\"events\",\"state\":%s},{\"capability\":\"background-"
                               "snapshot\",\"state\":%s}]",
                               q->has_events ? "true" : "false", q->has_snapshot ? "true" : "false");
    if (strcmp(command, "query-migrate-parameters") == 0)
        return g_strdup_printf("{\"max-bandwidth\":%" G_GINT64_FORMAT ",\"downtime-limit\":%" G_GINT64_FORMAT "}",
                               q->bandwidth, q->downtime);
    if (q->is_background && strcmp(command, "query-migrate") == 0 && strcmp(q->migration, "active") == 0 &&
        ++q->n_looks > 3)
        fake_end_stream(q, "completed");
    if (strcmp(command, "query-migrate") == 0)
        return strcmp(q->migration, "none") == 0
                   ? g_strdup(q->kind.blocks_ram ? "{\"blocked-reasons\":[\"non-migratable device\"]}" : "{}")
                   : g_strdup_printf("{\"status\":\"%s\",\"ram\":{\"total\":1048576,\"remaining\":0,\"dirty-"
                                     "sync-count\":%u}}",
                                     q->migration, q->kind.never_converges ? 99 : 2);
    if (strcmp(command, "query-block") == 0)
        return fake_list_drives(q);
    if (strcmp(command, "query-block-exports") == 0)
        return fake_list_exports(q);
    if (strcmp(command, "x-debug-query-block-graph") == 0)
        return fake_graph(q);
    if (strcmp(command, "query-named-block-nodes") == 0)
        return fake_list_nodes(q);
    if (strcmp(command, "query-jobs") == 0 || strcmp(command, "query-block-jobs") == 0)
        return fake_list_jobs(q, command[6] == 'b');
    if (strcmp(command, "qom-get") == 0)
        return g_strdup("\"fake-machine\"");
    if (strcmp(command, "add-fd") == 0 && q->passed_fd >= 0)
        return fake_add_fd(q, args);
    if (strcmp(command, "query-fdsets") == 0)
        return fake_list_fds(q);
    return NULL;
}

/* Does it. Returns why not, NULL if it is done, "?" if there is no such command. */
static const char *fake_do(struct fake_qemu *q, const char *command, json_object *args, struct fake_job **started)
{
    if (strcmp(command, "qmp_capabilities") == 0)
        return NULL;
    if (strcmp(command, "getfd") == 0) {
        if (q->passed_fd < 0)
            return "No file descriptor supplied via SCM_RIGHTS";
        g_hash_table_replace(q->fds, g_strdup(text_of(args, "fdname")), GINT_TO_POINTER(q->passed_fd));
        q->passed_fd = -1;
        return NULL;
    }
    if (strcmp(command, "add-fd") == 0)
        return "No file descriptor supplied via SCM_RIGHTS";
    if (strcmp(command, "remove-fd") == 0)
        return fake_remove_fd(q, json_object_get_int64(object_of(args, "fdset-id")));
    if (strcmp(command, "closefd") == 0)
        return g_hash_table_remove(q->fds, text_of(args, "fdname")) ? NULL : "File descriptor named not found";
    if (strcmp(command, "blockdev-add") == 0)
        return fake_add(q, args);
    if (strcmp(command, "blockdev-del") == 0)
        return fake_del(q, text_of(args, "node-name"));
    if (strcmp(command, "qom-set") == 0)
        return fake_set_drive(q, text_of(args, "path"), text_of(args, "value"));
    if (strcmp(command, "blockdev-backup") == 0)
        return fake_backup(q, args, started);
    if (strcmp(command, "block-stream") == 0)
        return fake_stream(q, text_of(args, "device"), text_of(args, "base-node"));
    if (strcmp(command, "job-cancel") == 0)
        return fake_cancel(q, text_of(args, "id"));
    if (strcmp(command, "job-pause") == 0)
        return fake_pause(q, text_of(args, "id"), true);
    if (strcmp(command, "job-resume") == 0)
        return fake_pause(q, text_of(args, "id"), false);
    if (strcmp(command, "job-dismiss") == 0)
        return fake_dismiss(q, text_of(args, "id"));
    if (strcmp(command, "block-job-set-speed") == 0)
        return fake_set_speed(q, text_of(args, "device"), json_object_get_int64(object_of(args, "speed")));
    if (strcmp(command, "stop") == 0) {
        q->kind.has_mirror |= q->kind.mirrors_late;
        q->is_frozen |= q->is_running;
        fake_set_running(q, false);
    } else if (strcmp(command, "cont") == 0)
        return fake_cont(q);
    else if (strcmp(command, "migrate") == 0)
        return fake_migrate(q, text_of(args, "uri"));
    else if (strcmp(command, "migrate_cancel") == 0 && strcmp(q->migration, "active") == 0)
        fake_end_stream(q, "cancelled");
    else if (strcmp(command, "migrate-set-capabilities") == 0)
        return fake_set_capabilities(q, object_of(args, "capabilities"));
    else if (strcmp(command, "migrate-set-parameters") == 0)
        fake_set_params(q, args);
    else if (strcmp(command, "blockdev-set-active") == 0)
        q->is_inactive = false;
    else if (strcmp(command, "nbd-server-start") == 0) {
        if (!g_hash_table_remove(q->fds, text_of(object_of(object_of(args, "addr"), "data"), "str")))
            return "no such descriptor";
        q->has_nbd_server = true;
    } else if (strcmp(command, "nbd-server-stop") == 0)
        q->has_nbd_server = false;
    else if (strcmp(command, "block-export-add") == 0)
        return fake_export(q, args);
    else if (strcmp(command, "block-export-del") == 0)
        return fake_unexport(q, text_of(args, "id"));
    else if (strcmp(command, "migrate_cancel") != 0)
        return "?";
    return NULL;
}

static const char *subject_of(json_object *args)
{
    static const char *const keys[] = {"node-name", "fdname", "job-id", "id", "device", "path"};
    const char *subject = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(keys) && !subject; i++)
        subject = text_of(args, keys[i]);
    return subject ? subject : "";
}

/* Somebody else has a hand in it, too. The event comes before the answer. */
static void fake_interfere(struct fake_qemu *q, enum fault_kind kind)
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

static void fake_meddle(struct fake_qemu *q, enum fault_kind kind)
{
    if (kind == FAULT_PANICKED)
        fake_panic(q);
    else if (kind == FAULT_MIGRATED)
        fake_leave(q);
    else if (kind == FAULT_SNAPSHOT)
        fake_snapshot(q);
}

static void fake_execute(struct fake_qemu *q, json_object *message, enum fault_kind kind)
{
    const char *command = text_of(message, "execute");
    json_object *args = object_of(message, "arguments");
    int64_t id = json_object_get_int64(object_of(message, "id"));
    g_autofree char *answer = fake_answer(q, command, args);
    struct fake_job *started = NULL;
    const char *why = answer ? NULL : fake_do(q, command, args, &started);

    fake_interfere(q, kind);
    if (kind == FAULT_HANGUP_AFTER || kind == FAULT_SILENT_AFTER || kind == FAULT_TOLD_AND_LOST || kind == FAULT_LATE)
        ;
    else if (why)
        fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"error\":{\"class\":\"%s\",\"desc\":\"%s\"}}\r\n", id,
                 *why == '?'                ? "CommandNotFound"
                 : strstr(why, "not found") ? "DeviceNotActive"
                                            : "GenericError",
                 why);
    else
        fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"return\":%s}\r\n", id, answer ? answer : "{}");
    if (started)
        fake_run_job(q, started);
}

static void fake_die(struct fake_qemu *q)
{
    q->is_dead = true;
    for (unsigned i = 0; i < q->nodes->len; i++) { /* no goodbye */
        struct fake_node *n = g_ptr_array_index(q->nodes, i);
        nbd_close(g_steal_pointer(&n->nbd));
    }
    g_ptr_array_set_size(q->nodes, 0);
    g_ptr_array_set_size(q->jobs, 0);
    g_hash_table_remove_all(q->fds);
    fake_end_stream(q, "failed");
}

static void fake_refuse(struct fake_qemu *q, int64_t id)
{
    fake_say(q, "{\"id\":%" G_GINT64_FORMAT ",\"error\":{\"class\":\"GenericError\",\"desc\":\"not today\"}}\r\n", id);
}

/* The answer that is late comes when it is due. */
static void fake_be_late(struct fake_qemu *q, enum fault_kind kind, json_object *message)
{
    if (kind == FAULT_LATE) {
        q->late_id = json_object_get_int64(object_of(message, "id"));
        q->late_after = 8;
    } else if (q->late_id && --q->late_after == 0) {
        fake_refuse(q, q->late_id);
        q->late_id = 0;
    }
}

static void fake_take(struct fake_qemu *q, json_object *message)
{
    const char *command = text_of(message, "execute");
    enum fault_kind kind = FAULT_NONE;

    g_ptr_array_add(q->log, g_strdup_printf("%s %s", command, subject_of(object_of(message, "arguments"))));
    if (g_strcmp0(q->fault.command, command) == 0 && ++q->n_seen == q->fault.nth)
        kind = q->fault.kind;
    fake_be_late(q, kind, message);
    q->is_mute |= kind == FAULT_MUTE;
    if (q->is_mute)
        return;
    fake_moment(q);
    fake_meddle(q, kind);
    if (kind == FAULT_TOLD || kind == FAULT_TOLD_AND_LOST)
        q->on_fault(q->user);
    if (kind == FAULT_ERROR)
        fake_refuse(q, json_object_get_int64(object_of(message, "id")));
    else if (kind == FAULT_DEATH)
        fake_die(q);
    else if (kind != FAULT_HANGUP_BEFORE && kind != FAULT_SILENT_BEFORE)
        fake_execute(q, message, kind);
    q->hangs_up = kind == FAULT_HANGUP_BEFORE || kind == FAULT_HANGUP_AFTER || kind == FAULT_TOLD_AND_LOST;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void fake_hang_up(struct fake_qemu *q)
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

static bool fake_receive(struct fake_qemu *q)
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

static void fake_serve(struct fake_qemu *q)
{
    char *end;

    if (!fake_receive(q)) {
        fake_hang_up(q);
        return;
    }
    while (!q->is_dead && !q->hangs_up && (end = strchr(q->input->str, '\n'))) {
        *end = '\0';
        json_object *message = json_tokener_parse(q->input->str);
        g_assert_nonnull(message);
        fake_take(q, message);
        json_object_put(message);
        g_string_erase(q->input, 0, end - q->input->str + 1);
    }
    if (q->hangs_up)
        fake_hang_up(q);
}

static gpointer fake_main(gpointer data)
{
    struct fake_qemu *q = data;

    while (!q->is_dead) {
        struct pollfd fds[] = {{q->wake[0], POLLIN, 0}, {q->conn >= 0 ? q->conn : q->listener, POLLIN, 0}};
        struct fake_job *job = q->kind.is_lively ? fake_next_job(q) : NULL;
        poll(fds, G_N_ELEMENTS(fds), job ? 1 : -1);
        if (fds[0].revents)
            break;
        if (!fds[1].revents) {
            if (job)
                fake_live(q, job);
            continue;
        }
        if (q->conn >= 0) {
            fake_serve(q);
            continue;
        }
        q->conn = accept4(q->listener, NULL, NULL, SOCK_CLOEXEC);
        fake_say(q,
                 "{\"QMP\":{\"version\":{\"qemu\":{\"major\":%d,\"minor\":0,\"micro\":0},\"package\":\"\"},"
                 "\"capabilities\":[]}}\r\n",
                 q->kind.major);
    }
    fake_hang_up(q);
    if (q->is_dead) {
        close(q->listener);
        unlink(q->path);
    }
    return NULL;
}

static void fake_start(struct fake_qemu *q)
{
    g_assert_cmpint(pipe(q->wake), ==, 0);
    if (q->agent)
        fake_agent_start(q->agent);
    q->thread = g_thread_new("qemu", fake_main, q);
}

static void fake_stop(struct fake_qemu *q)
{
    g_assert_cmpint(write(q->wake[1], "x", 1), ==, 1);
    g_thread_join(q->thread);
    if (q->agent)
        fake_agent_stop(q->agent);
    close(q->wake[0]);
    close(q->wake[1]);
}
