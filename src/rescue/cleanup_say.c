// SPDX-License-Identifier: GPL-2.0-or-later
/* What a dead run has left, and what is done about it, in words. */
#include "rescue/cleanup_inside.h"

static const struct {
    const char *doing;      /* with the action's name behind it */
    const char *one, *many; /* what is left; many NULL: it is never counted, one NULL: it is nothing */
} words[] = {
    [PAUSE_JOBS] = {"pause its jobs", NULL, NULL},
    [END_JOB] = {"end job", "job", "jobs"},
    [END_EXPORT] = {"end export", "export", "exports"},
    [REMOVE_BITMAP] = {"remove dirty bitmap", "dirty bitmap", "dirty bitmaps"},
    [DELETE_NODE] = {"delete node", "node", "nodes"},
    [TAKE_OFF] = {"take off lid", NULL, NULL},
    [PUT_BACK] = {"take out filter", "drive behind a filter", "drives behind filters"},
    [STOP_NBD_SERVER] = {"stop QEMU's NBD server", "its NBD server", NULL},
    [CANCEL_MIGRATION] = {"cancel the RAM's migration", "a migration of its RAM", NULL},
    [RESTORE_PARAMS] = {"restore migration parameters", "changed migration parameters", NULL},
    [RESTORE_CAPABILITIES] = {"restore migration capabilities", "changed migration capabilities", NULL},
    [RESUME] = {"resume the guest", "the guest stopped", NULL},
    [THAW] = {"thaw the guest's file systems by agent", "file systems frozen", NULL},
};

char *cleanup_describe(const struct action *a)
{
    return g_strdup_printf("%s%s%s%s%s", words[a->kind].doing, a->name ? " " : "", a->name ? a->name : "",
                           a->node ? " of node " : "", a->node ? a->node : "");
}

char *cleanup_summary(const GArray *actions)
{
    unsigned n[G_N_ELEMENTS(words)] = {0};
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; i < actions->len; i++)
        n[g_array_index(actions, struct action, i).kind]++;
    for (unsigned kind = 0; kind < G_N_ELEMENTS(words); kind++) {
        if (!n[kind] || !words[kind].one)
            continue;
        g_string_append(s, s->len ? ", " : "");
        if (words[kind].many)
            g_string_append_printf(s, "%u ", n[kind]);
        g_string_append(s, n[kind] > 1 && words[kind].many ? words[kind].many : words[kind].one);
    }
    return g_string_free(s, FALSE);
}
