// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands as JSON lines: {"id":7,"cmd":"limit","target":"scsi1","bps":157286400}. */
#include "model/command.h"

#include <json-c/json.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "model/json_fields.h"

#define MAX_DEPTH        4 /* a command is flat; a little more for fields that are ignored */
#define fail(error, ...) vmb_fail(error, VMB_ERROR_USAGE, __VA_ARGS__)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, json_object_put)

/* The member when it has that type, else NULL. */
static json_object *member(json_object *object, const char *name, json_type type)
{
    json_object *value = NULL;
    return json_object_object_get_ex(object, name, &value) && json_object_is_type(value, type) ? value : NULL;
}

static const char *member_text(json_object *object, const char *name)
{
    json_object *value = member(object, name, json_type_string);
    const char *text = value ? json_object_get_string(value) : NULL;
    /* A NUL inside would make one name look like another. */
    return text && strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static bool take_name(json_object *object, const char *name, char *field, GError **error)
{
    const char *text = member_text(object, name);
    if (text && *text && text_copy(field, MODEL_NAME_LEN, text))
        return true;
    return fail(error, "command: \"%s\" must be a name", name);
}

static bool take_rate(json_object *object, struct command *c, GError **error)
{
    const char *text = member_text(object, "rate");
    if (text)
        return command_parse_rate(text, c, error);
    json_object *bps = member(object, "bps", json_type_int);
    if (!bps || json_object_get_int64(bps) < 0)
        return fail(error, "command: \"bps\" must be a number of bytes per second, 0 for none");
    c->rate = (uint64_t)json_object_get_int64(bps);
    return command_check_rate(c->rate, error);
}

static bool take_path(json_object *object, struct command *c, GError **error)
{
    const char *text = member_text(object, "path");
    return (text && *text && text_copy(c->text, sizeof c->text, text)) ||
           fail(error, "command: \"path\" must be a text that is not too long");
}

static bool take_switch(json_object *object, struct command *c, GError **error)
{
    json_object *on = member(object, "on", json_type_boolean);
    c->is_on = json_object_get_boolean(on);
    return on || fail(error, "command: \"on\" must be true or false");
}

static bool take_engine(json_object *object, struct command *c, GError **error)
{
    const char *word = member_text(object, "engine");
    return (word && engine_from_word(word, &c->engine)) ||
           fail(error, "command: \"engine\" must be \"push\" or \"pull\"");
}

static bool take_number(json_object *object, struct command *c, GError **error)
{
    json_object *n = member(object, "n", json_type_int);
    return command_take_number(c, n ? json_object_get_int64(n) : -1, error);
}

static bool take_arguments(enum command_form form, json_object *object, struct command *c, GError **error)
{
    switch (form) {
    case COMMAND_FORM_DRIVE_RATE:
        return take_name(object, "target", c->target, error) && take_rate(object, c, error);
    case COMMAND_FORM_DRIVE:
        return take_name(object, "target", c->target, error);
    case COMMAND_FORM_DRIVE_YES:
        c->is_confirmed = json_object_get_boolean(member(object, "yes", json_type_boolean));
        if (!c->is_confirmed)
            return fail(error, "command: cancelling takes the drive out of the archive; confirm by \"yes\":true");
        return take_name(object, "target", c->target, error);
    case COMMAND_FORM_GUEST:
        c->keep_partial = json_object_get_boolean(member(object, "keep_partial", json_type_boolean));
        return take_name(object, "guest", c->confirmation, error);
    case COMMAND_FORM_PATH:
        return take_path(object, c, error);
    case COMMAND_FORM_SWITCH:
        return take_switch(object, c, error);
    case COMMAND_FORM_ENGINE:
        return take_engine(object, c, error);
    case COMMAND_FORM_NUMBER:
        return take_number(object, c, error);
    default:
        return true;
    }
}

bool command_parse_json(const char *line, struct command *c, GError **error)
{
    command_init(c, COMMAND_NONE);
    g_autoptr(json_object) object = json_line_parse(line, strlen(line), MAX_DEPTH);
    if (!object)
        return fail(error, "command: not a JSON object");
    json_object *id = member(object, "id", json_type_int);
    if (id)
        c->id = json_object_get_int64(id);
    const char *word = member_text(object, "cmd");
    const struct command_entry *entry = word ? command_entry_of_word(word) : NULL;
    if (!entry || !entry->form)
        return fail(error, "command: \"cmd\" is unknown; help lists them");
    c->verb = entry->verb;
    return take_arguments(entry->form, object, c, error);
}

static void put_name(json_object *object, const char *name, const char *value)
{
    if (*value)
        json_object_object_add(object, name, json_object_new_string(value));
}

char *command_to_json(const struct command *c)
{
    const struct command_entry *entry = command_entry_of(c->verb);
    g_autoptr(json_object) object = json_object_new_object();
    g_assert(entry && entry->form);
    if (c->id >= 0)
        json_object_object_add(object, "id", json_object_new_int64(c->id));
    put_name(object, "cmd", entry->word);
    put_name(object, "target", c->target);
    put_name(object, "guest", c->confirmation);
    if (entry->form == COMMAND_FORM_DRIVE_RATE && !c->is_relative) {
        json_object_object_add(object, "bps", json_object_new_uint64(c->rate));
    } else if (entry->form == COMMAND_FORM_DRIVE_RATE) {
        g_autofree char *percent = g_strdup_printf("%+d%%", c->percent);
        put_name(object, "rate", percent);
    }
    put_name(object, "path", c->text);
    if (entry->form == COMMAND_FORM_NUMBER)
        json_object_object_add(object, "n", json_object_new_int64(c->number));
    if (entry->form == COMMAND_FORM_ENGINE)
        put_name(object, "engine", engine_word(c->engine));
    if (entry->form == COMMAND_FORM_SWITCH)
        json_object_object_add(object, "on", json_object_new_boolean(c->is_on));
    if (c->is_confirmed)
        json_object_object_add(object, "yes", json_object_new_boolean(true));
    if (c->keep_partial)
        json_object_object_add(object, "keep_partial", json_object_new_boolean(true));
    return g_strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
}
