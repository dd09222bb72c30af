// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/store_file.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "store/snapshot.h"

#define FORMAT "1"

char *store_file_text(uint32_t chunk_bytes)
{
    g_autofree char *created = snapshot_instant_text(g_get_real_time() / G_USEC_PER_SEC);
    return g_strdup_printf("format=" FORMAT "\nchunk=%u\ndigest=sha256\ncreated=%s\n", chunk_bytes, created);
}

static const char *value_of(char **lines, const char *key)
{
    for (; *lines; lines++)
        if (g_str_has_prefix(*lines, key) && (*lines)[strlen(key)] == '=')
            return *lines + strlen(key) + 1;
    return "";
}

static bool read_lines(char **lines, uint32_t *chunk_bytes, GError **error)
{
    const char *format = value_of(lines, "format");
    guint64 chunk = 0;
    if (*format && strcmp(format, FORMAT))
        return vmb_fail(error, VMB_ERROR_FAILED, "made by a newer vmabackup; use that one");
    if (!*format || strcmp(value_of(lines, "digest"), "sha256") ||
        !g_ascii_string_to_unsigned(value_of(lines, "chunk"), 10, 0, UINT32_MAX, &chunk, NULL) ||
        !chunk_id_is_size(chunk))
        return vmb_fail(error, VMB_ERROR_DAMAGED, "its key file is damaged");
    *chunk_bytes = (uint32_t)chunk;
    return true;
}

bool store_file_load(const char *dir, const char *name, uint32_t *chunk_bytes, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL), *text = NULL, *safe = text_make_safe(dir);
    g_autoptr(GError) why = NULL;
    if (!g_file_get_contents(path, &text, NULL, &why))
        return g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)
                   ? vmb_fail(error, VMB_ERROR_FAILED, "%s: no store; `vmabackup store init` makes one", safe)
                   : vmb_fail(error, VMB_ERROR_FAILED, "%s", why->message);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    if (read_lines(lines, chunk_bytes, error))
        return true;
    g_prefix_error(error, "store %s: ", safe);
    return false;
}
