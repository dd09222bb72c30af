// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The agent in the fake guest: a thread that answers, as long as the guest runs, how its file systems are
 * frozen. See fake/qemu.h; the real one is qemu-ga.
 */
#include <glib.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_agent {
    char *path;
    GThread *thread;
    int listener, conn, wake[2];
    GString *input;
    int is_guest_running; /* atomic */
    int is_frozen;        /* atomic */
    unsigned n_freezes;
};

static struct fake_agent *fake_agent_new(const char *path, int listener)
{
    struct fake_agent *a = g_new0(struct fake_agent, 1);

    a->path = g_strdup(path);
    a->listener = listener;
    a->conn = -1;
    a->input = g_string_new(NULL);
    return a;
}

static void fake_agent_free(struct fake_agent *a)
{
    if (!a)
        return;
    close(a->listener);
    g_string_free(a->input, TRUE);
    g_free(a->path);
    g_free(a);
}

static void fake_agent_answer(struct fake_agent *a, json_object *message)
{
    json_object *value = NULL;
    const char *command = json_object_object_get_ex(message, "execute", &value) ? json_object_get_string(value) : "";
    bool is_sync = strcmp(command, "guest-sync-delimited") == 0;
    g_autofree char *text = NULL;

    if (is_sync) {
        json_object_object_get_ex(message, "arguments", &value);
        json_object_object_get_ex(value, "id", &value);
        text = g_strdup_printf("\xff{\"return\": %" G_GINT64_FORMAT "}\n", json_object_get_int64(value));
    } else if (strcmp(command, "guest-fsfreeze-status") == 0) {
        text = g_strdup_printf("{\"return\": \"%s\"}\n", g_atomic_int_get(&a->is_frozen) ? "frozen" : "thawed");
    } else {
        bool is_freeze = strcmp(command, "guest-fsfreeze-freeze") == 0;
        a->n_freezes += is_freeze;
        g_atomic_int_set(&a->is_frozen, is_freeze);
        text = g_strdup("{\"return\": 1}\n");
    }
    if (send(a->conn, text, strlen(text), MSG_NOSIGNAL) < 0)
        return; /* he has gone; reading tells */
}

static void fake_agent_serve(struct fake_agent *a)
{
    char bytes[1024], *end;
    ssize_t n = recv(a->conn, bytes, sizeof bytes, 0);

    if (n <= 0) {
        close(a->conn);
        a->conn = -1;
        g_string_truncate(a->input, 0);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] != '\xff')
            g_string_append_c(a->input, bytes[i]);
    while ((end = strchr(a->input->str, '\n'))) {
        *end = '\0';
        json_object *message = json_tokener_parse(a->input->str);
        fake_agent_answer(a, message);
        json_object_put(message);
        g_string_erase(a->input, 0, end - a->input->str + 1);
    }
}

static gpointer fake_agent_main(gpointer data)
{
    struct fake_agent *a = data;

    for (;;) {
        bool is_running = g_atomic_int_get(&a->is_guest_running);
        struct pollfd fds[] = {{a->wake[0], POLLIN, 0}, {a->conn >= 0 ? a->conn : a->listener, POLLIN, 0}};
        poll(fds, is_running ? 2 : 1, is_running ? 50 : 2);
        if (fds[0].revents)
            return NULL;
        if (!is_running || !fds[1].revents)
            continue;
        if (a->conn >= 0)
            fake_agent_serve(a);
        else
            a->conn = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);
    }
}

static void fake_agent_start(struct fake_agent *a)
{
    g_assert_cmpint(pipe(a->wake), ==, 0);
    a->thread = g_thread_new("agent", fake_agent_main, a);
}

static void fake_agent_stop(struct fake_agent *a)
{
    g_assert_cmpint(write(a->wake[1], "x", 1), ==, 1);
    g_thread_join(a->thread);
    close(a->wake[0]);
    close(a->wake[1]);
    if (a->conn >= 0)
        close(a->conn);
    a->conn = -1;
}
