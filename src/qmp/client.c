// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/client.h"
#include <string.h>
#include "base/text.h"
#include "qmp/args.h"
#include "qmp/codec.h"
#include "qmp/field.h"
#include "qmp/greeting.h"
#include "qmp/message.h"
#include "qmp/outbox.h"

/* The id of qmp_capabilities, which overtakes all commands given before the greeting. */
#define CAPABILITIES_ID 0

/* A command whose reply is awaited. */
struct pending {
    uint64_t id;
    uint64_t deadline_ms;
    const char *command; /* NULL: a pause, which its deadline ends */
    struct qmp_callback callback;
    GError *refusal; /* it was never sent, for this reason */
};

enum stage {
    STAGE_SILENT,      /* not one byte that tells who it is */
    STAGE_GREETING,    /* JSON began */
    STAGE_NEGOTIATING, /* qmp_capabilities is under way */
    STAGE_READY,
    STAGE_LOST, /* what is pending is given back */
    STAGE_OVER, /* LOST has been told */
};

struct qmp_client {
    char *subject;
    unsigned timeout_ms;
    uint64_t word_at_ms, greeting_deadline_ms; /* UINT64_MAX: never */
    enum stage stage;
    struct greeting_scan greeting;
    struct qmp_codec *codec;
    GQueue pending; /* struct pending, in the order they were given */
    GQueue outbox;
    uint64_t next_id;
    GError *end; /* why no more bytes will come */
};

static void pending_free(struct pending *p)
{
    if (p->callback.free_data)
        p->callback.free_data(p->callback.data);
    g_clear_error(&p->refusal);
    g_free(p);
}

struct qmp_client *qmp_client_new(const char *subject, unsigned timeout_ms, uint64_t now_ms)
{
    struct qmp_client *c = g_new0(struct qmp_client, 1);

    c->subject = text_make_safe(subject);
    c->timeout_ms = timeout_ms;
    c->greeting_deadline_ms = timeout_ms ? now_ms + timeout_ms : UINT64_MAX;
    c->word_at_ms = now_ms + QMP_WORD_MS;
    c->codec = qmp_codec_new(QMP_CODEC_MAX_BYTES);
    c->next_id = CAPABILITIES_ID + 1;
    g_queue_init(&c->pending);
    g_queue_init(&c->outbox);
    return c;
}

void qmp_client_free(struct qmp_client *c)
{
    if (!c)
        return;
    g_queue_clear_full(&c->pending, (GDestroyNotify)pending_free);
    outbox_clear(&c->outbox);
    qmp_codec_free(c->codec);
    g_clear_error(&c->end);
    g_free(c->subject);
    g_free(c);
}

bool qmp_client_is_ready(const struct qmp_client *c)
{
    return c->stage == STAGE_READY && !c->end;
}

void qmp_item_clear(struct qmp_item *item)
{
    if (item->callback.free_data)
        item->callback.free_data(item->callback.data);
    g_clear_error(&item->error);
    json_object_put(item->message);
    *item = (struct qmp_item){.type = QMP_ITEM_NONE};
}

/* --- out ---------------------------------------------------------------------------------------- */

static struct pending *expect(struct qmp_client *c, uint64_t id, const char *command, uint64_t now_ms,
                              struct qmp_callback callback)
{
    struct pending *p = g_new(struct pending, 1);

    *p = (struct pending){.id = id, .command = command, .callback = callback};
    p->deadline_ms = c->timeout_ms ? now_ms + c->timeout_ms : UINT64_MAX;
    g_queue_push_tail(&c->pending, p);
    return p;
}

/* {"execute":command,"arguments":args,"id":id} and a line end. Takes args and fd. */
static struct outbox_piece *compose(uint64_t id, const char *command, struct json_object *args, int fd)
{
    struct json_object *message = args_new_text("execute", command);
    char *text;

    if (args)
        args_object(message, "arguments", args);
    args_size(message, "id", id);
    text = g_strconcat(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                       "\n", NULL);
    json_object_put(message);
    return outbox_piece_new(id, text, fd);
}

