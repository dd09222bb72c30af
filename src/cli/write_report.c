// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/write_report.h"

#include <json-c/json.h>

#include "base/text.h"
#include "base/units.h"

#define FORMAT_VERSION 1

static const char *const credits[] = {
    [STANDALONE_PLENTY] = "plenty", [STANDALONE_LOW] = "low", [STANDALONE_NONE] = "none"};

char *write_report_plain(const struct standalone *s, const struct standalone_event *e)
{
    g_autofree char *drive = text_make_safe(e->drive), *text = text_make_safe(e->text);
    char size[UNITS_LEN];
    switch (e->kind) {
    case STANDALONE_READY:
        return g_strdup("Ready\n");
    case STANDALONE_DRIVE_ENDED:
        return g_strdup_printf("drive %s has ended\n", drive);
    case STANDALONE_RAM_ENDED:
        return g_strdup("RAM has ended\n");
    case STANDALONE_CREDIT:
        return g_strdup_printf("buffers: %s\n", credits[e->credit]);
    case STANDALONE_NOTE:
        return g_strdup_printf("%s\n", text);
    case STANDALONE_WARNING:
        return g_strdup_printf("warning: %s\n", text);
    case STANDALONE_FAILED: /* told as an error */
        break;
    case STANDALONE_RESULT:
        if (standalone_status(s))
            break;
        return g_strdup_printf("saved %s, %s\n", standalone_archive(s),
                               units_format_size(standalone_archive_bytes(s), size));
    }
    return NULL;
}

static void put(json_object *o, const char *name, const char *text)
{
    g_autofree char *safe = text_make_safe(text);
    json_object_object_add(o, name, safe ? json_object_new_string(safe) : NULL);
}

static void put_note(json_object *o, const char *level, const char *text)
{
    put(o, "ev", "note");
    put(o, "level", level);
    put(o, "text", text);
}

static void put_result(json_object *o, const struct standalone *s)
{
    put(o, "ev", "result");
    json_object_object_add(o, "status", json_object_new_int(standalone_status(s)));
    put(o, "archive", standalone_archive(s));
    json_object_object_add(o, "bytes", json_object_new_uint64(standalone_archive_bytes(s)));
}

static void put_event(json_object *o, const struct standalone *s, const struct standalone_options *options,
                      const struct standalone_event *e)
{
    switch (e->kind) {
    case STANDALONE_READY:
        put(o, "ev", "ready");
        put(o, "nbd", options->nbd_path);
        put(o, "incoming", options->incoming_path);
        break;
    case STANDALONE_DRIVE_ENDED:
        put(o, "ev", "drive_ended");
        put(o, "id", e->drive);
        break;
    case STANDALONE_RAM_ENDED:
        put(o, "ev", "ram_ended");
        break;
    case STANDALONE_CREDIT:
        put(o, "ev", "credit");
        put(o, "credit", credits[e->credit]);
        break;
    case STANDALONE_NOTE:
        put_note(o, "info", e->text);
        break;
    case STANDALONE_WARNING:
        put_note(o, "warning", e->text);
        break;
    case STANDALONE_FAILED:
        put_note(o, "error", e->text);
        break;
    case STANDALONE_RESULT:
        put_result(o, s);
        break;
    }
}

char *write_report_json(const struct standalone *s, const struct standalone_options *options,
                        const struct standalone_event *e)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "v", json_object_new_int(FORMAT_VERSION));
    put_event(o, s, options, e);
    char *line = g_strconcat(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                             "\n", NULL);
    json_object_put(o);
    return line;
}
