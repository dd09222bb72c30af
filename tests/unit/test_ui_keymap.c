// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/error.h"
#include "ui/keymap.h"

static bool load(const char *text, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_assert_true(g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, NULL));
    return keymap_load(file, text, "config", error);
}

static enum command_verb verb_of(uint32_t key, enum model_phase phase)
{
    const struct command_entry *entry = keymap_command(key, phase);
    return entry ? entry->verb : COMMAND_NONE;
}

/* The keys as they are built in: none does two things on one screen, and each command can be named. */
static void test_table(void)
{
    g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *a = &command_table[i];
        if (!a->keys)
            continue;
        g_assert_true(g_hash_table_add(words, (char *)a->word));
        g_auto(GStrv) keys = g_strsplit(a->keys, " ", -1);
        for (unsigned k = i + 1; k < command_table_len; k++) {
            const struct command_entry *b = &command_table[k];
            g_auto(GStrv) others = g_strsplit(b->keys ? b->keys : "", " ", -1);
            for (unsigned n = 0; (a->phases & b->phases) && keys[n]; n++)
                if (g_strv_contains((const char *const *)others, keys[n]))
                    g_error("%s is both '%s' and '%s'", keys[n], a->help, b->help);
        }
    }
}

static void test_rebind(void)
{
    char name[KEY_NAME_LEN];
    g_assert_cmpint(verb_of('s', MODEL_COPY), ==, COMMAND_LIMIT);
    g_assert_true(load("[keys]\nlimit=  y   Ctrl-W \nquit=Q\n", NULL));
    g_assert_cmpint(verb_of('s', MODEL_COPY), ==, COMMAND_NONE);
    g_assert_cmpint(verb_of('y', MODEL_COPY), ==, COMMAND_LIMIT);
    g_assert_cmpint(verb_of('W' - '@', MODEL_COPY), ==, COMMAND_LIMIT);
    g_assert_cmpstr(keymap_first(command_entry_of(COMMAND_LIMIT), name), ==, "y");
    g_assert_cmpint(verb_of('q', MODEL_COPY), ==, COMMAND_NONE);
    g_assert_cmpint(verb_of('Q', MODEL_COPY), ==, COMMAND_QUIT);
    g_assert_cmpint(verb_of(UI_KEY_CTRL_C, MODEL_COPY), ==, COMMAND_QUIT); /* that one stays */
    g_assert_true(load("[keys]\nlog=s\nlimit=L\n", NULL));                 /* a key that was given up may be taken */
    g_assert_cmpint(verb_of('s', MODEL_COPY), ==, COMMAND_LOG);
    g_assert_cmpint(verb_of('Q', MODEL_COPY), ==, COMMAND_NONE); /* only the last file counts */
    g_assert_true(load("[keys]\nunlimit=\n", NULL));             /* no key at all */
    g_assert_cmpint(verb_of('u', MODEL_COPY), ==, COMMAND_NONE);
    keymap_reset();
    g_assert_cmpint(verb_of('s', MODEL_COPY), ==, COMMAND_LIMIT);
}

static void test_refused(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"[keys]\n# one\nlimit=p\n", "config:3: limit: p is taken by toggle-pause"},
        {"[keys]\nlimit=y\ntoggle-pause=p y\n", "y is taken by"},
        {"[keys]\nlimit=Escape\n", "config:2: limit: no key is called 'Escape'"},
        {"[keys]\nlimit=Ctrl-ä\n", "no key is called"},
        {"[keys]\nlimt=y\n", "config:2: limt: no key has such a command"},
        {"[keys]\nstatus=y\n", "config:2: status: no key has such a command"}, /* it is only typed */
        {"[keys]\nlimit=\033\n", "config:2: limit: no key is called '?'"},
    };
    g_assert_true(load("[keys]\nlimit=y\n", NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(load(bad[i].text, &error));
        g_assert_error(error, VMB_ERROR, VMB_ERROR_USAGE);
        if (!strstr(error->message, bad[i].says))
            g_error("says '%s', expected '%s'", error->message, bad[i].says);
        g_assert_cmpint(verb_of('y', MODEL_COPY), ==, COMMAND_LIMIT); /* nothing has changed */
    }
    keymap_reset();
}

/* Who wants to bind a key finds its command in the documentation. */
static void test_documented(void)
{
    g_autofree char *path = g_build_filename(TEST_DATA, "..", "docs", "console.md", NULL), *page = NULL;
    g_assert_true(g_file_get_contents(path, &page, NULL, NULL));
    for (unsigned i = 0; i < command_table_len; i++) {
        g_autofree char *word = g_strdup_printf("`%s`", command_table[i].word);
        if (command_table[i].keys && !strstr(page, word))
            g_error("docs/console.md does not tell of %s", word);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/keymap/table", test_table);
    g_test_add_func("/ui/keymap/rebind", test_rebind);
    g_test_add_func("/ui/keymap/refused", test_refused);
    g_test_add_func("/ui/keymap/documented", test_documented);
    return g_test_run();
}
