// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Inside of chunk_folder.c and chunk_batch.c: where the file of a chunk lies. */
#include <sys/stat.h>
#include "store/chunk_folder.h"

#define CHUNK_TEMPORARY "tmp" /* the folder of what has no name yet, beside those of the chunks */
#define CHUNK_SUFFIX    ".cacnk"
#define CHUNK_BAD       ".bad"
#define CHUNK_SUSPECT   S_ISVTX
#define CHUNK_NAME      (5 + 64 + 7) /* "abcd/abcd….cacnk" and its NUL */

struct chunk_folder {
    char *path;
    int fd;
};

void chunk_file_name(const struct chunk_id *id, const char *suffix, char name[CHUNK_NAME]);
