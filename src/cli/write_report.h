// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What `vmabackup write` tells of its course: a line, plain or JSON, for each event; g_free() it.
 *
 *     g_autofree char *line = write_report_plain(s, options, event);      // "drive scsi0 has ended\n"
 */
#include "write/standalone.h"

/* NULL: it is no line's worth. */
char *write_report_plain(const struct standalone *s, const struct standalone_event *e);
char *write_report_json(const struct standalone *s, const struct standalone_options *o,
                        const struct standalone_event *e);
