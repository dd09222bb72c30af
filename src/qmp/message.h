// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* What a message from QEMU says, as plain values. */
#include <stdbool.h>
#include <glib.h>
#include <json-c/json.h>
#include "qmp/events.h"

/* {"event":NAME,"data":{…},"timestamp":{…}}; false when the message is no event. Strings are borrowed. */
bool qmp_message_event(struct json_object *message, struct qmp_event *event);
/* The "error" member of a reply, {"class":…,"desc":…}, as a QMP_ERROR; any shape of it is taken. */
GError *qmp_message_error(struct json_object *error);
