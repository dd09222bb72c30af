// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup store init|stat|check DIR`, `vmabackup store pin|unpin SNAPSHOT` */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/store.h"
#include "store/snapshot.h"

/* ---- init ---- */

static bool parse_chunk(const char *text, uint64_t *bytes, GError **error)
{
    *bytes = STORE_CHUNK_DEFAULT;
    if (!text)
        return true;
    if (!units_parse_size(text, bytes, error))
        return false;
    return chunk_id_is_size(*bytes) ||
           vmb_fail(error, VMB_ERROR_USAGE, "chunk %s: must be a power of two from 64K to 16M", text);
}

static int init(const char *dir, const char *chunk)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *safe = text_make_safe(dir);
    char size[UNITS_LEN];
    uint64_t bytes;
    if (!parse_chunk(chunk, &bytes, &error) || !store_init(dir, (uint32_t)bytes, &error))
        return cli_fail(error);
    printf("%s: a store now, with chunks of %s\n", safe, units_format_size(bytes, size));
    return 0;
}

/* ---- pin, unpin ---- */

static bool pin_at(const char *path, bool is_pinned, GError **error)
{
    g_autofree char *dir = store_of_snapshot(path), *safe = text_make_safe(path);
    char *real = realpath(path, NULL);
    g_autofree char *name = real ? g_path_get_basename(real) : NULL;
    g_autoptr(store) s = NULL;
    bool ok = dir && name && *name != '.' && g_file_test(real, G_FILE_TEST_IS_DIR);
    if (!ok)
        vmb_error_set(error, VMB_ERROR_FAILED, "%s: no snapshot of a store; name its folder, STORE/GUEST/TIME", safe);
    else
        ok = (s = store_open(dir, STORE_SHARED, error)) && snapshot_mark(real, SNAPSHOT_PINNED, is_pinned, error);
    free(real);
    return ok;
}

static int pin(const char *path, bool is_pinned)
{
    g_autoptr(GError) error = NULL;
    return pin_at(path, is_pinned, &error) ? 0 : cli_fail(error);
}

/* ---- which of them ---- */

static int run(const char *word, const char *path, const char *chunk, bool is_json)
{
    g_autoptr(GError) error = NULL;
    if (chunk && strcmp(word, "init"))
        vmb_error_set(&error, VMB_ERROR_USAGE, "store %s: --chunk belongs to `vmabackup store init`", word);
    else if (!strcmp(word, "init"))
        return init(path, chunk);
    else if (!strcmp(word, "stat"))
        return cli_store_stat(path, is_json);
    else if (!strcmp(word, "check"))
        return cli_store_check(path, is_json);
    else if (!strcmp(word, "pin") || !strcmp(word, "unpin"))
        return pin(path, *word == 'p');
    else
        vmb_error_set(&error, VMB_ERROR_USAGE, "store: %s is none of init, stat, check, pin and unpin", word);
    return cli_fail(error);
}

int cli_store(int argc, char **argv)
{
    gboolean is_json = FALSE;
    g_autofree char *chunk = NULL;
    const GOptionEntry options[] = {
        {"chunk", 0, 0, G_OPTION_ARG_STRING, &chunk, "init: 64K to 16M, a power of two (default 1M)", "SIZE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "stat, check: print one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    if (!cli_parse_counted(
            &argc, &argv, options, "init|stat|check|pin|unpin PATH",
            "init DIR        makes DIR a store, to which backups are written by `-o DIR`\n"
            "stat DIR        says what it holds, what that takes, and what each snapshot costs\n"
            "check DIR       reads all of it; what is damaged is set aside, and the next backup heals it\n"
            "pin SNAPSHOT    `vmabackup prune` leaves this one alone\n"
            "unpin SNAPSHOT  … no longer",
            2, 2, &error))
        return cli_fail(error);
    return run(argv[1], argv[2], chunk, is_json);
}
