// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/seek_table_writer.h"

#include "base/le.h"
#include "sink/seek_table_reader.h"

#define MAX_MERGED (UINT64_C(1) << 30) /* of a skippable frame: its length is of 32 bits */

/* In place of an owner. */
enum { DEAD = 0xfffe, BURIED = 0xffff };

struct frame {
    uint32_t packed, plain;
    uint16_t owner;
};

struct seek_table_writer {
    GArray *frames;
    uint64_t end, plain;
    guint n_dead;
    guint next; /* no dead one stands before it */
    uint64_t next_at;
};

struct seek_table_writer *seek_table_writer_new(void)
{
    struct seek_table_writer *t = g_new0(struct seek_table_writer, 1);

    t->frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
    return t;
}

void seek_table_writer_free(struct seek_table_writer *t)
{
    if (!t)
        return;
    g_array_unref(t->frames);
    g_free(t);
}

static struct frame *frame_at(const struct seek_table_writer *t, guint i)
{
    return &g_array_index(t->frames, struct frame, i);
}

void seek_table_writer_add(struct seek_table_writer *t, uint64_t packed, uint64_t plain, unsigned owner)
{
    struct frame frame = {(uint32_t)packed, (uint32_t)plain, (uint16_t)owner};

    g_assert(packed <= UINT32_MAX && plain <= UINT32_MAX && owner < DEAD);
    g_array_append_val(t->frames, frame);
    t->end += packed;
    t->plain += plain;
}

static void kill_frame(struct seek_table_writer *t, struct frame *frame)
{
    frame->owner = DEAD;
    t->plain -= frame->plain;
    frame->plain = 0;
    t->n_dead++;
}

void seek_table_writer_add_dead(struct seek_table_writer *t, uint64_t packed)
{
    seek_table_writer_add(t, packed, 0, 0);
    kill_frame(t, frame_at(t, t->frames->len - 1));
}

void seek_table_writer_drop(struct seek_table_writer *t, unsigned owner)
{
    for (guint i = 0; i < t->frames->len; i++)
        if (frame_at(t, i)->owner == owner)
            kill_frame(t, frame_at(t, i));
    t->next = 0;
    t->next_at = 0;
}

/* The dead ones behind it become part of it. */
static void merge(struct seek_table_writer *t, guint first)
{
    uint64_t len = frame_at(t, first)->packed;
    guint i = first + 1;

    while (i < t->frames->len && frame_at(t, i)->owner == DEAD && len + frame_at(t, i)->packed <= MAX_MERGED)
        len += frame_at(t, i++)->packed;
    frame_at(t, first)->packed = (uint32_t)len;
    t->n_dead -= i - first - 1;
    if (i > first + 1)
        g_array_remove_range(t->frames, first + 1, i - first - 1);
}

bool seek_table_writer_bury(struct seek_table_writer *t, uint64_t *offset, uint64_t *len)
{
    if (!t->n_dead)
        return false;
    while (frame_at(t, t->next)->owner != DEAD)
        t->next_at += frame_at(t, t->next++)->packed;
    merge(t, t->next);
    *offset = t->next_at;
    *len = frame_at(t, t->next)->packed;
    frame_at(t, t->next)->owner = BURIED;
    t->n_dead--;
    return true;
}

uint64_t seek_table_writer_trim(struct seek_table_writer *t)
{
    guint n = t->frames->len;

    for (; n > 0 && frame_at(t, n - 1)->owner >= DEAD; n--) {
        t->n_dead -= frame_at(t, n - 1)->owner == DEAD;
        t->end -= frame_at(t, n - 1)->packed;
    }
    g_array_set_size(t->frames, n);
    t->next = 0;
    t->next_at = 0;
    return t->end;
}

uint64_t seek_table_writer_plain(const struct seek_table_writer *t)
{
    return t->plain;
}

GByteArray *seek_table_writer_encode(const struct seek_table_writer *t)
{
    uint32_t entries = t->frames->len * 8;
    GByteArray *table = g_byte_array_sized_new(8 + entries + SEEK_TABLE_FOOTER_SIZE);
    uint8_t *at;

    g_byte_array_set_size(table, 8 + entries + SEEK_TABLE_FOOTER_SIZE);
    le32_put(table->data, SEEK_TABLE_FRAME_MAGIC);
    le32_put(table->data + 4, entries + SEEK_TABLE_FOOTER_SIZE);
    at = table->data + 8;
    for (guint i = 0; i < t->frames->len; i++, at += 8) {
        le32_put(at, frame_at(t, i)->packed);
        le32_put(at + 4, frame_at(t, i)->plain);
    }
    le32_put(at, t->frames->len);
    at[4] = 0; /* no checksums here: the frames carry them */
    le32_put(at + 5, SEEK_TABLE_MAGIC);
    return table;
}
