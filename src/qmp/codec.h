// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Bytes from QEMU into JSON messages. No socket, no clock; how the bytes are split makes no difference.
 *
 *     qmp_codec_feed(codec, bytes, n);
 *     while ((event = qmp_codec_next(codec, &message)) == QMP_CODEC_MESSAGE)
 *         … json_object_put(message);
 *     if (event == QMP_CODEC_BROKEN)
 *         … qmp_codec_why(codec)
 *
 * A message is one JSON object; only white space may stand between two. Everything else breaks the codec for
 * good: no JSON, bytes that are not UTF-8, nesting or size beyond the limits.
 */
#include <stddef.h>
#include <glib.h>
#include <json-c/json.h>

/* QEMU nests about ten deep (a chain of backing files adds one each), and its largest answers, the block
 * nodes of a big guest, are some hundred KiB: both limits only stop a peer that is no QEMU. */
#define QMP_CODEC_MAX_DEPTH 256
#define QMP_CODEC_MAX_BYTES (16u << 20)

enum qmp_codec_event {
    QMP_CODEC_MORE,    /* the message is not complete yet */
    QMP_CODEC_MESSAGE, /* *message holds one; json_object_put() it */
    QMP_CODEC_BROKEN,  /* and remains so */
};

typedef struct qmp_codec qmp_codec; /* g_autoptr needs one word */
struct qmp_codec *qmp_codec_new(size_t max_bytes);
void qmp_codec_free(struct qmp_codec *codec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(qmp_codec, qmp_codec_free)

/* Copies. Hand over what one read gave and then call qmp_codec_next() until it wants more. */
void qmp_codec_feed(struct qmp_codec *codec, const void *bytes, size_t n);
enum qmp_codec_event qmp_codec_next(struct qmp_codec *codec, struct json_object **message);
/* Why it broke, as a clause: "nested too deeply". NULL if it did not. */
const char *qmp_codec_why(const struct qmp_codec *codec);
