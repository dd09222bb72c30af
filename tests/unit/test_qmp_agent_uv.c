// SPDX-License-Identifier: GPL-2.0-or-later
/* The way to the guest's agent: nobody there, nobody who answers, and the real qemu-ga. */
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "qmp/agent_uv.h"

struct asked {
    uv_loop_t loop;
    char *dir, *path;
    struct agent_link *link;
    int n_answers;
    int64_t number;
    char *text;
    GError *error;
};

static void asked_up(struct asked *a, gconstpointer data)
{
    uv_loop_init(&a->loop);
    a->dir = g_dir_make_tmp("agent-XXXXXX", NULL);
    a->path = g_build_filename(a->dir, "agent", NULL);
    a->link = agent_link_new(&a->loop, a->path);
}

static void asked_down(struct asked *a, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", a->dir);

    agent_link_close(a->link);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&a->loop), ==, 0);
    g_assert_cmpint(system(command), ==, 0);
    g_clear_error(&a->error);
    g_free(a->text);
    g_free(a->path);
    g_free(a->dir);
}

static void on_answer(void *user, int64_t number, const char *text, const GError *error)
{
    struct asked *a = user;

    a->n_answers++;
    a->number = number;
    g_free(a->text);
    a->text = g_strdup(text);
    g_clear_error(&a->error);
    a->error = error ? g_error_copy(error) : NULL;
    uv_stop(&a->loop);
}

static void ask(struct asked *a, const char *command, bool is_at_once, unsigned timeout_ms)
{
    const struct agent_question question = {command, is_at_once, timeout_ms};
    int before = a->n_answers;

    agent_link_ask(a->link, &question, on_answer, a);
    g_assert_cmpint(a->n_answers, ==, before);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(a->n_answers, ==, before + 1);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static void test_nobody(struct asked *a, gconstpointer data)
{
    ask(a, "guest-fsfreeze-status", false, 100);
    g_assert_error(a->error, QMP_ERROR, QMP_ERROR_NOT_THERE);
    close(listen_at(a->path));
    ask(a, "guest-fsfreeze-status", false, 100);
    g_assert_error(a->error, QMP_ERROR, QMP_ERROR_REFUSED);
    g_assert_true(g_str_has_prefix(a->error->message, a->path));
}

static void test_bad_address(struct asked *a, gconstpointer data)
{
    static const char *const addresses[] = {"", "localhost:4444", "unix:",
                                            ("/a/path/much/too/long/for/a/socket/because/it/has/more/than/"
                                             "the/one/hundred/and/seven/bytes/that/fit/into/its/name")};

    for (unsigned i = 0; i < G_N_ELEMENTS(addresses); i++) {
        agent_link_close(a->link);
        a->link = agent_link_new(&a->loop, addresses[i]);
        ask(a, "guest-fsfreeze-status", false, 100);
        g_assert_error(a->error, QMP_ERROR, QMP_ERROR_NOT_SOCKET);
    }
}

/* What must arrive is sent to one who is silent; he who answers late is still connected. */
static void test_silence(struct asked *a, gconstpointer data)
{
    int listener = listen_at(a->path), conn;
    char bytes[512] = "";

    ask(a, "guest-fsfreeze-thaw", true, 50);
    g_assert_error(a->error, QMP_ERROR, QMP_ERROR_TIMEOUT);
    conn = accept(listener, NULL, NULL);
    g_assert_cmpint(recv(conn, bytes, sizeof bytes - 1, 0), >, 0);
    g_assert_nonnull(strstr(bytes, "guest-fsfreeze-thaw"));
    ask(a, "guest-fsfreeze-thaw", true, 50);
    g_assert_error(a->error, QMP_ERROR, QMP_ERROR_TIMEOUT);
    g_assert_cmpint(recv(conn, bytes, sizeof bytes, MSG_DONTWAIT), >, 0);
    close(conn);
    ask(a, "guest-fsfreeze-thaw", true, 50); /* the loss is seen, or it is connected anew: an error either way */
    g_assert_nonnull(a->error);
    close(listener);
}

/* A question that is replaced is not answered. */
static void test_replaced(struct asked *a, gconstpointer data)
{
    const struct agent_question first = {"guest-fsfreeze-freeze", false, 10};
    int listener = listen_at(a->path);

    agent_link_ask(a->link, &first, on_answer, NULL);
    ask(a, "guest-fsfreeze-thaw", true, 50);
    g_assert_error(a->error, QMP_ERROR, QMP_ERROR_TIMEOUT);
    close(listener);
}

/* The path alone is there a moment before. */
static bool is_listening(const char *path)
{
    g_autofree char *sockets = NULL;
    char *line, *next;

    g_assert_true(g_file_get_contents("/proc/net/unix", &sockets, NULL, NULL));
    for (line = strtok_r(sockets, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
        if (g_str_has_suffix(line, path) && strstr(line, " 00010000 ")) /* __SO_ACCEPTCON */
            return true;
    return false;
}

/* As a user who could freeze nothing, with that command switched off besides: it must never happen to the machine this
 * runs on. */
static GPid start_qemu_ga(const char *dir, const char *path)
{
    const char *argv[] = {"setpriv",
                          "--reuid=65534",
                          "--regid=65534",
                          "--clear-groups",
                          "--pdeathsig",
                          "KILL",
                          "qemu-ga",
                          "-m",
                          "unix-listen",
                          "-p",
                          path,
                          "-t",
                          dir,
                          "-b",
                          "guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-shutdown",
                          NULL};
    g_autoptr(GError) error = NULL;
    GPid pid;

    g_assert_cmpint(chown(dir, 65534, 65534), ==, 0);
    g_spawn_async(NULL, (char **)argv, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, &pid, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; !is_listening(path) && i < 500; i++)
        g_usleep(10000);
    return pid;
}

static void test_qemu_ga(struct asked *a, gconstpointer data)
{
    g_autofree char *there = g_find_program_in_path("qemu-ga");
    GPid pid;

    if (!there || geteuid() != 0) {
        g_test_skip("needs qemu-ga, and root to run it as a user without rights");
        return;
    }
    pid = start_qemu_ga(a->dir, a->path);
    for (unsigned i = 0; i < 3; i++) {
        ask(a, "guest-fsfreeze-status", i == 2, 3000);
        g_assert_no_error(a->error);
        g_assert_cmpstr(a->text, ==, "thawed");
    }
    ask(a, "guest-no-such-command", false, 3000);
    g_assert_error(a->error, QMP_ERROR, QMP_ERROR_NO_COMMAND);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    ask(a, "guest-fsfreeze-status", false, 3000); /* it was lost, and nobody listens any more */
    g_assert_nonnull(a->error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
#define ADD(path, test) g_test_add("/qmp/agent-uv/" path, struct asked, NULL, asked_up, test, asked_down)
    ADD("nobody", test_nobody);
    ADD("bad-address", test_bad_address);
    ADD("silence", test_silence);
    ADD("replaced", test_replaced);
    ADD("qemu-ga", test_qemu_ga);
    return g_test_run();
}
