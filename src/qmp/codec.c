// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/codec.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * The end of a message is found by counting braces, and only a whole one is given to json-c. json-c could
 * parse in pieces itself, but its check for UTF-8 forgets where it was between two pieces, so the result
 * would depend on how the bytes were split; and objects are limited before anything is built of them.
 */
struct qmp_codec {
    GByteArray *bytes; /* what has not been taken yet begins at start */
    size_t start;      /* of the message that is being scanned */
    size_t at;         /* scanned up to here */
    size_t max_bytes;
    unsigned depth; /* 0 between messages */
    bool is_in_string, is_escaped;
    struct json_tokener *tokener;
    const char *why;
};

struct qmp_codec *qmp_codec_new(size_t max_bytes)
{
    struct qmp_codec *codec = g_new0(struct qmp_codec, 1);

    codec->bytes = g_byte_array_new();
    codec->max_bytes = max_bytes;
    codec->tokener = json_tokener_new_ex(QMP_CODEC_MAX_DEPTH + 1);
    json_tokener_set_flags(codec->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    return codec;
}

void qmp_codec_free(struct qmp_codec *codec)
{
    if (!codec)
        return;
    json_tokener_free(codec->tokener);
    g_byte_array_unref(codec->bytes);
    g_free(codec);
}

void qmp_codec_feed(struct qmp_codec *codec, const void *bytes, size_t n)
{
    if (codec->why)
        return;
    g_byte_array_remove_range(codec->bytes, 0, codec->start);
    codec->at -= codec->start;
    codec->start = 0;
    g_byte_array_append(codec->bytes, bytes, n);
}

static enum qmp_codec_event broken(struct qmp_codec *codec, const char *why)
{
    codec->why = why;
    return QMP_CODEC_BROKEN;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* One byte of a string: true when it was the closing quote. */
static void scan_string(struct qmp_codec *codec, uint8_t byte)
{
    if (codec->is_escaped)
        codec->is_escaped = false;
    else if (byte == '\\')
        codec->is_escaped = true;
    else if (byte == '"')
        codec->is_in_string = false;
}

/* One byte outside of strings. Whether brackets match is json-c's business. */
static void scan_structure(struct qmp_codec *codec, uint8_t byte)
{
    if (byte == '"')
        codec->is_in_string = true;
    else if (byte == '{' || byte == '[')
        codec->depth++;
    else if (byte == '}' || byte == ']')
        codec->depth--;
}

static enum qmp_codec_event parse(struct qmp_codec *codec, struct json_object **message)
{
    const char *text = (const char *)codec->bytes->data + codec->start;
    size_t len = codec->at - codec->start;

    codec->start = codec->at;
    json_tokener_reset(codec->tokener);
    *message = json_tokener_parse_ex(codec->tokener, text, (int)len);
    if (!*message)
        return broken(codec, "cannot be read as JSON");
    return QMP_CODEC_MESSAGE;
}

enum qmp_codec_event qmp_codec_next(struct qmp_codec *codec, struct json_object **message)
{
    *message = NULL;
    if (codec->why)
        return QMP_CODEC_BROKEN;
    while (codec->at < codec->bytes->len) {
        uint8_t byte = codec->bytes->data[codec->at++];
        if (codec->is_in_string)
            scan_string(codec, byte);
        else if (codec->depth || byte == '{')
            scan_structure(codec, byte);
        else if (is_blank(byte))
            codec->start = codec->at;
        else
            return broken(codec, "no JSON object");
        if (codec->depth > QMP_CODEC_MAX_DEPTH)
            return broken(codec, "nested too deeply");
        if (codec->at - codec->start > codec->max_bytes)
            return broken(codec, "too large a message");
        if (codec->at > codec->start && !codec->depth)
            return parse(codec, message);
    }
    return QMP_CODEC_MORE;
}

const char *qmp_codec_why(const struct qmp_codec *codec)
{
    return codec->why;
}
