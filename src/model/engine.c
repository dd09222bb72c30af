// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/engine.h"

#include <string.h>
#include <glib.h>

#define SECTOR 512u

static const char *const words[ENGINES] = {[ENGINE_PUSH] = "push", [ENGINE_PULL] = "pull"};

const char *engine_word(enum engine engine)
{
    return words[engine];
}

bool engine_from_word(const char *word, enum engine *engine)
{
    for (unsigned i = 0; i < ENGINES; i++)
        if (strcmp(word, words[i]) == 0) {
            *engine = i;
            return true;
        }
    return false;
}

/* What a guest writes past a filter would be read as if it were of the instant; a job copies it as it comes, too, but
 * then nobody expects more. */
static const char *obstacle(const struct engine_facts *f)
{
    if (!f->knows_export)
        return "this QEMU was built without vhost-user-blk exports";
    if (!f->passes_descriptors)
        return "this monitor passes no descriptors";
    if (!f->has_memfd)
        return "this system has no memfd_create";
    if (f->is_of_drive && !f->is_guarded && !f->is_read_only)
        return "it is written to without a filter";
    if (f->is_of_drive && f->is_in_iothread)
        return "it belongs to an iothread, where such an export can hang QEMU";
    if (f->is_of_drive && f->size % SECTOR)
        return "its size is not a multiple of 512 bytes";
    return NULL;
}

bool engine_can_pull(const struct engine_facts *facts, const char **why)
{
    *why = obstacle(facts);
    return !*why;
}
