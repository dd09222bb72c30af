// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/model.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

const char *model_phase_word(enum model_phase phase)
{
    static const char *const words[MODEL_PHASES] = {
        [MODEL_CONNECTING] = "connect",
        [MODEL_CONNECT_FAILED] = "unreachable",
        [MODEL_PLAN] = "plan",
        [MODEL_PREPARE] = "prepare",
        [MODEL_RAM] = "ram",
        [MODEL_FREEZE] = "freeze",
        [MODEL_COPY] = "copy",
        [MODEL_FINISH] = "finish",
        [MODEL_VERIFY] = "verify",
        [MODEL_DONE] = "done",
    };
    g_assert(phase < MODEL_PHASES);
    return words[phase];
}

const char *model_state_word(enum model_state state)
{
    static const char *const words[MODEL_STATES] = {
        [MODEL_WAIT] = "wait",       [MODEL_RUN] = "run",   [MODEL_PAUSE] = "pause", [MODEL_RETRY] = "retry",
        [MODEL_OK] = "done",         [MODEL_WARN] = "warn", [MODEL_FAIL] = "FAIL",   [MODEL_CANCELLED] = "cancelled",
        [MODEL_SKIPPED] = "skipped",
    };
    g_assert(state < MODEL_STATES);
    return words[state];
}

const char *model_bottleneck_word(enum model_bottleneck b)
{
    static const char *const words[] = {
        [MODEL_BY_SOURCE] = "source", [MODEL_BY_LIMIT] = "limit",       [MODEL_BY_CPU] = "cpu",
        [MODEL_BY_SINK] = "sink",     [MODEL_BY_OPERATOR] = "operator",
    };
    g_assert(b < G_N_ELEMENTS(words));
    return words[b];
}

const char *model_level_word(enum model_level level)
{
    static const char *const words[] = {
        [MODEL_INFO] = "info", [MODEL_WARNING] = "warning", [MODEL_ERROR] = "error", [MODEL_HINT] = "hint"};
    g_assert(level < G_N_ELEMENTS(words));
    return words[level];
}

const char *model_result_word(int exit_status)
{
    switch (exit_status) {
    case 0:
        return "OK";
    case VMB_ERROR_INCOMPLETE:
        return "INCOMPLETE";
    case VMB_ERROR_CANCELLED:
        return "CANCELLED";
    case VMB_ERROR_DAMAGED:
        return "DAMAGED";
    default:
        return exit_status > 128 ? "CANCELLED" : "FAILED";
    }
}

void model_init(struct model *m)
{
    *m = (struct model){
        .link.data_age_ms = MODEL_UNKNOWN,
        .sink.free_bytes = MODEL_UNKNOWN,
        .sink.need_bytes = MODEL_UNKNOWN,
        .sink.will_fit = true,
        .eta_ms = MODEL_UNKNOWN,
        .pause_ms = MODEL_UNKNOWN,
        .loop.p99_us = MODEL_UNKNOWN,
        .loop.max_us = MODEL_UNKNOWN,
        .impact = {.write_us = MODEL_UNKNOWN, .base_us = MODEL_UNKNOWN, .p99_us = MODEL_UNKNOWN},
    };
}

void model_clear(struct model *m)
{
    g_free(m->drives);
    g_free(m->log);
    model_init(m);
}

struct model_drive *model_add_drive(struct model *m, const char *name)
{
    m->drives = g_renew(struct model_drive, m->drives, m->n_drives + 1);
    struct model_drive *drive = &m->drives[m->n_drives++];
    *drive = (struct model_drive){.used = MODEL_UNKNOWN, .eta_ms = MODEL_UNKNOWN};
    text_copy(drive->name, sizeof drive->name, name);
    return drive;
}

struct model_drive *model_find_drive(const struct model *m, const char *name)
{
    for (unsigned i = 0; i < m->n_drives; i++)
        if (g_str_equal(m->drives[i].name, name))
            return &m->drives[i];
    return NULL;
}

uint64_t model_read_bytes(const struct model *m)
{
    uint64_t unchanged = 0;
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].is_included && m->drives[i].state != MODEL_CANCELLED)
            unchanged += m->drives[i].track.unchanged;
    return m->done - MIN(unchanged, m->done);
}

unsigned model_percent(uint64_t done, uint64_t total)
{
    return total && total != MODEL_UNKNOWN ? (unsigned)((double)MIN(done, total) * 100 / (double)total) : 0;
}

/* Room for one more line: the oldest goes, and with it the hints that belonged to it. */
static void make_room(struct model *m)
{
    if (!m->log)
        m->log = g_new(struct model_log_line, MODEL_MAX_LOG);
    if (m->n_log < MODEL_MAX_LOG)
        return;
    unsigned drop = 1;
    while (drop < m->n_log && m->log[drop].level == MODEL_HINT)
        drop++;
    m->n_log -= drop;
    memmove(m->log, m->log + drop, m->n_log * sizeof *m->log);
}

static void set_text(char *field, size_t size, const char *format, va_list args) G_GNUC_PRINTF(3, 0);
static void set_text(char *field, size_t size, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args); /* first: an argument may be the field itself */
    text_copy(field, size, text);
}

void model_set_text(char *field, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_text(field, size, format, args);
    va_end(args);
}

void model_log(struct model *m, enum model_level level, int64_t when_s, const char *format, ...)
{
    struct model_log_line line = {.when_s = when_s, .level = level};
    va_list args;
    va_start(args, format);
    set_text(line.text, sizeof line.text, format, args);
    va_end(args);
    make_room(m);
    m->log[m->n_log++] = line;
    m->n_errors += level == MODEL_ERROR;
    m->n_warnings += level == MODEL_WARNING;
}
