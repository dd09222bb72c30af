// SPDX-License-Identifier: GPL-2.0-or-later
/* The connection to QEMU's monitor: made, diagnosed, lost, tried again, given up. */
#include <string.h>
#include <sys/stat.h>
#include "qemu/nearby_uv.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "base/owner.h"
#include "qmp/address.h"
#include "rescue/cleanup.h"
#include "rescue/journal.h"

#define RETRY_MS       1000 /* while a run goes on */
#define RETRY_FIRST_MS 3000 /* before one, in the console */
#define GIVE_UP_MS     60000
#define END_MS         UINT64_C(10000) /* without a word, of a QEMU whose guest was shut down */

/* --- the connect diagnosis ---------------------------------------------------------------------- */

static const char *const check_texts[] = {
    "the path exists and is a socket",          "this user may open it", "something answers", "it speaks QMP",
    "QEMU tells its version, guest and drives",
};

/* "(srwxr-x--- root:kvm)"; "" for what is not there. */
static char *describe_file(const char *monitor)
{
    g_autofree char *path = qmp_address_path(monitor);
    struct stat st;

    if (!path || lstat(path, &st) != 0)
        return g_strdup("");
    char mode[] = "?rwxrwxrwx";
    mode[0] = S_ISSOCK(st.st_mode) ? 's' : S_ISDIR(st.st_mode) ? 'd' : '-';
    for (unsigned i = 0; i < 9; i++)
        if (!(st.st_mode & (0400u >> i)))
            mode[1 + i] = '-';
    g_autofree char *owner = owner_of(st.st_uid, st.st_gid);
    return g_strdup_printf(" (%s %s)", mode, owner);
}

/* All checks before `failed` are done; it and what follows are not. */
static void set_checks(struct backup *b, unsigned failed, enum model_state state)
{
    struct model *m = &b->model;

    m->link.n_checks = G_N_ELEMENTS(check_texts);
    for (unsigned i = 0; i < m->link.n_checks; i++) {
        m->link.checks[i].state = i < failed ? MODEL_OK : i == failed ? state : MODEL_WAIT;
        model_set(m->link.checks[i].text, "%s", check_texts[i]);
    }
}

/* The same with what a person wants to know of a failure. */
static void explain_checks(struct backup *b, unsigned failed)
{
    g_autofree char *file = describe_file(b->options.monitor);

    set_checks(b, failed, MODEL_FAIL);
    model_set(b->model.link.checks[0].text, "%s%s", check_texts[0], file);
    model_set(b->model.link.checks[1].text, "%s (you are %s)", check_texts[1], g_get_user_name());
}

static unsigned check_of(const GError *error)
{
    if (error->domain != QMP_ERROR)
        return 4;
    switch ((enum qmp_error)error->code) {
    case QMP_ERROR_NOT_THERE:
    case QMP_ERROR_NOT_SOCKET:
        return 0;
    case QMP_ERROR_PERMISSION:
        return 1;
    case QMP_ERROR_REFUSED:
    case QMP_ERROR_BUSY:
        return 2;
    case QMP_ERROR_HMP:
    case QMP_ERROR_NOT_QMP:
        return 3;
    default:
        return 4;
    }
}

static const char *advice_for(const GError *error)
{
    if (error->domain != QMP_ERROR)
        return "";
    switch ((enum qmp_error)error->code) {
    case QMP_ERROR_NOT_THERE:
        return "check the path; QEMU makes it with -qmp unix:PATH,server=on,wait=off";
    case QMP_ERROR_REFUSED:
        return "QEMU has most likely ended and left the socket behind; start it, or name another monitor";
    case QMP_ERROR_PERMISSION:
        return "run this as the user who runs QEMU, or as root";
    case QMP_ERROR_BUSY:
        return "end that program, or give QEMU a second -qmp";
    case QMP_ERROR_HMP:
        return "this is a human monitor; give QEMU a QMP one: -qmp unix:PATH,server=on,wait=off";
    default:
        return "name the QMP monitor of a running QEMU";
    }
}

