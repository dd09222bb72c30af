// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any text as snapshot.json: refused with a reason, or read; and what was read comes back the same. The digest is set
 * right first, or no input would ever get behind it.
 */
#include <string.h>
#include "store/snapshot_json.h"
#include "../unit/snapshot_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL, again_error = NULL;
    g_autofree char *text = g_strndup((const char *)data, size), *sealed = snapshot_seal(text);
    const char *input = sealed ? sealed : text;
    g_autoptr(snapshot) s = snapshot_from_json(input, strlen(input), &error);
    g_assert_true((s == NULL) == (error != NULL));
    if (s) {
        g_autofree char *written = snapshot_to_json(s);
        g_autoptr(snapshot) back = snapshot_from_json(written, strlen(written), &again_error);
        g_assert_no_error(again_error);
        g_autofree char *same = snapshot_to_json(back);
        g_assert_cmpstr(same, ==, written);
    }
    return 0;
}
