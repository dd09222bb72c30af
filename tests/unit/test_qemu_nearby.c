// SPDX-License-Identifier: GPL-2.0-or-later
/* Which sockets of a folder are offered: those that speak QMP, by their guests' names. */
#include "qemu/nearby_uv.h"
#include "unit/qmp_peer.h"

static void answer(struct peer *peer, int id, const char *line, int fd)
{
    (void)fd;
    if (strstr(line, "query-version"))
        peer_reply(peer, id, "\"return\":{\"qemu\":{\"micro\":2,\"minor\":0,\"major\":10},\"package\":\"\"}");
    else
        peer_reply(peer, id, peer->user ? peer->user : "\"return\":{}");
}

/* A socket of that name in the folder of the first. */
static void neighbour(struct peer *peer, uv_loop_t *loop, struct peer *first, const char *name)
{
    g_autofree char *path = g_build_filename(first->folder, name, NULL);
    peer_listen(peer, loop);
    g_assert_cmpint(link(peer->path, path), ==, 0); /* one listener, reached by another name */
    peer->on_command = answer;
}

/* Until all folders and sockets have answered: nothing else runs in this loop but the peers. */
static void look(struct nearby *n, uv_loop_t *loop, const struct model *m, const char *monitor, unsigned wanted)
{
    int64_t deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    nearby_look(n, monitor);
    while (m->link.n_nearby != wanted && g_get_monotonic_time() < deadline)
        uv_run(loop, UV_RUN_ONCE);
    g_assert_cmpuint(m->link.n_nearby, ==, wanted);
}

static void test_found(void)
{
    uv_loop_t loop;
    struct peer ours, named, nameless, human;
    struct model m;
    uv_loop_init(&loop);
    model_init(&m);
    peer_listen(&ours, &loop);
    neighbour(&named, &loop, &ours, "a.qmp");
    named.user = (void *)"\"return\":{\"name\":\"db-02\"}";
    neighbour(&nameless, &loop, &ours, "b.qmp");
    neighbour(&human, &loop, &ours, "c.hmp");
    human.greeting = "QEMU 7.2.0 monitor - type 'help' for more information\r\n(qemu) ";
    g_autofree char *file = g_build_filename(ours.folder, "d.qmp", NULL);
    g_assert_true(g_file_set_contents(file, "no socket", -1, NULL));

    struct nearby *n = nearby_new(&loop, &m);
    look(n, &loop, &m, ours.path, 2);
    g_assert_true(g_str_has_suffix(m.link.nearby[0].address, "/a.qmp"));
    g_assert_cmpstr(m.link.nearby[0].guest, ==, "db-02");
    g_assert_cmpstr(m.link.nearby[0].qemu, ==, "10.0.2");
    g_assert_cmpstr(m.link.nearby[1].guest, ==, "b.qmp"); /* a guest without a name goes by its socket's */
    nearby_close(n);

    static const char *const names[] = {"a.qmp", "b.qmp", "c.hmp", "d.qmp"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(ours.folder, names[i], NULL);
        unlink(path);
    }
    peer_close(&named);
    peer_close(&nameless);
    peer_close(&human);
    peer_close(&ours);
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&loop), ==, 0);
    model_clear(&m);
}

/* Closed while the folders are still being read, and while sockets are asked: nothing is touched afterwards.
 */
static void test_closed_early(void)
{
    for (int turns = 0; turns < 8; turns++) {
        uv_loop_t loop;
        struct peer ours, silent;
        struct model m;
        uv_loop_init(&loop);
        model_init(&m);
        peer_listen(&ours, &loop);
        neighbour(&silent, &loop, &ours, "a.qmp");
        silent.greeting = NULL;
        struct nearby *n = nearby_new(&loop, &m);
        nearby_look(n, ours.path);
        for (int i = 0; i < turns; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        nearby_close(n);
        g_autofree char *path = g_build_filename(ours.folder, "a.qmp", NULL);
        unlink(path);
        peer_close(&silent);
        peer_close(&ours);
        uv_run(&loop, UV_RUN_DEFAULT);
        g_assert_cmpint(uv_loop_close(&loop), ==, 0);
        g_assert_cmpuint(m.link.n_nearby, ==, 0);
        model_clear(&m);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/nearby/found", test_found);
    g_test_add_func("/qemu/nearby/closed-early", test_closed_early);
    return g_test_run();
}
