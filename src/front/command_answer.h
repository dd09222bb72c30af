// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What is typed at a run, or sent to it: one line, plain or JSON, done at once and answered.
 *
 *     struct command c;
 *     struct model_event reply;
 *     g_autofree char *text = command_answer(b, "limit scsi1 50M", &c, &reply);   // reply.text is that text
 *     … tell reply to whoever asked
 */
#include "backup/backup.h"

/* line may be NULL: it was too long. c->verb is COMMAND_NONE where it was not understood, or blank (then reply->type
 * is not MODEL_EV_REPLY, and nobody wants an answer). "detach" is left to the caller: it is answered with ok. */
char *command_answer(struct backup *b, const char *line, struct command *c, struct model_event *reply);
