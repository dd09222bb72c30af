// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/plain.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "model/engine.h"

#define COLUMNS            100
#define INDENT             9 /* "11:29:26 " */
#define DEFAULT_INTERVAL_S 60

struct plain {
    unsigned interval_s;
    unsigned step_percent;
    bool is_connected;
    char guest_state[MODEL_NAME_LEN]; /* last said */
    int64_t progress_s;               /* last said, 0 = never */
    unsigned progress_step;
};

struct plain *plain_new(unsigned interval_s)
{
    const char *accessible = g_getenv("ACCESSIBLE");
    struct plain *p = g_new0(struct plain, 1);
    p->interval_s = interval_s ? interval_s : DEFAULT_INTERVAL_S;
    p->step_percent = accessible && *accessible ? 10 : 5;
    return p;
}

void plain_free(struct plain *p)
{
    g_free(p);
}

/* ---- lines ---- */

static void begin_line(GString *out, int64_t now_s)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(now_s);
    g_autofree char *clock = when ? g_date_time_format(when, "%H:%M:%S") : g_strdup("--:--:--");
    g_string_append(out, clock);
}

/* Word by word; text is safe. */
static void append_wrapped(GString *out, const char *text)
{
    size_t column = INDENT - 1;
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (unsigned i = 0; words[i]; i++) {
        size_t width = (size_t)g_utf8_strlen(words[i], -1);
        if (!*words[i])
            continue;
        if (column + 1 + width > COLUMNS && column >= INDENT) {
            g_string_append_printf(out, "\n%*s", INDENT - 1, "");
            column = INDENT - 1;
        }
        g_string_append_printf(out, " %s", words[i]);
        column += 1 + width;
    }
    g_string_append_c(out, '\n');
}

/* Text of several lines (a help page) becomes as many. */
static void say(GString *out, int64_t now_s, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void say(GString *out, int64_t now_s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    for (unsigned i = 0; lines[i]; i++) {
        text_make_safe_inplace(lines[i]);
        begin_line(out, now_s);
        append_wrapped(out, lines[i]);
    }
}

/* " 18 min", " 1 h 20 min", " 45 s"; "" when it is not known. */
static char *about(uint64_t ms)
{
    uint64_t min = (ms / 1000 + 30) / 60;
    if (ms == MODEL_UNKNOWN)
        return g_strdup("");
    if (ms < 120000)
        return g_strdup_printf(", left about %" PRIu64 " s", (ms + 500) / 1000);
    if (min < 120)
        return g_strdup_printf(", left about %" PRIu64 " min", min);
    return g_strdup_printf(", left about %" PRIu64 " h %02" PRIu64 " min", min / 60, min % 60);
}

static const char *limit_text(uint64_t limit, char text[UNITS_LEN])
{
    return limit ? units_format_size(limit, text) : "none";
}

/* ---- counting rows ---- */

struct counts {
    unsigned included, saved, lost;
    GString *missing; /* ", missing a b" */
};

static struct counts count(const struct model *m)
{
    struct counts c = {.missing = g_string_new(NULL)};
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *d = &m->drives[i];
        if (!d->is_included)
            continue;
        c.included++;
        c.saved += model_is_saved(d->state);
        c.lost += d->state == MODEL_FAIL || d->state == MODEL_CANCELLED;
        if (!model_is_saved(d->state))
            g_string_append_printf(c.missing, "%s%s", c.missing->len ? " " : ", missing ", d->name);
    }
    return c;
}

/* ---- events ---- */

static void say_guest(struct plain *p, const struct model *m, GString *out, int64_t now_s)
{
    bool is_news = strcmp(p->guest_state, m->guest_state) != 0;
    g_strlcpy(p->guest_state, m->guest_state, sizeof p->guest_state);
    if (m->link.is_lost) {
        say(out, now_s, "guest %s lost: the monitor does not answer", m->guest);
        p->is_connected = false;
    } else if (!p->is_connected) {
        say(out, now_s, "connected %s %s, QEMU %s, %s", m->guest, m->guest_state, m->qemu, m->monitor);
        p->is_connected = true;
    } else if (is_news) {
        say(out, now_s, "guest %s %s", m->guest, m->guest_state);
    }
}

