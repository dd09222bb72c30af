// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast does src/nbd take WRITEs? A child process sends them through a socket pair, as QEMU's backup
 * job does: of one size, a fixed number in flight; the parent serves them into a ring of buffers.
 *
 *     nbd_blast [GIBIBYTES [REQUEST_BYTES [IN_FLIGHT]]]        default 8 65536 64
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/be.h"
#include "nbd/server_uv.h"
#include "nbd/wire.h"

#define BUFFER_BYTES 65536
#define RING_BYTES   (64u << 20) /* far beyond the caches, as a pool of cluster buffers is */

static struct {
    uint64_t total;
    uint32_t len;
    unsigned in_flight;
} work = {8, BUFFER_BYTES, 64};

static uint8_t *ring;
static size_t ring_at;

static int sink_begin(void *user, struct nbd_request *rq)
{
    return 0;
}

static void *sink_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    uint8_t *buffer = ring + ring_at;

    ring_at = (ring_at + BUFFER_BYTES) % RING_BYTES;
    *room = BUFFER_BYTES;
    return buffer;
}

static int sink_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    return 0;
}

static void sink_end(void *user, struct nbd_request *rq, int error, bool cut)
{
}

static const struct nbd_export_ops sink_ops = {
    .write_begin = sink_begin, .write_room = sink_room, .write_landed = sink_landed, .write_end = sink_end};

static void must(bool is_right, const char *what)
{
    if (!is_right)
        exit((perror(what), 1));
}

static void send_all(int fd, struct iovec *iov, unsigned count)
{
    while (count > 0) {
        ssize_t n = writev(fd, iov, count);

        must(n > 0, "client: writev");
        for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
            n -= iov->iov_len;
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + n;
            iov->iov_len -= n;
        }
    }
}

static void receive_all(int fd, void *to, size_t len)
{
    must(len == 0 || recv(fd, to, len, MSG_WAITALL) == (ssize_t)len, "client: recv");
}

static void client_greet(int fd)
{
    uint8_t in[NBD_GREETING_BYTES + 10], out[NBD_CLIENT_FLAGS_BYTES + NBD_OPTION_BYTES + 1];

    be32_put(out, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
    be64_put(out + 4, NBD_OPTION_MAGIC);
    be32_put(out + 12, NBD_OPT_EXPORT_NAME);
    be32_put(out + 16, 1);
    out[20] = 'd';
    send_all(fd, &(struct iovec){out, sizeof out}, 1);
    receive_all(fd, in, sizeof in);
}

static void client_run(int fd)
{
    uint8_t head[NBD_REQUEST_BYTES], reply[NBD_SIMPLE_REPLY_BYTES * 64];
    uint64_t n_requests = work.total / work.len, sent = 0, answered = 0;
    uint8_t *payload = g_malloc0(work.len);

    client_greet(fd);
    while (answered < n_requests) {
        while (sent < n_requests && sent - answered < work.in_flight) {
            be32_put(head, NBD_REQUEST_MAGIC);
            be32_put(head + 4, NBD_CMD_WRITE);
            be64_put(head + 8, sent);
            be64_put(head + 16, sent * work.len);
            be32_put(head + 24, work.len);
            send_all(fd, (struct iovec[]){{head, sizeof head}, {payload, work.len}}, 2);
            sent++;
        }
        ssize_t n = recv(fd, reply, sizeof reply, 0);
        must(n > 0, "client: recv");
        receive_all(fd, reply, -n & (NBD_SIMPLE_REPLY_BYTES - 1)); /* the rest of the last one */
        answered += (n + NBD_SIMPLE_REPLY_BYTES - 1) / NBD_SIMPLE_REPLY_BYTES;
    }
    _exit(0);
}

static void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
}

static double seconds(struct timeval t)
{
    return t.tv_sec + t.tv_usec / 1e6;
}

static void report(double elapsed_s)
{
    struct rusage us;

    getrusage(RUSAGE_SELF, &us);
    printf("%.2f GB/s: %u-byte writes, %u in flight; server %.2f s of %.2f s, %.2f user\n",
           work.total / elapsed_s / 1e9, work.len, work.in_flight, seconds(us.ru_utime) + seconds(us.ru_stime),
           elapsed_s, seconds(us.ru_utime));
}

int main(int argc, char **argv)
{
    const struct nbd_conn_events events = {.on_closed = on_closed};
    struct nbd_exports *exports = nbd_exports_new();
    uv_loop_t loop;
    int fds[2], status, bytes = 4 << 20;
    pid_t child;

    work.total = (uint64_t)(argc > 1 ? atoi(argv[1]) : 8) << 30;
    work.len = argc > 2 ? (uint32_t)atoi(argv[2]) : BUFFER_BYTES;
    work.in_flight = argc > 3 ? (unsigned)atoi(argv[3]) : 64;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        client_run(fds[1]);
    }
    close(fds[1]);
    ring = g_malloc(RING_BYTES);
    memset(ring, 1, RING_BYTES);
    nbd_exports_add(exports, &(struct nbd_export){.name = (char[]){"d"}, .size = work.total, .ops = &sink_ops});
    uv_loop_init(&loop);
    uint64_t start_ns = uv_hrtime();
    nbd_conn_open(&loop, fds[0], exports, &events, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    report((uv_hrtime() - start_ns) / 1e9);
    waitpid(child, &status, 0);
    nbd_exports_free(exports);
    g_free(ring);
    return uv_loop_close(&loop) == 0 && status == 0 ? 0 : 1;
}
