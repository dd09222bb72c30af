// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What is at the other end? Told by its first bytes: QMP greets with a JSON object, a human monitor with
 * "QEMU 10.0.2 monitor - type 'help' …" or its prompt "(qemu) ". Either may come through telnet, which
 * begins with option negotiation (three bytes each, the first 255); that is skipped.
 */
#include <stddef.h>

enum greeting { GREETING_MORE, GREETING_JSON, GREETING_HMP, GREETING_FOREIGN };

struct greeting_scan {
    char text[8]; /* what came so far that is no JSON */
    unsigned n_text;
    unsigned n_to_skip; /* of a telnet option */
};
/* Reads on until it can tell, and says how many bytes it used: with GREETING_JSON the object starts there. */
enum greeting greeting_scan(struct greeting_scan *scan, const void *bytes, size_t n, size_t *n_used);
