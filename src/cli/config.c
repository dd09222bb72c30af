// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup config ARCHIVE [NAME]` */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/description.h"

static void print_names(const struct vma_header *h)
{
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++)
        if (h->configs[i].name) {
            g_autofree char *name = text_make_safe(h->configs[i].name);
            puts(name);
        }
}

/* Archives of earlier versions hold all of QEMU's command line. False: there is nothing to hide here. */
static bool print_masked(const struct vma_header *h, const char *name)
{
    struct json_object *about = strcmp(name, VMA_DESCRIPTION_NAME) ? NULL : description_of(h);
    bool is_masked = description_mask(about);
    if (is_masked)
        puts(json_object_to_json_string_ext(about, JSON_C_TO_STRING_PLAIN));
    json_object_put(about);
    return is_masked;
}

/* The bytes as they were stored: data, not text for a terminal. */
static bool print_config(const struct cli_archive *a, const char *name, GError **error)
{
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        const struct vma_config *c = &vma_walk_header(a->walk)->configs[i];
        if (c->name && !strcmp(c->name, name)) {
            if (!print_masked(vma_walk_header(a->walk), name))
                fwrite(c->data, 1, c->len, stdout);
            return true;
        }
    }
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                "holds no configuration %s; `vmabackup config ARCHIVE` lists those it has", name);
    cli_archive_prefix(a->real, error);
    return false;
}

int cli_config(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (!cli_parse_counted(&argc, &argv, NULL, "ARCHIVE [NAME]", "Prints a stored configuration, or the names of all.",
                           1, 2, &error))
        return cli_fail(error);
    static const struct vma_walk_ops nothing = {NULL};
    g_autoptr(cli_archive) archive = cli_archive_open(argv[1], &nothing, NULL, &error);
    if (!archive || !cli_archive_read_header(archive, &error))
        return cli_fail(error);
    if (argc == 2)
        print_names(vma_walk_header(archive->walk));
    else if (!print_config(archive, argv[2], &error))
        return cli_fail(error);
    return 0;
}
