// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/greeting.h"
#include <string.h>
#include <glib.h>

#define TELNET_IAC 255

static enum greeting compare(const struct greeting_scan *scan)
{
    static const char *const human[] = {"QEMU ", "(qemu)"};

    for (unsigned i = 0; i < G_N_ELEMENTS(human); i++) {
        size_t len = strlen(human[i]);
        if (memcmp(scan->text, human[i], MIN(len, scan->n_text)) == 0)
            return scan->n_text < len ? GREETING_MORE : GREETING_HMP;
    }
    return GREETING_FOREIGN;
}

static enum greeting scan_byte(struct greeting_scan *scan, unsigned char byte)
{
    if (scan->n_to_skip) {
        scan->n_to_skip--;
        return GREETING_MORE;
    }
    if (byte == TELNET_IAC) {
        scan->n_to_skip = 2;
        return GREETING_MORE;
    }
    if (!scan->n_text && (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'))
        return GREETING_MORE;
    if (!scan->n_text && byte == '{')
        return GREETING_JSON;
    /* compare() decides before the text is full: the longest prompt is shorter. */
    scan->text[scan->n_text++] = (char)byte;
    return compare(scan);
}

enum greeting greeting_scan(struct greeting_scan *scan, const void *bytes, size_t n, size_t *n_used)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < n; i++) {
        enum greeting what = scan_byte(scan, at[i]);
        if (what != GREETING_MORE) {
            *n_used = i; /* the deciding byte itself is not used up: JSON begins with it */
            return what;
        }
    }
    *n_used = n;
    return GREETING_MORE;
}
