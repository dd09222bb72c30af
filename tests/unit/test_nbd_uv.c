// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections on a real loop and real sockets. */
#include "unit/nbd_loop.h"

#define HELLO_BYTES (NBD_GREETING_BYTES + 10u) /* what the server answers to that */

static void test_writes_and_goodbye(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    open_conn(f, &f->client);
    for (unsigned i = 0; i < 200; i++) {
        peer_request(says, NBD_CMD_WRITE, 0, i, i * 65536, 65536);
        peer_fill(says, 65536, i + 1);
    }
    g_assert_true(say(f, f->client, says));
    TURN_UNTIL(f, (hear(f), f->hears->len == HELLO_BYTES + 200 * NBD_SIMPLE_REPLY_BYTES));
    for (unsigned i = 0; i < 200; i++) {
        g_assert_cmpuint(f->r.memory[i * 65536], ==, (i + 1) & 255);
        g_assert_cmpuint(f->r.memory[i * 65536 + 65535], ==, (i + 1) & 255);
    }
    g_assert_cmpuint(f->n_exports, ==, 1);
    g_assert_cmpuint(f->n_closed, ==, 0);
    g_byte_array_set_size(says, 0);
    peer_request(says, NBD_CMD_DISC, 0, 0, 0, 0);
    say(f, f->client, says);
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->n_clean, ==, 1);
}

static void test_tag(struct fixture *f, gconstpointer unused)
{
    struct nbd_conn *conn = open_conn(f, &f->client);

    g_assert_null(nbd_conn_tag(conn));
    g_assert_null(nbd_conn_export(conn));
    nbd_conn_set_tag(conn, f);
    g_assert_true(nbd_conn_tag(conn) == f);
}

/* What was read is answered; the rest waits in the socket until it is let go. */
static void test_hold(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    open_conn(f, &f->client);
    peer_request(says, NBD_CMD_FLUSH, 0, 0, 0, 0);
    g_assert_true(say(f, f->client, says));
    TURN_UNTIL(f, f->n_exports == 1);
    nbd_conn_hold(f->conn, true);
    TURN_UNTIL(f, (hear(f), f->hears->len == HELLO_BYTES + NBD_SIMPLE_REPLY_BYTES));
    g_assert_true(say(f, f->client, says)); /* whatever: it is not looked at */
    for (unsigned i = 0; i < 50; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpuint(f->n_closed, ==, 0);
    nbd_conn_hold(f->conn, false);
    TURN_UNTIL(f, f->n_closed == 1); /* a greeting in the midst of the conversation */
    g_assert_cmpuint(f->n_clean, ==, 0);
}

/* What was answered is sent when it is let go. */
static void test_keep_replies(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();
    struct nbd_conn *conn = open_conn(f, &f->client);

    TURN_UNTIL(f, (hear(f), f->hears->len == NBD_GREETING_BYTES));
    nbd_conn_keep_replies(conn, true);
    peer_request(says, NBD_CMD_WRITE, 0, 0, 0, 65536);
    peer_fill(says, 65536, 9);
    g_assert_true(say(f, f->client, says));
    TURN_UNTIL(f, f->r.n_ended == 1);
    for (unsigned i = 0; i < 50; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    hear(f);
    g_assert_cmpuint(f->hears->len, ==, NBD_GREETING_BYTES);
    nbd_conn_keep_replies(conn, false);
    TURN_UNTIL(f, (hear(f), f->hears->len == HELLO_BYTES + NBD_SIMPLE_REPLY_BYTES));
}

static void test_cut(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    open_conn(f, &f->client);
    peer_request(says, NBD_CMD_WRITE, 0, 0, 0, 65536);
    peer_fill(says, 65535, 1);
    say(f, f->client, says);
    TURN_UNTIL(f, f->r.n_begun == 1);
    shutdown(f->client, SHUT_WR);
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->n_clean, ==, 0);
    g_assert_cmpuint(f->r.n_cut, ==, 1);
    g_assert_cmpuint(f->n_owed, ==, 0);
    g_assert_cmpstr(f->why, ==, "connection closed without goodbye");
}

/* A client that does not wait for its replies: what it sent is still taken, to the last byte. */
static void vanish_after_writing(struct fixture *f)
{
    g_autoptr(GByteArray) says = begin_conversation();

    for (unsigned i = 0; i < 3; i++) {
        peer_request(says, NBD_CMD_WRITE, 0, i, i * 65536, 65536);
        peer_fill(says, 65536, 9);
    }
    peer_request(says, NBD_CMD_DISC, 0, 0, 0, 0);
    g_assert_cmpint(send(f->client, says->data, says->len, 0), ==, says->len);
    close(f->client);
    f->client = -1;
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->n_clean, ==, 1);
    g_assert_cmpuint(f->r.n_ended, ==, 3);
    g_assert_cmpuint(f->r.memory[3 * 65536 - 1], ==, 9);
}

static void test_hasty_client(struct fixture *f, gconstpointer unused)
{
    open_conn(f, &f->client);
    vanish_after_writing(f);
}

