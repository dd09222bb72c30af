// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/frame_list.h"

#include "base/le.h"
#include "sink/seek_table.h"

#define MAX_MERGED (UINT64_C(1) << 30) /* of a skippable frame: its length is of 32 bits */

/* In place of an owner. */
enum { DEAD = 0xfffe, BURIED = 0xffff };

struct frame {
    uint32_t packed, plain;
    uint16_t owner;
};

struct frame_list {
    GArray *frames;
    uint64_t end, plain;
    guint n_dead;
    guint next; /* no dead one stands before it */
    uint64_t next_at;
};

struct frame_list *frame_list_new(void)
{
    struct frame_list *l = g_new0(struct frame_list, 1);

    l->frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
    return l;
}

void frame_list_free(struct frame_list *l)
{
    if (!l)
        return;
    g_array_unref(l->frames);
    g_free(l);
}

static struct frame *frame_at(const struct frame_list *l, guint i)
{
    return &g_array_index(l->frames, struct frame, i);
}

void frame_list_add(struct frame_list *l, uint64_t packed, uint64_t plain, unsigned owner)
{
    struct frame frame = {(uint32_t)packed, (uint32_t)plain, (uint16_t)owner};

    g_assert(packed <= UINT32_MAX && plain <= UINT32_MAX && owner < DEAD);
    g_array_append_val(l->frames, frame);
    l->end += packed;
    l->plain += plain;
}

static void kill_frame(struct frame_list *l, struct frame *frame)
{
    frame->owner = DEAD;
    l->plain -= frame->plain;
    frame->plain = 0;
    l->n_dead++;
}

void frame_list_add_dead(struct frame_list *l, uint64_t packed)
{
    frame_list_add(l, packed, 0, 0);
    kill_frame(l, frame_at(l, l->frames->len - 1));
}

void frame_list_drop(struct frame_list *l, unsigned owner)
{
    for (guint i = 0; i < l->frames->len; i++)
        if (frame_at(l, i)->owner == owner)
            kill_frame(l, frame_at(l, i));
    l->next = 0;
    l->next_at = 0;
}

/* The dead ones behind it become part of it. */
static void merge(struct frame_list *l, guint first)
{
    uint64_t len = frame_at(l, first)->packed;
    guint i = first + 1;

    while (i < l->frames->len && frame_at(l, i)->owner == DEAD && len + frame_at(l, i)->packed <= MAX_MERGED)
        len += frame_at(l, i++)->packed;
    frame_at(l, first)->packed = (uint32_t)len;
    l->n_dead -= i - first - 1;
    if (i > first + 1)
        g_array_remove_range(l->frames, first + 1, i - first - 1);
}

bool frame_list_bury(struct frame_list *l, uint64_t *offset, uint64_t *len)
{
    if (!l->n_dead)
        return false;
    while (frame_at(l, l->next)->owner != DEAD)
        l->next_at += frame_at(l, l->next++)->packed;
    merge(l, l->next);
    *offset = l->next_at;
    *len = frame_at(l, l->next)->packed;
    frame_at(l, l->next)->owner = BURIED;
    l->n_dead--;
    return true;
}

bool frame_list_has_dead(const struct frame_list *l)
{
    return l->n_dead > 0;
}

uint64_t frame_list_trim(struct frame_list *l)
{
    guint n = l->frames->len;

    for (; n > 0 && frame_at(l, n - 1)->owner >= DEAD; n--) {
        l->n_dead -= frame_at(l, n - 1)->owner == DEAD;
        l->end -= frame_at(l, n - 1)->packed;
    }
    g_array_set_size(l->frames, n);
    l->next = 0;
    l->next_at = 0;
    return l->end;
}

uint64_t frame_list_plain(const struct frame_list *l)
{
    return l->plain;
}

GByteArray *frame_list_table(const struct frame_list *l)
{
    uint32_t entries = l->frames->len * 8;
    GByteArray *table = g_byte_array_sized_new(8 + entries + SEEK_TABLE_FOOTER_SIZE);
    uint8_t *at;

    g_byte_array_set_size(table, 8 + entries + SEEK_TABLE_FOOTER_SIZE);
    le32_put(table->data, SEEK_TABLE_FRAME_MAGIC);
    le32_put(table->data + 4, entries + SEEK_TABLE_FOOTER_SIZE);
    at = table->data + 8;
    for (guint i = 0; i < l->frames->len; i++, at += 8) {
        le32_put(at, frame_at(l, i)->packed);
        le32_put(at + 4, frame_at(l, i)->plain);
    }
    le32_put(at, l->frames->len);
    at[4] = 0; /* no checksums here: the frames carry them */
    le32_put(at + 5, SEEK_TABLE_MAGIC);
    return table;
}
