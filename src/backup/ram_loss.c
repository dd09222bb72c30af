// SPDX-License-Identifier: GPL-2.0-or-later
/* RAM that is not saved: it was lost on the way, or left out by the operator; the drives are saved all the same. */
#include "archive/vmstate.h"
#include "backup/run.h"

static void drop_row(struct backup *b, enum model_state state, const char *note)
{
    b->ram.is_lost = true;
    if (target_can_drop(b))
        writer_drop_lane(b->ram.lane);
    else
        writer_flush_lane(b->ram.lane);
    vmstate_close(g_steal_pointer(&b->ram.vmstate));
    model_set(b->model.drives[b->ram.row].note, "%s", note);
    backup_row_state(b, b->ram.row, state);
}

/* Of a background snapshot the drives' targets stand already, and what a pipe has swallowed stays: its lane ends there.
 */
static bool drop(struct backup *b, const char *note, GError **error)
{
    enum model_state state = b->ram.is_unwanted ? MODEL_CANCELLED : MODEL_FAIL;
    enum ram_method method = b->ram.method;

    b->ram.is_moving = b->ram.is_plain = false; /* "postmigrate" would be somebody else's from now on */
    if (method == RAM_PLAIN && sink_can_rewrite(b->archive.sink))
        return target_restart_without_ram(b, state, note, error);
    drop_row(b, state, note);
    b->ram.method = method == RAM_PLAIN ? RAM_NONE : method;
    return true;
}

void ram_lose(struct backup *b, const char *why, const char *hint)
{
    bool is_wish = b->ram.is_unwanted;
    g_autofree char *note = g_strdup_printf("left out: %s", is_wish ? "by operator" : why);
    g_autoptr(GError) error = NULL;

    if (!state_must_be_stopped(b)) /* a RESUME while it was about to move might have been its own */
        return;
    if (b->options.strict && !is_wish)
        backup_fail_new(b, VMB_ERROR_FAILED, "RAM cannot be saved: %s; %s%suse --no-vmstate", why, hint ? hint : "",
                        hint ? ", or " : "");
    else if (!drop(b, note, &error))
        backup_fail(b, error);
    else if (is_wish)
        backup_log(b, MODEL_INFO, NULL, "RAM is left out by operator");
    else
        backup_log(b, MODEL_WARNING, hint, "RAM is left out: %s", why);
}

void ram_lost(struct backup *b, bool is_wanted, const char *why)
{
    drop_row(b, is_wanted ? MODEL_CANCELLED : MODEL_FAIL, why);
    backup_log(b, is_wanted ? MODEL_INFO : MODEL_ERROR, NULL, "RAM: %s; it leaves the archive", why);
    ram_put_settings_back(b);
    run_check_over(b);
}

bool ram_cancel(struct backup *b, GError **error)
{
    if (b->ram.method == RAM_NONE || b->ram.is_lost || !b->ram.is_moving)
        return vmb_fail(error, VMB_ERROR_USAGE, "RAM is not being saved now");
    if (!target_can_drop(b))
        return vmb_fail(
            error, VMB_ERROR_USAGE,
            "RAM: the target is a pipe, what went down it cannot be taken back; cancel-all ends the backup");
    ram_leave_out(b);
    return true;
}