static void say_plan(const struct model *m, GString *out, int64_t now_s)
{
    char total[UNITS_LEN];
    unsigned included = 0;
    for (unsigned i = 0; i < m->n_drives; i++)
        included += m->drives[i].is_included;
    bool is_pull = strcmp(m->engine.word, engine_word(ENGINE_PULL)) == 0; /* push goes without saying */
    say(out, now_s, "plan %u devices %s to %s%s%s%s%s%s", included, units_format_size(m->total, total), m->target,
        *m->sink.guest ? ", snapshot of " : "", m->sink.guest, *m->recipe ? ", " : "", m->recipe,
        is_pull ? ", engine pull" : "");
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].is_included && *m->drives[i].track.plan)
            say(out, now_s, "plan %s: %s", m->drives[i].name, m->drives[i].track.plan);
    for (unsigned i = 0; i < m->n_drives; i++)
        if (!m->drives[i].is_included)
            say(out, now_s, "plan without %s%s%s", m->drives[i].name, *m->drives[i].note ? ": " : "",
                m->drives[i].note);
}

static void say_phase(const struct model *m, GString *out, int64_t now_s)
{
    switch (m->phase) {
    case MODEL_CONNECT_FAILED:
        say(out, now_s, "ERROR %s%s%s", m->link.failure, *m->link.advice ? ". " : "", m->link.advice);
        break;
    case MODEL_CONNECTING: /* "connected" follows, */
    case MODEL_PLAN:       /* "plan", */
    case MODEL_DONE:       /* and "finished" */
        break;
    default:
        say(out, now_s, "phase %s", model_phase_word(m->phase));
    }
}

static void say_done(const struct model *m, const struct model_drive *d, GString *out, int64_t now_s)
{
    char size[UNITS_LEN], time[UNITS_LEN], rate[UNITS_LEN], pause[UNITS_LEN];
    say(out, now_s, "drive %s done %s in %s%s%s%s%s%s%s", d->name, units_format_size(d->size, size),
        units_format_ms(d->elapsed_ms, time), d->average ? " " : "", /* 0: too short to tell */
        d->average ? units_format_rate(d->average, rate) : "", *d->note ? ", " : "", d->note,
        d->is_vmstate && m->pause_ms != MODEL_UNKNOWN ? ", guest paused " : "",
        d->is_vmstate && m->pause_ms != MODEL_UNKNOWN ? units_format_ms(m->pause_ms, pause) : "");
}

static const char *paused_by(const struct model_drive *d)
{
    return d->paused.by_operator ? " by operator" : d->paused.by_target ? " by target" : "";
}

static void say_drive(const struct model *m, const struct model_drive *d, GString *out, int64_t now_s)
{
    char done[UNITS_LEN], size[UNITS_LEN];
    const char *colon = *d->note ? ": " : "";
    units_format_size(d->done, done);
    units_format_size(d->size, size);
    switch (d->state) {
    case MODEL_WAIT:
        break;
    case MODEL_OK:
        say_done(m, d, out, now_s);
        break;
    case MODEL_PAUSE:
        say(out, now_s, "drive %s pause%s at %s of %s", d->name, paused_by(d), done, size);
        break;
    case MODEL_RETRY:
        say(out, now_s, "drive %s retry %u at %s of %s%s%s", d->name, d->retries, done, size, colon, d->note);
        break;
    case MODEL_FAIL:
    case MODEL_CANCELLED:
        say(out, now_s, "%sdrive %s %s at %s of %s%s%s", d->state == MODEL_FAIL ? "ERROR " : "", d->name,
            model_state_word(d->state), done, size, colon, d->note);
        break;
    default:
        say(out, now_s, "drive %s %s%s%s", d->name, model_state_word(d->state), colon, d->note);
    }
}

static void say_progress(struct plain *p, const struct model *m, GString *out, int64_t now_s)
{
    char done[UNITS_LEN], total[UNITS_LEN], rate[UNITS_LEN];
    if (!m->total || m->total == MODEL_UNKNOWN || m->phase < MODEL_RAM || m->phase >= MODEL_DONE)
        return;
    unsigned percent = model_percent(m->done, m->total), step = percent / p->step_percent;
    /* A clock that was set back must not silence us. */
    bool is_due = now_s - p->progress_s >= (int64_t)p->interval_s || now_s < p->progress_s;
    if (step <= p->progress_step && !is_due)
        return;
    p->progress_step = step;
    p->progress_s = now_s;
    struct counts c = count(m);
    g_autofree char *left = about(m->eta_ms);
    g_autofree char *failed = c.lost ? g_strdup_printf(", %u failed", c.lost) : g_strdup("");
    say(out, now_s, "progress %u%% %s of %s, %s%s, %u of %u done%s%s", percent, units_format_size(m->done, done),
        units_format_size(m->total, total), units_format_rate(m->in_rate, rate), left, c.saved, c.included, failed,
        m->sink.is_full ? ", target full: waiting for room" : "");
    g_string_free(c.missing, TRUE);
}

