// SPDX-License-Identifier: GPL-2.0-or-later
/* The face of all feeds, and the one of a run of our own. */
#include "front/feed.h"

#include "front/command_answer.h"
#include "front/control.h"
#include "front/feed_inside.h"

void feed_init(struct feed *f, const struct feed_kind *kind, const struct feed_listener *listener, void *user)
{
    f->kind = kind;
    f->listener = *listener;
    f->user = user;
}

void feed_done(struct feed *f, GError *error)
{
    if (f->is_done) {
        g_clear_error(&error);
        return;
    }
    f->is_done = true;
    f->error = error;
    f->listener.on_done(f->user);
}

void feed_reply(struct feed *f, bool ok, const char *text)
{
    f->listener.on_event(f->user,
                         &(struct model_event){.type = MODEL_EV_REPLY, .drive = -1, .id = -1, .ok = ok, .text = text});
}

void feed_start(struct feed *f)
{
    f->kind->start(f);
}

const struct model *feed_model(struct feed *f)
{
    return f->kind->model(f);
}

bool feed_command(struct feed *f, const struct command *c, GError **error)
{
    return f->kind->command(f, c, error);
}

void feed_line(struct feed *f, const char *line)
{
    f->kind->line(f, line);
}

void feed_cancel(struct feed *f, int exit_status, const char *by_whom)
{
    if (!f->is_done)
        f->kind->cancel(f, exit_status, by_whom);
}

bool feed_next(struct feed *f, struct backup_options *o)
{
    if (f->kind->next)
        f->kind->next(f, o);
    return f->kind->next != NULL;
}

bool feed_is_own(const struct feed *f)
{
    return f->kind->is_own;
}

bool feed_is_recorded(const struct feed *f)
{
    return f->kind->is_recorded;
}

const char *feed_run_id(struct feed *f)
{
    return f->kind->run_id(f);
}

const GError *feed_error(const struct feed *f)
{
    return f->error;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    g_clear_error(&f->error);
    f->kind->free(f);
}

/* --- a run of our own --------------------------------------------------------------------------- */

struct own {
    struct feed feed;
    uv_loop_t *loop;
    struct backup *backup;
    struct control *control; /* the socket others steer it by */
};

static struct backup *run_of(struct feed *f)
{
    return ((struct own *)f)->backup;
}

static void own_start(struct feed *f)
{
    backup_connect(run_of(f));
}

static const struct model *own_model(struct feed *f)
{
    return backup_model(run_of(f));
}

static bool own_command(struct feed *f, const struct command *c, GError **error)
{
    return backup_command(run_of(f), c, error);
}

static void own_line(struct feed *f, const char *line)
{
    struct command c;
    struct model_event reply;
    g_autofree char *text = command_answer(run_of(f), line, &c, &reply);
    if (reply.type == MODEL_EV_REPLY)
        f->listener.on_event(f->user, &reply);
    if (c.verb == COMMAND_DETACH)
        f->listener.on_detach(f->user);
}

static void own_cancel(struct feed *f, int exit_status, const char *by_whom)
{
    backup_cancel(run_of(f), exit_status, by_whom);
}

static const char *own_run_id(struct feed *f)
{
    return backup_run_id(run_of(f));
}

static void own_next(struct feed *f, struct backup_options *o)
{
    backup_next_options(run_of(f), o);
}

static void own_free(struct feed *f)
{
    backup_free(run_of(f));
    g_free(f);
}

/* Where there can be no control socket there is a backup all the same. */
static void open_control(struct own *o)
{
    g_autoptr(GError) error = NULL;

    o->control = control_open(o->loop, o->backup, &error);
    if (!o->control)
        backup_log(o->backup, MODEL_WARNING, "nobody can steer it from elsewhere", "%s", error->message);
}

static void on_event(void *user, const struct model_event *e)
{
    struct own *o = user;

    if (o->control)
        control_event(o->control, e);
    o->feed.listener.on_event(o->feed.user, e);
    if (e->type == MODEL_EV_HELLO)
        open_control(o);
}

static void on_done(void *user)
{
    struct own *o = user;

    control_close(g_steal_pointer(&o->control));
    feed_done(&o->feed, NULL);
}

struct feed *feed_of_run(uv_loop_t *loop, const struct backup_options *options, const struct feed_listener *listener,
                         void *user)
{
    static const struct feed_kind kind = {
        .start = own_start,
        .model = own_model,
        .command = own_command,
        .line = own_line,
        .cancel = own_cancel,
        .run_id = own_run_id,
        .next = own_next,
        .free = own_free,
        .is_own = true,
    };
    static const struct backup_listener ours = {.on_event = on_event, .on_done = on_done};
    struct own *o = g_new0(struct own, 1);
    feed_init(&o->feed, &kind, listener, user);
    o->loop = loop;
    o->backup = backup_new(loop, options, &ours, o);
    return &o->feed;
}
