// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The end of an archive, one operation of the target after the other: what was dropped is closed up (moves as the
 * layout asks for them, then the cut), the end mark, the header once more.
 */
#include "archive/writer_pack.h"
#include "archive/writer_place.h"

struct end_stage {
    struct writer_env *env;
    struct pack_stage *pack;
    struct place_stage *place;
    bool is_asked;
    uint8_t flags;
    uint64_t vmstate_bytes;
    GBytes *header; /* NULL: the first one stays */
    void (*done)(void *user);
    void *user;
    unsigned step; /* of the table in writer_end.c */
    struct vma_move move;
    uint8_t *moving;                             /* an extent on its way to another place, or empty ones */
    uint64_t gone;                               /* bytes at its end that go; the others stay */
    uint8_t gone_header[VMA_EXTENT_HEADER_SIZE]; /* of what goes */
    GByteArray *bytes;                           /* end mark, then the final header */
};

/* All has been written, and the target is free. */
void writer_end_next(struct end_stage *e);