/* With the greeting left unread, the socket reports an error besides. */
static void test_reset_by_client(struct fixture *f, gconstpointer unused)
{
    uint8_t greeting[NBD_GREETING_BYTES];

    open_conn(f, &f->client);
    TURN_UNTIL(f, recv(f->client, greeting, sizeof greeting, MSG_PEEK) == sizeof greeting);
    vanish_after_writing(f);
}

/* DISC ends the connection only when all that was asked for before has gone out. */
static void test_goodbye_waits_for_replies(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    f->r.memory[0] = 1;
    open_conn(f, &f->client);
    peer_request(says, NBD_CMD_READ, 0, 0, 0, DISK_BYTES);
    peer_request(says, NBD_CMD_DISC, 0, 0, 0, 0);
    say(f, f->client, says);
    for (unsigned i = 0; i < 100; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpuint(f->n_closed, ==, 0);
    TURN_UNTIL(f, (hear(f), f->n_closed == 1));
    hear(f);
    g_assert_cmpuint(f->hears->len, ==, HELLO_BYTES + NBD_SIMPLE_REPLY_BYTES + DISK_BYTES);
    g_assert_cmpuint(f->n_clean, ==, 1);
}

static void test_broken(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = g_byte_array_new();

    open_conn(f, &f->client);
    peer_text(says, "GET / HTTP/1.1\r\n\r\n");
    say(f, f->client, says);
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->n_clean, ==, 0);
    g_assert_nonnull(strstr(f->why, "client flags"));
    g_assert_cmpint(recv(f->client, says->data, 4, 0), ==, 4); /* the greeting did go out */
}

static void test_no_memory(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    open_conn(f, &f->client);
    f->r.no_room_from = 1000;
    peer_request(says, NBD_CMD_WRITE, 0, 0, 0, 65536);
    peer_fill(says, 65536, 1);
    say(f, f->client, says);
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->r.n_cut, ==, 1);
    g_assert_cmpuint(f->n_owed, ==, 0);
    g_assert_nonnull(strstr(f->why, "no memory"));
}

static void test_shutdown_by_owner(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();
    struct nbd_conn *conn = open_conn(f, &f->client);

    peer_request(says, NBD_CMD_WRITE, 0, 0, 0, 65536);
    peer_fill(says, 100, 1);
    say(f, f->client, says);
    TURN_UNTIL(f, f->r.n_begun == 1);
    nbd_conn_shutdown(conn);
    nbd_conn_shutdown(conn);
    g_assert_cmpuint(f->n_closed, ==, 0); /* from the loop only, … */
    hear(f);
    g_assert_cmpint(recv(f->client, says->data, 1, 0), ==, 0); /* … but the client sees the end at once */
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->n_clean, ==, 0);
    g_assert_cmpuint(f->r.n_cut, ==, 1);
    g_assert_cmpuint(f->n_owed, ==, 0);
}

/* An export that ends its own connection in the middle of each callback in turn. */
static struct nbd_export_ops suicidal_ops;
static struct fixture *suicidal;

static int suicidal_begin(void *user, struct nbd_request *rq)
{
    nbd_conn_shutdown(suicidal->conn);
    return recorder_write_begin(user, rq);
}

static void *suicidal_room(void *user, struct nbd_request *rq, uint32_t done, size_t *room)
{
    nbd_conn_shutdown(suicidal->conn);
    return recorder_write_room(user, rq, done, room);
}

static int suicidal_landed(void *user, struct nbd_request *rq, uint32_t done)
{
    nbd_conn_shutdown(suicidal->conn);
    return recorder_write_landed(user, rq, done);
}

static void suicidal_end(void *user, struct nbd_request *rq, int error, bool cut)
{
    nbd_conn_shutdown(suicidal->conn);
    recorder_write_end(user, rq, error, cut);
}

static void test_shutdown_by_export(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    suicidal = f;
    nbd_exports_remove(f->exports, "d");
    nbd_exports_add(f->exports,
                    &(struct nbd_export){.name = (char *)"d", .size = DISK_BYTES, .ops = &suicidal_ops, .user = &f->r});
    peer_request(says, NBD_CMD_WRITE, 0, 0, 0, 1000);
    peer_fill(says, 1000, 1);
    peer_request(says, NBD_CMD_WRITE, 0, 0, 0, 1000);
    peer_fill(says, 1000, 1);
    for (unsigned i = 0; i < 4; i++) {
        suicidal_ops = recorder_ops;
        if (i == 0)
            suicidal_ops.write_begin = suicidal_begin;
        else if (i == 1)
            suicidal_ops.write_room = suicidal_room;
        else if (i == 2)
            suicidal_ops.write_landed = suicidal_landed;
        else
            suicidal_ops.write_end = suicidal_end;
        open_conn(f, &f->client);
        say(f, f->client, says);
        TURN_UNTIL(f, f->n_closed == i + 1);
        g_assert_cmpuint(f->r.n_begun, ==, i + 1);
        close(f->client);
    }
    f->client = -1;
    g_assert_cmpuint(f->n_clean, ==, 0);
}