static void say_limit(const struct model *m, const struct model_event *e, GString *out, int64_t now_s)
{
    char from[UNITS_LEN], to[UNITS_LEN];
    say(out, now_s, "%s%s limit %s > %s%s%s", e->drive < 0 ? "" : "drive ",
        e->drive < 0 ? "all" : m->drives[e->drive].name, limit_text(e->old_value, from), limit_text(e->new_value, to),
        e->text ? " by " : "", e->text ? e->text : "");
}

static void say_log(const struct model_event *e, GString *out, int64_t now_s)
{
    static const char *const words[] = {
        [MODEL_INFO] = "", [MODEL_WARNING] = "warning ", [MODEL_ERROR] = "ERROR ", [MODEL_HINT] = "hint "};
    g_autofree char *hint = e->hint && *e->hint ? g_strdup_printf(". %s", e->hint) : g_strdup("");
    if (*hint)
        hint[2] = g_ascii_toupper(hint[2]);
    say(out, now_s, "%s%s%s", words[e->level], e->text ? e->text : "", hint);
}

static void say_result(const struct model *m, GString *out, int64_t now_s)
{
    char bytes[UNITS_LEN], fresh[UNITS_LEN], time[UNITS_LEN];
    struct counts c = count(m);
    /* Of a failure the ERROR line has told it. */
    if (*m->end.outcome && !(m->n_errors && m->end.exit_status && m->end.exit_status != VMB_ERROR_INCOMPLETE))
        say(out, now_s, "%s", m->end.outcome);
    if (*m->end.next)
        say(out, now_s, "next: %s", m->end.next);
    g_autofree char *saved = g_strdup_printf(
        " %u of %u saved%s, %s%s%s%s in %s", c.saved, c.included, c.missing->str, *m->sink.guest ? "new " : "",
        *m->sink.guest ? units_format_size(m->end.new_bytes, fresh) : "", *m->sink.guest ? " of " : "",
        units_format_size(m->end.archive_bytes, bytes), units_format_ms(m->elapsed_ms, time));
    bool has_archive = m->end.exit_status == 0 || m->end.exit_status == VMB_ERROR_INCOMPLETE;
    say(out, now_s, "finished %s%s, exit %d", model_result_word(m->end.exit_status), has_archive ? saved : "",
        m->end.exit_status);
    g_string_free(c.missing, TRUE);
}

char *plain_event(struct plain *p, const struct model *m, const struct model_event *e, int64_t now_s)
{
    GString *out = g_string_new(NULL);
    g_assert(e->drive < (int)m->n_drives);
    switch (e->type) {
    case MODEL_EV_HELLO:
    case MODEL_EV_NOTE:
    case MODEL_EV_IMPACT: /* a warning tells when it matters */
        break;
    case MODEL_EV_GUEST:
        say_guest(p, m, out, now_s);
        break;
    case MODEL_EV_PLAN:
        say_plan(m, out, now_s);
        break;
    case MODEL_EV_PHASE:
        say_phase(m, out, now_s);
        break;
    case MODEL_EV_DRIVE:
        if (e->drive >= 0)
            say_drive(m, &m->drives[e->drive], out, now_s);
        break;
    case MODEL_EV_PROGRESS:
        say_progress(p, m, out, now_s);
        break;
    case MODEL_EV_LIMIT:
        say_limit(m, e, out, now_s);
        break;
    case MODEL_EV_LOG:
        say_log(e, out, now_s);
        break;
    case MODEL_EV_REPLY:
        say(out, now_s, "%s%s", e->ok ? "" : "refused: ", e->text ? e->text : e->ok ? "ok" : "");
        break;
    case MODEL_EV_RESULT:
        say_result(m, out, now_s);
        break;
    }
    return g_string_free(out, FALSE);
}
