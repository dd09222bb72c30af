// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/condition.h"

#include <json-c/json.h>

#include "base/units.h"
#include "cli/cli.h"

struct condition {
    bool is_whole;             /* every cluster is there and undamaged */
    uint64_t missing, damaged; /* bytes, in clusters */
};

static struct condition condition_of(const struct vma_walk *w, int dev_id)
{
    const struct vma_check *c = vma_walk_check(w);
    struct vma_check_device d = vma_check_device(c, dev_id);
    return (struct condition){
        .is_whole = vma_check_is_whole(c, dev_id) && !d.damaged,
        .missing = (d.due > d.seen ? d.due - d.seen : 0) * VMA_CLUSTER_SIZE,
        .damaged = d.damaged * VMA_CLUSTER_SIZE,
    };
}

char *condition_text(const struct vma_walk *w, int dev_id)
{
    struct condition is = condition_of(w, dev_id);
    struct vma_check_device d = vma_check_device(vma_walk_check(w), dev_id);
    char missing[UNITS_LEN], damaged[UNITS_LEN], all[UNITS_LEN];
    if (is.is_whole)
        return g_strdup("whole");
    if (!d.seen)
        return g_strdup("nothing of it is there");
    GString *text = g_string_new(NULL);
    if (is.missing)
        g_string_append_printf(text, "%s of %s missing", units_format_size(is.missing, missing),
                               units_format_size(vma_walk_header(w)->devices[dev_id].size, all));
    if (is.damaged)
        g_string_append_printf(text, "%s%s damaged", text->len ? ", " : "", units_format_size(is.damaged, damaged));
    if (!text->len)
        g_string_append(text, "its end may be missing");
    return g_string_free(text, FALSE);
}

struct json_object *condition_json(const struct vma_walk *w, int dev_id)
{
    struct condition is = condition_of(w, dev_id);
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "name", cli_json_text(vma_walk_header(w)->devices[dev_id].name));
    json_object_object_add(o, "is_whole", json_object_new_boolean(is.is_whole));
    json_object_object_add(o, "missing_bytes", json_object_new_int64((int64_t)is.missing));
    json_object_object_add(o, "damaged_bytes", json_object_new_int64((int64_t)is.damaged));
    return o;
}