/* Who reads and does not take the replies: where guests may write, that ends the connection, … */
static void test_deaf_writer(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    f->r.memory[0] = 1;
    open_conn(f, &f->client);
    for (unsigned i = 0; i < 100; i++)
        peer_request(says, NBD_CMD_READ, 0, i, 0, 1 << 20);
    say(f, f->client, says);
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_nonnull(strstr(f->why, "does not read"));
}

/* … but a reader of an archive waits for itself, however much it asked for. */
static void test_slow_reader(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();
    size_t all = HELLO_BYTES + 100 * (NBD_SIMPLE_REPLY_BYTES + (size_t)(1 << 20));

    f->r.memory[0] = 1;
    open_conn(f, &f->client);
    for (unsigned i = 0; i < 100; i++)
        peer_request(says, NBD_CMD_READ, 0, i, 0, 1 << 20);
    peer_request(says, NBD_CMD_DISC, 0, 0, 0, 0);
    say(f, f->client, says);
    for (unsigned i = 0; i < 100; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpuint(f->n_closed, ==, 0);
    TURN_UNTIL(f, (hear(f), f->n_closed == 1));
    hear(f);
    g_assert_cmpuint(f->hears->len, ==, all);
    g_assert_cmpuint(f->n_clean, ==, 1);
}

/* … and one that goes away meanwhile is noticed. */
static void test_vanished_reader(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();

    f->r.memory[0] = 1;
    open_conn(f, &f->client);
    for (unsigned i = 0; i < 100; i++)
        peer_request(says, NBD_CMD_READ, 0, i, 0, 1 << 20);
    say(f, f->client, says);
    for (unsigned i = 0; i < 100; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    close(f->client);
    f->client = -1;
    TURN_UNTIL(f, f->n_closed == 1);
    g_assert_cmpuint(f->n_clean, ==, 0);
}

static void connect_to_export(struct fixture *f, int *client)
{
    g_autoptr(GByteArray) says = begin_conversation();
    unsigned n_exports = f->n_exports;

    open_conn(f, client);
    say(f, *client, says);
    TURN_UNTIL(f, f->n_exports == n_exports + 1);
}

/* However much one connection has sent, another's small write waits for a turn of the loop, not for all that.
 */
static void test_fairness(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) much = g_byte_array_new(), little = g_byte_array_new();
    uint8_t reply[HELLO_BYTES + NBD_SIMPLE_REPLY_BYTES];
    int greedy;

    connect_to_export(f, &greedy);
    connect_to_export(f, &f->client);
    for (unsigned i = 0; i < 64; i++) {
        peer_request(much, NBD_CMD_WRITE, 0, i, i * 65536, 65536);
        peer_fill(much, 65536, 1);
    }
    g_assert_cmpint(send(greedy, much->data, much->len, 0), >, 2 << 20);
    peer_request(little, NBD_CMD_WRITE, 0, 0, 8 << 20, 512);
    peer_fill(little, 512, 1);
    say(f, f->client, little);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpint(recv(f->client, reply, sizeof reply, 0), ==, sizeof reply);
    g_assert_cmpuint(f->r.n_ended, <=, 1 + (1 << 20) / 65536 + 1);
    close(greedy);
}

/* So with what it reads. */
static void test_fairness_of_reads(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = g_byte_array_new();

    connect_to_export(f, &f->client);
    f->r.memory[0] = 1;
    for (unsigned i = 0; i < 40; i++)
        peer_request(says, NBD_CMD_READ, 0, i, 0, 1 << 20);
    g_assert_cmpint(send(f->client, says->data, says->len, 0), ==, says->len);
    g_string_truncate(f->r.log, 0);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpstr(f->r.log->str, ==, "read 0+1048576 0\n");
}

static void test_no_socket(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    int fds[2];

    g_assert_cmpint(pipe(fds), ==, 0);
    g_assert_null(nbd_conn_open(&f->loop, fds[0], f->exports, &events, f, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(fcntl(fds[0], F_GETFD), ==, -1); /* it was taken over all the same */
    close(fds[1]);
}

#define ADD(name)           g_test_add("/nbd/uv/" #name, struct fixture, NULL, set_up, test_##name, tear_down)
#define ADD_READ_ONLY(name) g_test_add("/nbd/uv/" #name, struct fixture, "ro", set_up, test_##name, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(writes_and_goodbye);
    ADD(tag);
    ADD(hold);
    ADD(keep_replies);
    ADD(cut);
    ADD(hasty_client);
    ADD(reset_by_client);
    ADD(goodbye_waits_for_replies);
    ADD(broken);
    ADD(no_memory);
    ADD(shutdown_by_owner);
    ADD(shutdown_by_export);
    ADD(deaf_writer);
    ADD_READ_ONLY(slow_reader);
    ADD_READ_ONLY(vanished_reader);
    ADD(fairness);
    ADD(fairness_of_reads);
    ADD(no_socket);
    return g_test_run();
}