void qmp_client_refuse(struct qmp_client *c, const char *command, GError *error, struct qmp_callback callback)
{
    expect(c, c->next_id++, command, 0, callback)->refusal = error;
}

void qmp_client_pause(struct qmp_client *c, uint64_t until_ms, struct qmp_callback callback)
{
    expect(c, c->next_id++, NULL, 0, callback)->deadline_ms = until_ms;
}

void qmp_client_send(struct qmp_client *c, const char *command, struct json_object *args, int fd, uint64_t now_ms,
                     struct qmp_callback callback)
{
    struct outbox_piece *piece = compose(c->next_id, command, args, fd);

    if (!g_utf8_validate(piece->text, (gssize)piece->len, NULL)) {
        /* QEMU would answer such bytes without saying which command they were in. */
        outbox_piece_free(piece);
        qmp_client_refuse(c, command,
                          g_error_new(QMP_ERROR, QMP_ERROR_COMMAND,
                                      "%s: a name or path is not UTF-8, which QMP cannot carry", command),
                          callback);
        return;
    }
    expect(c, c->next_id++, command, now_ms, callback);
    if (c->end) {
        outbox_piece_free(piece);
        return;
    }
    outbox_push(&c->outbox, piece);
}

bool qmp_client_output(const struct qmp_client *c, const char **bytes, size_t *n, int *fd)
{
    const struct outbox_piece *piece = outbox_front(&c->outbox);

    if (!piece || c->end || (c->stage != STAGE_READY && piece->id != CAPABILITIES_ID))
        return false;
    *bytes = piece->text + piece->n_sent;
    *n = piece->len - piece->n_sent;
    *fd = piece->fd;
    return true;
}

void qmp_client_sent(struct qmp_client *c, size_t n)
{
    outbox_sent(&c->outbox, n);
}

/* --- in ----------------------------------------------------------------------------------------- */

void qmp_client_end(struct qmp_client *c, GError *error)
{
    if (c->end)
        g_error_free(error);
    else
        c->end = error;
    outbox_clear(&c->outbox);
}

/* What came is nothing to go on with: unlike qmp_client_end(), what follows it is not read any more. */
static void break_off(struct qmp_client *c, enum qmp_error code, const char *what)
{
    qmp_client_end(c, g_error_new(QMP_ERROR, code, "%s: %s", c->subject, what));
    c->stage = STAGE_LOST;
}

/* The first bytes: who is it? Leaves what is to be read as JSON in bytes and n. */
static void recognize(struct qmp_client *c, const char **bytes, size_t *n)
{
    size_t n_used;

    switch (greeting_scan(&c->greeting, *bytes, *n, &n_used)) {
    case GREETING_MORE:
        break;
    case GREETING_JSON:
        c->stage = STAGE_GREETING;
        break;
    case GREETING_HMP:
        break_off(c, QMP_ERROR_HMP,
                  "is a human monitor (HMP); start QEMU with -qmp unix:PATH,server=on,wait=off and give that PATH");
        break;
    case GREETING_FOREIGN:
        break_off(c, QMP_ERROR_NOT_QMP, "does not speak QMP; give the PATH of QEMU's -qmp unix:PATH");
        break;
    }
    *bytes += n_used;
    *n -= n_used;
}

void qmp_client_feed(struct qmp_client *c, const void *data, size_t n)
{
    const char *bytes = data;

    if (c->end)
        return;
    if (c->stage == STAGE_SILENT)
        recognize(c, &bytes, &n);
    if (c->stage != STAGE_SILENT)
        qmp_codec_feed(c->codec, bytes, n);
}

