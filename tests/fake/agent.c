// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/agent.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fake/books.h"

struct fake_agent *fake_agent_new(int listener)
{
    struct fake_agent *a = g_new0(struct fake_agent, 1);
    a->listener = listener;
    a->conn = -1;
    a->input = g_string_new(NULL);
    return a;
}

void fake_agent_free(struct fake_agent *a)
{
    if (!a)
        return;
    close(a->listener);
    g_string_free(a->input, TRUE);
    g_free(a);
}

int fake_agent_fd(const struct fake_agent *a)
{
    return a->conn >= 0 ? a->conn : a->listener;
}

void fake_agent_hang_up(struct fake_agent *a)
{
    if (a->conn >= 0)
        close(a->conn);
    a->conn = -1;
    g_string_truncate(a->input, 0);
}

static void answer(struct fake_agent *a, json_object *message)
{
    const char *command = fake_text(message, "execute");
    g_autofree char *text = NULL;
    if (g_strcmp0(command, "guest-sync-delimited") == 0) {
        json_object *id = fake_object(fake_object(message, "arguments"), "id");
        text = g_strdup_printf("\xff{\"return\": %" G_GINT64_FORMAT "}\n", json_object_get_int64(id));
    } else if (g_strcmp0(command, "guest-fsfreeze-status") == 0) {
        text = g_strdup_printf("{\"return\": \"%s\"}\n", a->is_frozen ? "frozen" : "thawed");
    } else {
        a->is_frozen = g_strcmp0(command, "guest-fsfreeze-freeze") == 0;
        text = g_strdup("{\"return\": 1}\n");
    }
    if (send(a->conn, text, strlen(text), MSG_NOSIGNAL) < 0)
        return; /* he has gone; reading tells */
}

void fake_agent_serve(struct fake_agent *a)
{
    char bytes[1024], *end;
    ssize_t n;
    if (a->conn < 0) {
        a->conn = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);
        return;
    }
    n = recv(a->conn, bytes, sizeof bytes, 0);
    if (n <= 0) {
        fake_agent_hang_up(a);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] != '\xff')
            g_string_append_c(a->input, bytes[i]);
    while ((end = strchr(a->input->str, '\n'))) {
        *end = '\0';
        json_object *message = json_tokener_parse(a->input->str);
        answer(a, message);
        json_object_put(message);
        g_string_erase(a->input, 0, end - a->input->str + 1);
    }
}