/* --- connecting --------------------------------------------------------------------------------- */

static void open_monitor(struct backup *b);

static void report_connect_failure(struct backup *b, const GError *error)
{
    struct model *m = &b->model;

    explain_checks(b, check_of(error));
    model_set(m->link.failure, "%s", error->message);
    model_set(m->link.advice, "%s", advice_for(error));
    if (b->options.reconnect_forever) {
        b->link.lost_at_ms = b->link.lost_at_ms ? b->link.lost_at_ms : uv_now(b->loop);
        b->link.next_try_ms = uv_now(b->loop) + RETRY_FIRST_MS;
        b->link.nearby = b->link.nearby ? b->link.nearby : nearby_new(b->loop, m);
        nearby_look(b->link.nearby, b->options.monitor);
        backup_set_phase(b, MODEL_CONNECT_FAILED);
    } else {
        backup_fail_new(b, VMB_ERROR_MONITOR, "%s", error->message);
    }
}

/* A console shows at once what else can be done, and takes the greeting all the same when it comes. */
static void on_waiting(void *user, const GError *why)
{
    struct backup *b = user;

    if (!b->has_begun && b->options.reconnect_forever) {
        report_connect_failure(b, why);
        b->link.next_try_ms = uv_now(b->loop) + b->options.timeout_s * 1000;
    } else {
        backup_log(b, MODEL_INFO, NULL, "%s", why->message);
    }
}

static void forget_nearby(struct backup *b)
{
    g_clear_pointer(&b->link.nearby, nearby_close);
    b->model.link.n_nearby = 0;
}

static void on_ready(void *user)
{
    struct backup *b = user;

    forget_nearby(b);
    b->link.lost_at_ms = 0;
    set_checks(b, 4, MODEL_RUN);
    if (b->end.is_freed_from_qemu)
        return;
    if (!b->has_begun) {
        discover(b);
        return;
    }
    backup_log(b, MODEL_INFO, NULL, "monitor is back");
    jobs_monitor_back(b);
    job_pause_monitor_back(b);
    state_monitor_back(b);
    steps_kick(b->steps);
    if (b->tidy.is_check_wanted)
        run_check_left(b);
}

void monitor_discovered(struct backup *b)
{
    set_checks(b, G_N_ELEMENTS(check_texts), MODEL_OK);
}

static void on_event(void *user, const struct qmp_event *event)
{
    struct backup *b = user;

    if (event->type == QMP_EVENT_SHUTDOWN)
        b->link.shutdown_at_ms = uv_now(b->loop);
    if (event->type == QMP_EVENT_SHUTDOWN && b->has_begun && b->phase < MODEL_FINISH)
        backup_fail_new(b, VMB_ERROR_MONITOR, "guest was shut down during the backup; start it and back up again");
    state_on_event(b, event);
    jobs_on_event(b, event);
    pull_export_on_event(b, event);
}

/* QEMU itself is gone when nobody listens and every connection into us has ended. */
static bool is_qemu_gone(struct backup *b, const GError *error)
{
    for_each_drive (d, b)
        if (d->filter.conn || d->target.conn || (d->pull.front && !d->pull.broken))
            return false;
    return g_error_matches(error, QMP_ERROR, QMP_ERROR_REFUSED) ||
           g_error_matches(error, QMP_ERROR, QMP_ERROR_NOT_THERE);
}

void monitor_give_up(struct backup *b, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_set_error(&error, VMB_ERROR, VMB_ERROR_MONITOR, "%s", why);
    g_clear_pointer(&b->qmp, qmp_close);
    if (b->phase < MODEL_FINISH) /* by then everything is here already */
        backup_fail(b, error);
    b->link.is_given_up = true;
    agent_give_up(b);
    steps_give_up(b->steps, error);
    if (b->tidy.is_check_wanted)
        run_check_left(b);
}