static void take_greeting(struct qmp_client *c, struct json_object *message, uint64_t now_ms)
{
    if (!field_at(field_at(message, "QMP"), "version")) {
        break_off(c, QMP_ERROR_NOT_QMP, "does not greet like QEMU; give the PATH of QEMU's -qmp unix:PATH");
        return;
    }
    c->stage = STAGE_NEGOTIATING;
    expect(c, CAPABILITIES_ID, "qmp_capabilities", now_ms, (struct qmp_callback){NULL, NULL, NULL});
    g_queue_push_head(&c->pending, g_queue_pop_tail(&c->pending)); /* it is sent, so answered, first */
    outbox_push_first(&c->outbox, compose(CAPABILITIES_ID, "qmp_capabilities", NULL, -1));
}

/* QEMU leaves the id away when it could not read the command; it answers in order, so it is the oldest. */
static GList *find_pending(struct qmp_client *c, struct json_object *message)
{
    uint64_t id = field_size(message, "id", UINT64_MAX);
    bool has_id = field_at(message, "id") != NULL;

    for (GList *at = c->pending.head; at; at = at->next) {
        const struct pending *p = at->data;
        if (p->command && (p->id == id || !has_id))
            return at;
    }
    return NULL;
}

static void settle_capabilities(struct qmp_client *c, GError *error, struct qmp_item *item)
{
    g_autofree char *what = NULL;

    if (!error) {
        c->stage = STAGE_READY;
        item->type = QMP_ITEM_READY;
        return;
    }
    what = g_strdup_printf("greeted, but went no further: %s", error->message);
    break_off(c, error->code == QMP_ERROR_TIMEOUT ? QMP_ERROR_TIMEOUT : QMP_ERROR_NOT_QMP, what);
    g_error_free(error);
}

/* The command of this link is answered, by value (borrowed) or by error (taken). */
static void settle(struct qmp_client *c, GList *link, struct json_object *value, GError *error, struct qmp_item *item)
{
    struct pending *p = link->data;

    g_queue_delete_link(&c->pending, link);
    if (p->id == CAPABILITIES_ID) {
        settle_capabilities(c, error, item);
    } else {
        item->type = QMP_ITEM_REPLY;
        item->callback = p->callback;
        item->value = error ? NULL : value;
        item->error = error;
        p->callback.free_data = NULL; /* the item's from now on */
    }
    pending_free(p);
}

static void take_reply(struct qmp_client *c, struct json_object *message, struct qmp_item *item)
{
    struct json_object *error = field_at(message, "error");
    GList *link;

    if (!error && !json_object_object_get_ex(message, "return", NULL)) {
        break_off(c, QMP_ERROR_NOT_QMP, "sent a message that is no QMP; is it QEMU that listens there?");
        return;
    }
    link = find_pending(c, message);
    if (link) /* else it answers a command that was given up */
        settle(c, link, field_at(message, "return"), error ? qmp_message_error(error) : NULL, item);
}

static void take_message(struct qmp_client *c, uint64_t now_ms, struct qmp_item *item)
{
    if (c->stage == STAGE_GREETING)
        take_greeting(c, item->message, now_ms);
    else if (!qmp_message_event(item->message, &item->event))
        take_reply(c, item->message, item);
    else if (c->stage == STAGE_READY) /* before that it is nobody's news: the state is asked for afterwards */
        item->type = QMP_ITEM_EVENT;
}

/* Reads messages until one of them makes an item, or there are no more. */
static void next_from_bytes(struct qmp_client *c, uint64_t now_ms, struct qmp_item *item)
{
    enum qmp_codec_event event = QMP_CODEC_MORE;

    while (c->stage < STAGE_LOST && (event = qmp_codec_next(c->codec, &item->message)) == QMP_CODEC_MESSAGE) {
        take_message(c, now_ms, item);
        if (item->type != QMP_ITEM_NONE)
            return;
        qmp_item_clear(item);
    }
    if (c->stage < STAGE_LOST && event == QMP_CODEC_BROKEN) {
        g_autofree char *what =
            g_strdup_printf("sent what is no QMP (%s); is it QEMU that listens there?", qmp_codec_why(c->codec));
        break_off(c, QMP_ERROR_NOT_QMP, what);
    } else if (c->stage < STAGE_LOST && c->end) {
        c->stage = STAGE_LOST;
    }
}

