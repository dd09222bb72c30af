// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads a node that QEMU exports as vhost-user-blk, through src/vhost.
 *
 *     vhost_read PATH CONTROL KIB DEPTH [ROUNDS] > copy
 *
 * Makes the sockets at PATH, sends the one that QEMU is to listen on over the socket with the number CONTROL, then the
 * one that is connected to it, for QEMU to hold, and reads the whole node, in requests of KIB with DEPTH of them in
 * flight: into standard output, if that is a file, at the right places. ROUNDS: so often, 0 without an end; it says
 * "round" then. Ends with a line on standard error: "read BYTES in SECONDS s, CPU s", or what went wrong and status 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/error.h"
#include "vhost/front_uv.h"
#include "vhost/memory.h"

#define CLUSTER_BYTES 65536u
#define CLUSTERS_MAX  16u

struct request {
    uint64_t offset;
    uint32_t len;
    uint8_t *buffers[CLUSTERS_MAX];
};

struct tool {
    uv_loop_t loop;
    struct vhost_memory *memory;
    struct vhost_front *front;
    struct request *requests;
    unsigned depth, n_taken_back;
    uint32_t request_bytes;
    uint64_t capacity, next, n_read;
    unsigned long rounds;
    bool writes, has_failed;
    uint64_t began_ns;
};

static void tool_fail(struct tool *t, const char *what)
{
    fprintf(stderr, "%s\n", what);
    t->has_failed = true;
}

static void on_taken_back(void *user, void *tag)
{
    struct tool *t = user;

    t->n_taken_back++;
}

static void tool_end(struct tool *t)
{
    if (t->front)
        vhost_close(t->front, on_taken_back);
    t->front = NULL;
}

static void ask(struct tool *t, struct request *rq)
{
    if (t->next == t->capacity && t->rounds != 1) {
        t->rounds -= t->rounds > 0;
        t->next = 0;
        puts("round");
        fflush(stdout);
    }
    if (t->next == t->capacity)
        return;
    rq->offset = t->next;
    rq->len = MIN(t->request_bytes, t->capacity - t->next);
    if (!vhost_read(t->front, rq->offset, rq->len, rq->buffers, rq))
        g_error("no room for a read");
    t->next += rq->len;
}

static void keep(struct tool *t, const struct request *rq)
{
    for (uint32_t done = 0; t->writes && done < rq->len; done += CLUSTER_BYTES) {
        uint32_t here = MIN(rq->len - done, CLUSTER_BYTES);
        if (pwrite(STDOUT_FILENO, rq->buffers[done / CLUSTER_BYTES], here, rq->offset + done) != here)
            tool_fail(t, g_strerror(errno));
    }
}

static void on_ready(void *user, uint64_t capacity)
{
    struct tool *t = user;

    t->request_bytes = MIN(t->request_bytes, vhost_max_clusters(t->front) * CLUSTER_BYTES);
    t->capacity = capacity;
    t->began_ns = uv_hrtime();
    for (unsigned i = 0; i < t->depth && t->next < capacity; i++)
        ask(t, &t->requests[i]);
}

static void on_read(void *user, void *tag, int error)
{
    struct tool *t = user;
    struct request *rq = tag;
    g_autofree char *what = NULL;

    if (error) {
        what = g_strdup_printf("cannot read %u bytes at %" G_GUINT64_FORMAT ": %s", rq->len, rq->offset,
                               g_strerror(error));
        tool_fail(t, what);
    } else {
        t->n_read += rq->len;
        keep(t, rq);
    }
    ask(t, rq);
    if (vhost_in_flight(t->front) == 0)
        tool_end(t);
}

static void on_broken(void *user, const GError *why)
{
    struct tool *t = user;

    tool_fail(t, why->message);
    tool_end(t);
}

static void on_closed(void *user)
{
}

static const struct vhost_events events = {on_ready, on_read, on_broken, on_closed};

static void send_descriptor(int control, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } room = {.header = {.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec piece = {.iov_base = (char *)"!", .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room.room, .msg_controllen = sizeof room.room};

    memcpy(CMSG_DATA(&room.header), &fd, sizeof fd);
    if (sendmsg(control, &message, 0) != 1)
        g_error("control: %s", g_strerror(errno));
}

static void tool_begin(struct tool *t, const char *path, int control)
{
    g_autoptr(GError) error = NULL;
    int listening, connected;

    t->memory = vhost_memory_new((size_t)t->depth * CLUSTERS_MAX * CLUSTER_BYTES, 1, &error);
    if (!t->memory || !vhost_socket_pair(path, &listening, &connected, &error))
        g_error("%s", error->message);
    for (unsigned i = 0; i < t->depth * CLUSTERS_MAX; i++)
        t->requests[i / CLUSTERS_MAX].buffers[i % CLUSTERS_MAX] =
            (uint8_t *)vhost_memory_pool(t->memory) + (size_t)i * CLUSTER_BYTES;
    send_descriptor(control, listening);
    send_descriptor(control, connected);
    close(listening);
    t->front = vhost_open(&t->loop, t->memory, 0, connected, &events, t, &error);
    if (!t->front)
        g_error("%s", error->message);
}

static void report(const struct tool *t)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "read %" G_GUINT64_FORMAT " in %.3f s, %.3f s\n", t->n_read, (uv_hrtime() - t->began_ns) / 1e9,
            usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
    struct tool t = {0};
    struct stat st;

    if (argc < 5)
        return 2;
    t.request_bytes = atoi(argv[3]) * 1024;
    t.depth = atoi(argv[4]);
    t.rounds = argc > 5 ? strtoul(argv[5], NULL, 10) : 1;
    t.writes = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
    t.requests = g_new0(struct request, t.depth);
    uv_loop_init(&t.loop);
    tool_begin(&t, argv[1], atoi(argv[2]));
    uv_run(&t.loop, UV_RUN_DEFAULT);
    report(&t);
    g_assert(uv_loop_close(&t.loop) == 0);
    vhost_memory_free(t.memory);
    g_free(t.requests);
    return t.has_failed ? 1 : 0;
}