static void on_lost(void *user, const GError *error)
{
    struct backup *b = user;

    g_clear_pointer(&b->qmp, qmp_close);
    door_monitor_lost(b);
    if (b->end.is_freed_from_qemu)
        return;
    if (!b->has_begun) {
        report_connect_failure(b, error);
        return;
    }
    if (is_qemu_gone(b, error)) {
        b->link.is_qemu_gone = true;
        monitor_give_up(b, "QEMU went away during the backup; nothing of it can be used");
        return;
    }
    if (!b->link.lost_at_ms) {
        b->link.lost_at_ms = uv_now(b->loop);
        backup_log(b, MODEL_WARNING, NULL, "monitor lost (%s); trying again for 60 s", error->message);
    }
    b->link.next_try_ms = uv_now(b->loop) + RETRY_MS;
}

static const struct qmp_listener monitor_listener = {
    .on_ready = on_ready, .on_event = on_event, .on_lost = on_lost, .on_waiting = on_waiting};

static void open_monitor(struct backup *b)
{
    b->link.next_try_ms = 0;
    b->link.attempt++;
    b->qmp = qmp_open(b->loop, b->options.monitor, b->options.timeout_s * 1000, &monitor_listener, b);
}

void monitor_start(struct backup *b)
{
    g_autoptr(GError) error = NULL;

    set_checks(b, 0, MODEL_RUN);
    if (!journal_check_free(b->options.monitor, &error))
        backup_fail(b, error);
    else
        open_monitor(b);
}

void monitor_stop(struct backup *b)
{
    b->link.next_try_ms = 0;
    g_clear_pointer(&b->tidy.look, cleanup_look_end);
    forget_nearby(b);
    g_clear_pointer(&b->qmp, qmp_close);
}

bool monitor_change(struct backup *b, const char *address, GError **error)
{
    if (!journal_check_free(address, error))
        return false;
    monitor_stop(b);
    g_free(b->options.monitor);
    b->options.monitor = g_strdup(address);
    model_set(b->model.monitor, "%s", address);
    if (!b->archive.is_target_chosen)
        g_clear_pointer(&b->options.target, g_free); /* it had the other guest's name */
    b->link.attempt = 0;
    set_checks(b, 0, MODEL_RUN);
    backup_set_phase(b, MODEL_CONNECTING);
    open_monitor(b);
    return true;
}

/* A QEMU that ends closes its monitor, and one that stays (-action shutdown=pause) answers. */
static bool hangs_in_its_end(const struct backup *b)
{
    uint64_t longest = MIN(b->options.timeout_s * UINT64_C(1000), END_MS);

    return b->link.shutdown_at_ms && monitor_is_up(b) && steps_current(b->steps) &&
           uv_now(b->loop) >= MAX(b->link.shutdown_at_ms, qmp_last_heard_ms(b->qmp)) + longest;
}

static void leave_to_its_end(struct backup *b)
{
    int pid = qmp_peer_pid(b->qmp);
    g_autofree char *process = pid ? g_strdup_printf("%d", pid) : g_strdup("of QEMU");

    b->link.is_stuck = true;
    model_set(b->model.end.next, "end process %s by kill -9; what the guest has flushed is on its disks", process);
    backup_log(b, MODEL_ERROR, b->model.end.next, "QEMU (process %s) neither ends nor answers: its guest has stopped",
               process);
    monitor_give_up(b, "QEMU hangs in its end");
}

void monitor_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);

    if (hangs_in_its_end(b))
        leave_to_its_end(b);
    else if (b->has_begun && b->link.lost_at_ms && !b->link.is_given_up && !b->end.is_freed_from_qemu &&
             now - b->link.lost_at_ms > GIVE_UP_MS)
        monitor_give_up(b, "monitor did not come back within 60 s; when it does, run: vmabackup cleanup MONITOR");
    else if (!b->qmp && b->link.next_try_ms && now >= b->link.next_try_ms && !b->link.is_given_up)
        open_monitor(b);
}