static void next_refused(struct qmp_client *c, struct qmp_item *item)
{
    for (GList *at = c->pending.head; at; at = at->next) {
        struct pending *p = at->data;
        if (p->refusal) {
            settle(c, at, NULL, g_steal_pointer(&p->refusal), item);
            return;
        }
    }
}

/* QEMU serves one client at a time and lets the others wait: a short one's end may be near. */
static void next_ungreeted(struct qmp_client *c, uint64_t now_ms, struct qmp_item *item)
{
    double limit_s = c->timeout_ms / 1000.0;

    if (now_ms >= c->greeting_deadline_ms) {
        g_autofree char *what = g_strdup_printf("connected, but no greeting for %g s: another program holds this "
                                                "monitor (vmabackup runs shows ours); end it, or give QEMU a second "
                                                "-qmp",
                                                limit_s);
        break_off(c, QMP_ERROR_BUSY, what);
    } else if (now_ms >= c->word_at_ms) {
        g_autofree char *until = c->timeout_ms ? g_strdup_printf(", up to %g s", limit_s) : g_strdup("");
        c->word_at_ms = UINT64_MAX;
        item->type = QMP_ITEM_WAITING;
        item->error =
            g_error_new(QMP_ERROR, QMP_ERROR_BUSY,
                        "%s: waiting for the monitor's greeting%s: another program may hold it", c->subject, until);
    }
}

static void next_expired(struct qmp_client *c, uint64_t now_ms, struct qmp_item *item)
{
    if (c->stage < STAGE_NEGOTIATING)
        next_ungreeted(c, now_ms, item);
    if (c->stage == STAGE_LOST || item->type != QMP_ITEM_NONE)
        return;
    for (GList *at = c->pending.head; at; at = at->next) {
        struct pending *p = at->data;
        if (now_ms < p->deadline_ms)
            continue;
        settle(c, at, NULL,
               p->command ? g_error_new(QMP_ERROR, QMP_ERROR_TIMEOUT, "%s: no answer from QEMU within %g s", p->command,
                                        c->timeout_ms / 1000.0)
                          : NULL,
               item);
        return;
    }
}

/* After the end: everything that waits is given back, then the loss is told. */
static void next_lost(struct qmp_client *c, struct qmp_item *item)
{
    while (c->pending.head && item->type == QMP_ITEM_NONE)
        settle(c, c->pending.head, NULL, g_error_new_literal(QMP_ERROR, QMP_ERROR_GONE, c->end->message), item);
    if (item->type == QMP_ITEM_NONE && c->stage == STAGE_LOST) {
        c->stage = STAGE_OVER;
        item->type = QMP_ITEM_LOST;
        item->error = g_error_copy(c->end);
    }
}

bool qmp_client_next(struct qmp_client *c, uint64_t now_ms, struct qmp_item *item)
{
    *item = (struct qmp_item){.type = QMP_ITEM_NONE};
    next_refused(c, item);
    if (item->type == QMP_ITEM_NONE)
        next_from_bytes(c, now_ms, item);
    if (item->type == QMP_ITEM_NONE && c->stage < STAGE_LOST)
        next_expired(c, now_ms, item);
    if (item->type == QMP_ITEM_NONE && c->stage >= STAGE_LOST)
        next_lost(c, item);
    return item->type != QMP_ITEM_NONE;
}

uint64_t qmp_client_deadline(const struct qmp_client *c)
{
    uint64_t soonest = c->stage < STAGE_NEGOTIATING ? MIN(c->word_at_ms, c->greeting_deadline_ms) : UINT64_MAX;

    if (c->stage == STAGE_OVER)
        return c->pending.head ? 0 : UINT64_MAX;
    if (c->end)
        return 0;
    for (GList *at = c->pending.head; at; at = at->next) {
        const struct pending *p = at->data;
        soonest = MIN(soonest, p->refusal ? 0 : p->deadline_ms);
    }
    return soonest;
}
