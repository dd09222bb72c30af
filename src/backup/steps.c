// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/run.h"
#include "backup/steps.h"

struct list {
    GArray *ops;
    unsigned at;
    bool stop_on_error;
    GError *error; /* the first one */
    void (*over)(void *user, const GError *error);
    void *user;
};

struct steps {
    struct backup *b;
    const struct step *table;
    unsigned n_rows;
    GQueue lists; /* the head runs */
    struct steps_op current;
    bool is_in_step, is_running;
    unsigned n_unanswered; /* undos in a row, up to now */
    GError *abort;         /* for the list under way */
};

struct steps *steps_new(struct backup *b, const struct step *table, unsigned n_rows)
{
    struct steps *s = g_new0(struct steps, 1);

    s->b = b;
    s->table = table;
    s->n_rows = n_rows;
    return s;
}

unsigned steps_rows(const struct steps *s)
{
    return s->n_rows;
}

const struct step *steps_row(const struct steps *s, unsigned row)
{
    return &s->table[row];
}

static void list_free(struct list *list)
{
    g_array_unref(list->ops);
    g_clear_error(&list->error);
    g_free(list);
}

void steps_free(struct steps *s)
{
    struct list *list;

    if (!s)
        return;
    while ((list = g_queue_pop_head(&s->lists)))
        list_free(list);
    g_clear_error(&s->abort);
    g_free(s);
}

static unsigned *begun_of(const struct steps_op *op)
{
    return op->d ? &op->d->begun : &op->b->begun;
}

static bool should_run(const struct steps_op *op)
{
    const struct step *step = op->step;

    if (op->d && (op->d->is_left || (drive_is(op->d, DRIVE_IS_OUT) && !op->is_undo)))
        return false;
    if (op->is_undo)
        return !step->begin || *begun_of(op) & (1u << op->row);
    return step->begin && (!step->applies || step->applies(op->b, op->d));
}

/* Starts the op; it ends through steps_end(), possibly before this returns. */
static void start(struct steps *s, const struct steps_op *op)
{
    const struct step *step = op->step;

    s->current = *op;
    s->is_in_step = true;
    if (!op->is_undo) {
        *begun_of(op) |= 1u << op->row;
        step->begin(&s->current);
    } else if (step->undo) {
        step->undo(&s->current);
    } else {
        steps_end(&s->current, NULL);
    }
}

static void finish_list(struct steps *s)
{
    struct list *list = g_queue_pop_head(&s->lists);

    g_clear_error(&s->abort);
    list->over(list->user, list->error);
    list_free(list);
    if (g_queue_is_empty(&s->lists))
        s->b->hooks->graph_changes(s->b, false);
}

static void run(struct steps *s)
{
    if (s->is_running)
        return;
    s->is_running = true;
    while (!s->is_in_step && !g_queue_is_empty(&s->lists)) {
        struct list *list = g_queue_peek_head(&s->lists);
        bool is_over = list->at == list->ops->len || (list->error && list->stop_on_error);

        if (is_over) {
            finish_list(s);
            continue;
        }
        if (!monitor_is_up(s->b))
            break; /* monitor.c runs us again when it is back, or aborts */
        const struct steps_op *op = &g_array_index(list->ops, struct steps_op, list->at++);
        if (should_run(op))
            start(s, op);
    }
    s->is_running = false;
}

void steps_run(struct steps *s, GArray *ops, bool stop_on_error, void (*over)(void *user, const GError *error),
               void *user)
{
    struct list *list = g_new0(struct list, 1);

    list->ops = ops;
    list->stop_on_error = stop_on_error;
    list->over = over;
    list->user = user;
    g_queue_push_tail(&s->lists, list);
    s->b->hooks->graph_changes(s->b, true);
    run(s);
}

void steps_insert(struct steps *s, const GArray *ops)
{
    struct list *list = g_queue_peek_head(&s->lists);

    g_assert(s->is_in_step);
    g_array_insert_vals(list->ops, list->at, ops->data, ops->len);
}

/* One answer that does not come may be QEMU's own trouble; after two it has stopped, with a disk that hangs as a rule,
 * and nothing of what is still to be undone would come through. */
static bool is_mute(struct steps *s, const struct steps_op *op, const GError *error)
{
    bool is_unanswered = op->is_undo && g_error_matches(error, QMP_ERROR, QMP_ERROR_TIMEOUT);

    s->n_unanswered = is_unanswered ? s->n_unanswered + 1 : 0;
    return s->n_unanswered >= 2;
}

static void give_up_mute(struct backup *b)
{
    const char *why = "QEMU does not answer any more; does a disk of its host hang?";

    if (b->is_failing || b->phase >= MODEL_FINISH) /* else it is what the run fails with */
        backup_log(b, MODEL_ERROR, NULL, "%s", why);
    run_give_up(b, why);
}

void steps_end(struct steps_op *op, const GError *error)
{
    struct steps *s = op->b->steps;
    struct list *list = g_queue_peek_head(&s->lists);
    const struct step *step = op->step;

    g_assert(s->is_in_step && op == &s->current);
    s->is_in_step = false;
    /* A command that was refused changed nothing; one whose answer never came may have. */
    bool has_happened = !error || (step->flags & STEP_STAYS) || g_error_matches(error, QMP_ERROR, QMP_ERROR_TIMEOUT) ||
                        g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE);
    if ((op->is_undo || (step->flags & STEP_REPEATS)) && g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) {
        list->at--; /* once more when the monitor is back */
        error = NULL;
    } else if (op->is_undo || !has_happened) {
        *begun_of(op) &= ~(1u << op->row);
    }
    if (error && op->is_undo && step->scope == STEP_RUN) {
        op->b->end.has_undo_failed = true;
        backup_log(op->b, MODEL_ERROR, "look at the guest's state; vmabackup cleanup tries again",
                   "QEMU refuses to undo \"%s\": %s", step->name, error->message);
    }
    if (error && !list->error) {
        list->error = g_error_copy(error);
        g_prefix_error(&list->error, "%s%s%scannot %s%s: ", op->d ? "drive " : "", op->d ? op->d->name : "",
                       op->d ? ": " : "", op->is_undo ? "undo: " : "", step->name);
    }
    if (s->abort && list->stop_on_error && !list->error)
        list->error = g_error_copy(s->abort);
    if (is_mute(s, op, error))
        give_up_mute(s->b);
    else
        run(s);
}

void steps_reply(void *op, const GError *error)
{
    steps_end(op, error);
}

void steps_abort(struct steps *s, const GError *error)
{
    for (GList *at = s->lists.head; at; at = at->next) {
        struct list *list = at->data;
        if (!list->stop_on_error || list->error)
            continue;
        if (at == s->lists.head && s->is_in_step) {
            g_clear_error(&s->abort);
            s->abort = g_error_copy(error);
        } else {
            list->error = g_error_copy(error);
        }
    }
    run(s);
}

void steps_kick(struct steps *s)
{
    run(s);
}

void steps_give_up(struct steps *s, const GError *error)
{
    s->is_in_step = false;
    for (GList *at = s->lists.head; at; at = at->next) {
        struct list *list = at->data;
        if (!list->error)
            list->error = g_error_copy(error);
        list->at = list->ops->len;
    }
    run(s);
}

const struct steps_op *steps_current(const struct steps *s)
{
    return s->is_in_step ? &s->current : NULL;
}
