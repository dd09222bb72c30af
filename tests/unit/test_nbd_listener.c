// SPDX-License-Identifier: GPL-2.0-or-later
/* Listening sockets: what stands in the way, who may connect, what is left behind. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <glib/gstdio.h>
#include "base/listening.h"
#include "unit/nbd_loop.h"

struct place {
    char *folder, *path;
};

static void place_init(struct place *p)
{
    p->folder = g_dir_make_tmp("nbd-XXXXXX", NULL);
    g_assert_nonnull(p->folder);
    p->path = g_build_filename(p->folder, "s", NULL);
}

static void place_clear(struct place *p)
{
    g_assert_cmpint(g_rmdir(p->folder), ==, 0); /* nothing was left behind */
    g_free(p->folder);
    g_free(p->path);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

static struct nbd_listener *listen_or_die(struct fixture *f, const char *path)
{
    g_autoptr(GError) error = NULL;
    struct nbd_listener *listener = nbd_listener_open(&f->loop, path, f->exports, &events, f, &error);

    g_assert_no_error(error);
    return listener;
}

static void expect_refused(struct fixture *f, const char *path, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(nbd_listener_open(&f->loop, path, f->exports, &events, f, &error));
    g_assert_nonnull(strstr(error->message, why));
}

static void test_life(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();
    struct nbd_listener *listener;
    struct place place;
    struct stat st;
    int idle;

    place_init(&place);
    listener = listen_or_die(f, place.path);
    g_assert_cmpint(stat(place.path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
    idle = connect_to(place.path);
    f->client = connect_to(place.path);
    say(f, f->client, says);
    TURN_UNTIL(f, f->n_exports == 1);
    expect_refused(f, place.path, "listens there already");
    nbd_listener_close(listener);
    TURN_UNTIL(f, f->n_closed == 1); /* the one that had not chosen an export */
    g_assert_cmpint(g_access(place.path, F_OK), ==, -1);
    nbd_conn_shutdown(f->conn); /* the other one was left alone */
    TURN_UNTIL(f, f->n_closed == 2);
    close(idle);
    place_clear(&place);
}

static void test_stale(struct fixture *f, gconstpointer unused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct place place;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    place_init(&place);
    g_strlcpy(address.sun_path, place.path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    close(fd);
    nbd_listener_close(listen_or_die(f, place.path));
    place_clear(&place);
}

static void test_in_the_way(struct fixture *f, gconstpointer unused)
{
    g_autofree char *long_path = g_strnfill(108, 'x');
    struct place place;

    place_init(&place);
    g_assert_true(g_file_set_contents(place.path, "precious", -1, NULL));
    expect_refused(f, place.path, "no socket");
    g_assert_cmpint(g_unlink(place.path), ==, 0);
    expect_refused(f, long_path, "108 bytes, but 1 to 107");
    expect_refused(f, "", "0 bytes");
    expect_refused(f, "/nonexistent/folder/s", "No such file");
    place_clear(&place);
}

/* By its folder, past what it lies in; after the listener nobody comes in. */
static void test_admits_all(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();
    g_autofree char *path = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct nbd_listener *listener;
    struct place place;
    struct stat st;
    int folder, late;

    place_init(&place);
    listener = listen_or_die(f, place.path);
    g_assert_true(listening_admit_all(nbd_listener_socket(listener), NULL));
    g_assert_cmpint(stat(place.path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 0777, ==, 0666);
    folder = open(place.folder, O_RDONLY | O_DIRECTORY);
    path = g_strdup_printf("/proc/self/fd/%d/s", folder);
    f->client = connect_to(path);
    say(f, f->client, says);
    TURN_UNTIL(f, f->n_exports == 1);
    nbd_listener_close(listener);
    nbd_conn_shutdown(f->conn);
    TURN_UNTIL(f, f->n_closed == 1);
    late = socket(AF_UNIX, SOCK_STREAM, 0);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(connect(late, (struct sockaddr *)&address, sizeof address), ==, -1);
    g_assert_cmpint(errno, ==, ENOENT);
    close(late);
    close(folder);
    place_clear(&place);
}

/* What stands at the path in the end may be another's. */
static void test_replaced(struct fixture *f, gconstpointer unused)
{
    struct nbd_listener *listener, *other;
    struct place place;

    place_init(&place);
    listener = listen_or_die(f, place.path);
    g_assert_cmpint(g_unlink(place.path), ==, 0);
    other = listen_or_die(f, place.path);
    nbd_listener_close(listener);
    g_assert_cmpint(g_access(place.path, F_OK), ==, 0);
    nbd_listener_close(other);
    place_clear(&place);
}

/* Without descriptors clients wait, and are served when there are some again. */
static void test_without_descriptors(struct fixture *f, gconstpointer unused)
{
    g_autoptr(GByteArray) says = begin_conversation();
    struct nbd_listener *listener;
    struct rlimit old, none;
    struct place place;

    place_init(&place);
    listener = listen_or_die(f, place.path);
    f->client = connect_to(place.path);
    say(f, f->client, says);
    getrlimit(RLIMIT_NOFILE, &old);
    none = (struct rlimit){0, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    for (unsigned i = 0; i < 10; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    setrlimit(RLIMIT_NOFILE, &old);
    g_assert_cmpuint(f->n_exports, ==, 0);
    TURN_UNTIL(f, f->n_exports == 1);
    nbd_listener_close(listener);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    place_clear(&place);
}

#define ADD(name) g_test_add("/nbd/listener/" #name, struct fixture, NULL, set_up, test_##name, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(life);
    ADD(stale);
    ADD(in_the_way);
    ADD(admits_all);
    ADD(replaced);
    ADD(without_descriptors);
    return g_test_run();
}
