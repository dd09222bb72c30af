// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/census.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/be.h"
#include "base/each.h"
#include "store/chunk_file.h"
#include "store/durable.h"

#define FOLDERS 65536u

struct census *census_new(struct store *s, const GPtrArray *entries)
{
    struct census *c = g_new0(struct census, 1);
    c->store = s;
    c->entries = entries;
    c->most = CENSUS_MOST;
    c->chunks = g_array_new(FALSE, FALSE, sizeof(struct census_chunk));
    c->start = g_new0(uint32_t, FOLDERS + 1);
    return c;
}

void census_free(struct census *c)
{
    if (!c)
        return;
    if (c->folders)
        g_ptr_array_unref(c->folders);
    g_array_unref(c->chunks);
    g_free(c->start);
    g_free(c);
}

bool census_is_last(const struct census *c)
{
    return c->to == FOLDERS;
}

struct census_chunk *census_chunk(const struct census *c, guint i)
{
    return &g_array_index(c->chunks, struct census_chunk, i);
}

static bool may_go_on(struct census *c)
{
    c->is_ended |= c->go_on && !c->go_on(c->user);
    return !c->is_ended;
}

/* ---- what is there ---- */

/* What is set aside behind what is whole: find() finds the first. */
static int compare(const void *a, const void *b)
{
    const struct census_chunk *x = a, *y = b;
    int order = memcmp(x->id.bytes, y->id.bytes, CHUNK_ID_BYTES);
    return order ? order : x->is_aside - y->is_aside;
}

/* -1: not the name of a folder of chunks. */
static int folder_number(const char *name)
{
    int number = 0;
    for (unsigned i = 0; i < 4; i++) {
        int digit = name[i] >= 'A' && name[i] <= 'F' ? -1 : g_ascii_xdigit_value(name[i]);
        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    return name[4] ? -1 : number;
}

static bool parse_name(const char *folder, const char *name, struct census_chunk *chunk)
{
    g_autofree char *digits = g_strndup(name, CHUNK_ID_TEXT - 1);
    if (strncmp(name, folder, 4) || !chunk_id_parse(digits, &chunk->id))
        return false;
    chunk->is_aside = !strcmp(name + strlen(digits), CHUNK_BAD);
    return chunk->is_aside || !strcmp(name + strlen(digits), CHUNK_SUFFIX);
}

static void add_file(struct census *c, int fd, const char *folder, const char *name)
{
    struct census_chunk chunk = {.owner = CENSUS_NOBODY};
    struct stat st;
    if (!parse_name(folder, name, &chunk) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    chunk.inode = st.st_ino;
    chunk.is_suspect = st.st_mode & CHUNK_SUSPECT;
    chunk.stored = (uint32_t)MIN(st.st_size, UINT32_MAX);
    g_array_append_val(c->chunks, chunk);
}

static bool add_folder(struct census *c, const char *folder, GError **error)
{
    const struct chunk_folder *f = c->store->chunks;
    int fd = openat(f->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || durable_fail(error, f->path, folder, "cannot be listed", errno);
    g_autoptr(GPtrArray) names = durable_names(fd, folder, error);
    guint before = c->chunks->len;
    for (unsigned i = 0; names && i < names->len; i++)
        add_file(c, fd, folder, g_ptr_array_index(names, i));
    close(fd);
    if (c->chunks->len > before)
        qsort(census_chunk(c, before), c->chunks->len - before, sizeof(struct census_chunk), compare);
    return names;
}

static bool list_folders(struct census *c, GError **error)
{
    const struct chunk_folder *f = c->store->chunks;
    g_autoptr(GPtrArray) names = durable_names(f->fd, f->path, error);
    if (!names)
        return false;
    c->folders = g_ptr_array_new_with_free_func(g_free);
    for_each_in (const char, name, names)
        if (folder_number(name) >= 0)
            g_ptr_array_add(c->folders, g_strdup(name));
    return true;
}

/* Ids whose folder does not exist belong to a range, too: the first begins at 0, each at the end of the one before. */
bool census_next(struct census *c, GError **error)
{
    if (!c->folders && !list_folders(c, error))
        return false;
    if (census_is_last(c))
        return false;
    g_array_set_size(c->chunks, 0);
    c->from = c->to;
    unsigned number = c->from;
    for (; c->next < c->folders->len && c->chunks->len < c->most; c->next++) {
        const char *folder = g_ptr_array_index(c->folders, c->next);
        while (number <= (unsigned)folder_number(folder))
            c->start[number++] = c->chunks->len;
        if (!may_go_on(c) || !add_folder(c, folder, error))
            return false;
    }
    c->to = c->next < c->folders->len ? number : FOLDERS;
    while (number <= c->to)
        c->start[number++] = c->chunks->len;
    return true;
}

/* ---- who names it ---- */

static unsigned number_of(const struct chunk_id *id)
{
    return be16_get(id->bytes);
}

static struct census_chunk *find(const struct census *c, const struct chunk_id *id)
{
    unsigned low = c->start[number_of(id)], high = c->start[number_of(id) + 1], end = high;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (memcmp(census_chunk(c, middle)->id.bytes, id->bytes, CHUNK_ID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct census_chunk *found = low < end ? census_chunk(c, low) : NULL;
    return found && chunk_id_equal(&found->id, id) ? found : NULL;
}

static void walk_index(const struct census *c, const struct chunk_index *x, struct census_place *place,
                       census_visit visit, void *user)
{
    struct census_chunk *chunk = NULL;
    bool is_known = false;
    for (uint64_t i = 0; i < x->n; i++) {
        unsigned number = number_of(&x->ids[i]);
        if (number < c->from || number >= c->to)
            continue;
        if (!is_known || !chunk_id_equal(&place->id, &x->ids[i])) /* zeros are named many times on end */
            chunk = find(c, &x->ids[i]);
        is_known = true;
        place->id = x->ids[i];
        place->offset = i * x->chunk_bytes;
        place->len = chunk_index_len(x, i);
        visit(user, place, chunk);
    }
}

bool census_walk(struct census *c, census_visit visit, census_bad_index bad, void *user, GError **error)
{
    for_each_in (const struct entry, e, c->entries) {
        for (unsigned i = 0; e->snapshot && i < e->snapshot->devices->len; i++) {
            struct census_place place = {e, g_ptr_array_index(e->snapshot->devices, i), 0, 0, {{0}}};
            g_autoptr(GError) why = NULL;
            g_autoptr(chunk_index) x = snapshot_load_index(e->snapshot, place.device, &why);
            if (!may_go_on(c))
                return false;
            if (x) {
                walk_index(c, x, &place, visit, user);
            } else if (!bad || !bad(user, e, place.device, why)) {
                g_propagate_error(error, g_steal_pointer(&why));
                return false;
            }
        }
    }
    return true;
}

void census_count(void *user, const struct census_place *place, struct census_chunk *chunk)
{
    if (!chunk)
        return;
    uint32_t owner = place->entry->number;
    chunk->len = place->len;
    chunk->owner = chunk->owner == CENSUS_NOBODY || chunk->owner == owner ? owner : CENSUS_MANY;
}
