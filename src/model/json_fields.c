// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/json_fields.h"

#define FIELD(type, kind, name, member, is_quiet)                                                                      \
    {                                                                                                                  \
        name, JSON_##kind, offsetof(struct type, member), sizeof(((struct type *)0)->member), is_quiet                 \
    }
#define M(kind, name, member)       FIELD(model, kind, name, member, false)
#define M_QUIET(kind, name, member) FIELD(model, kind, name, member, true)
#define D(kind, name, member)       FIELD(model_drive, kind, name, member, false)
#define D_QUIET(kind, name, member) FIELD(model_drive, kind, name, member, true)
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, JSON_TEXT, 0, 0, false                                                                                   \
    }

/* clang-format off */
const struct json_field json_guest_fields[] = {
    M(TEXT, "name", guest),
    M(TEXT, "state", guest_state),
    M(TEXT, "qemu", qemu),
    M(TEXT, "socket", monitor),
    M(FLAG, "lost", link.is_lost),
    END,
};
const struct json_field json_plan_fields[] = {
    M(TEXT, "sink", target),
    M(TEXT, "recipe", recipe),
    M(SIZE, "total", total),
    M(SIZE, "free", sink.free_bytes),
    M(TEXT, "same_as", same_as),
    M_QUIET(TEXT, "snapshot_of", sink.guest),
    M_QUIET(TEXT, "backups", sink.backups),
    M_QUIET(SIZE, "reads", forecast.reads),
    M_QUIET(TEXT, "compression", compression),
    M_QUIET(TEXT, "engine", engine.word),
    M_QUIET(TEXT, "pull_obstacle", engine.obstacle),
    M_QUIET(SIZE, "need", sink.need_bytes),
    M_QUIET(SIZE, "forecast_ms", forecast.ms),
    M_QUIET(SIZE, "last_rate", forecast.rate),
    M_QUIET(SIZE, "last_plain", forecast.plain),
    M_QUIET(SIZE, "last_written", forecast.written),
    M_QUIET(FLAG, "pipe", sink.is_pipe),
    M_QUIET(TEXT, "agent", agent),
    M_QUIET(SIZE, "limit", global_limit),
    M_QUIET(COUNT, "level", level),
    M_QUIET(COUNT, "retries", retries),
    M_QUIET(FLAG, "strict", is_strict),
    M_QUIET(FLAG, "vmstate", wants_vmstate),
    M_QUIET(COUNT, "leftovers", left.n),
    M_QUIET(TEXT, "left", left.what),
    END,
};
const struct json_field json_phase_fields[] = {
    M(PHASE, "phase", phase),
    M(SIZE, "pause_ms", pause_ms),
    END,
};
/* of a phase "unreachable" */
const struct json_field json_failure_fields[] = {
    M(TEXT, "text", link.failure),
    M(TEXT, "hint", link.advice),
    M(COUNT, "attempt", link.attempt),
    M(SIZE, "retry_in_ms", link.retry_in_ms),
    END,
};
const struct json_field json_progress_fields[] = {
    M(PHASE, "phase", phase),
    M(SIZE, "done", done),
    M(SIZE, "total", total),
    M(SIZE, "zero", zero),
    M(SIZE, "in_rate", in_rate),
    M_QUIET(SIZE, "data_rate", data_rate),
    M(SIZE, "out_rate", out_rate),
    M(SIZE, "written", sink.written),
    M_QUIET(SIZE, "packed", sink.packed),
    M(SIZE, "free", sink.free_bytes),
    M(SIZE, "need", sink.need_bytes),
    M(FLAG, "fits", sink.will_fit),
    M(FLAG, "target_full", sink.is_full),
    M(SIZE, "spool_used", sink.spool_used),
    M(SIZE, "spool_size", sink.spool_size),
    M_QUIET(COUNT, "buffers_used", sink.buffers_used),
    M_QUIET(COUNT, "buffers_total", sink.buffers_total),
    M_QUIET(SIZE, "no_buffers_ms", sink.no_buffers_ms),
    M_QUIET(SIZE, "sink_stuck_ms", sink.stuck_ms),
    M_QUIET(SIZE, "limit", global_limit),
    M_QUIET(CLOCK, "started_s", started_s),
    M(SIZE, "elapsed_ms", elapsed_ms),
    M(SIZE, "eta_ms", eta_ms),
    M(SIZE, "pause_ms", pause_ms),
    M(SIZE, "data_age_ms", link.data_age_ms),
    M(MS, "loop_p99_ms", loop.p99_us),
    M(MS, "loop_max_ms", loop.max_us),
    M_QUIET(FLAG, "lost", link.is_lost),
    M_QUIET(SIZE, "retry_in_ms", link.retry_in_ms),
    M(BOTTLENECK, "bottleneck", slowest.by),
    M_QUIET(SIZE, "by_source_ms", slowest.ms[MODEL_BY_SOURCE]),
    M_QUIET(SIZE, "by_limit_ms", slowest.ms[MODEL_BY_LIMIT]),
    M_QUIET(SIZE, "by_cpu_ms", slowest.ms[MODEL_BY_CPU]),
    M_QUIET(SIZE, "by_sink_ms", slowest.ms[MODEL_BY_SINK]),
    M_QUIET(SIZE, "by_operator_ms", slowest.ms[MODEL_BY_OPERATOR]),
    M_QUIET(TEXT, "agent", agent),
    M_QUIET(COUNT, "leftovers", left.n),
    M_QUIET(TEXT, "left", left.what),
    M_QUIET(SIZE, "read_done", end.read_done),
    M_QUIET(SIZE, "read_total", end.read_total),
    M_QUIET(SIZE, "read_rate", end.read_rate),
    END,
};
const struct json_field json_impact_fields[] = {
    M(MS, "write_ms", impact.write_us),
    M(MS, "base_ms", impact.base_us),
    M(MS, "p99_ms", impact.p99_us),
    M(COUNT, "stalls", impact.stalls),
    M(FLAG, "slowing", impact.is_slowing),
    M_QUIET(SIZE, "ceiling", impact.ceiling),
    M_QUIET(SIZE, "held_back_ms", impact.held_back_ms),
    END,
};
const struct json_field json_result_fields[] = {
    M(STATUS, "exit", end.exit_status),
    M(TEXT, "text", end.outcome),
    M(TEXT, "hint", end.next),
    M(TEXT, "sink", target),
    M(SIZE, "bytes", end.archive_bytes),
    M_QUIET(SIZE, "new_bytes", end.new_bytes),
    M(FLAG, "verified", end.is_verified),
    M_QUIET(TEXT, "sha256", end.sha256),
    END,
};

const struct json_field json_planned_fields[] = {
    D(TEXT, "node", node),
    D(TEXT, "format", format),
    D(SIZE, "size", size),
    D(SIZE, "used", used),
    D(FLAG, "included", is_included),
    D(FLAG, "guarded", is_guarded),
    D_QUIET(TEXT, "engine", engine),
    D_QUIET(TEXT, "track", track.plan),
    D_QUIET(TEXT, "tracked", track.bitmaps),
    D_QUIET(FLAG, "incremental", track.is_incremental),
    D_QUIET(SIZE, "changed", track.changed),
    D(SIZE, "limit", limit),
    D_QUIET(SIZE, "limit_wanted", limit_wanted),
    D_QUIET(FLAG, "takes_no_limit", takes_no_limit),
    D(TEXT, "note", note),
    END,
};
const struct json_field json_row_fields[] = {
    D(STATE, "state", state),
    D(SIZE, "size", size),
    D(SIZE, "done", done),
    D_QUIET(SIZE, "unchanged", track.unchanged),
    D(SIZE, "zero", zero),
    D(SIZE, "rate", rate),
    D_QUIET(SIZE, "data_rate", data_rate),
    D(SIZE, "average", average),
    D(SIZE, "peak", peak),
    D(SIZE, "limit", limit),
    D_QUIET(SIZE, "limit_wanted", limit_wanted),
    D_QUIET(FLAG, "limit_shared", is_limit_shared),
    D_QUIET(FLAG, "takes_no_limit", takes_no_limit),
    D(FLAG, "binding", is_limit_binding),
    D_QUIET(FLAG, "slowed", is_slowed),
    D_QUIET(FLAG, "paused_by_operator", paused.by_operator),
    D_QUIET(FLAG, "paused_by_target", paused.by_target),
    D_QUIET(FLAG, "guarded", is_guarded),
    D(SIZE, "eta_ms", eta_ms),
    D(SIZE, "elapsed_ms", elapsed_ms),
    D(SIZE, "stalled_ms", stalled_ms),
    D(COUNT, "retries", retries),
    D_QUIET(SIZE, "retry_in_ms", retry_in_ms),
    D_QUIET(FLAG, "may_retry", may_retry),
    D_QUIET(FLAG, "keeps_instant", keeps_instant),
    D_QUIET(CLOCK, "instant_us", instant_us),
    D_QUIET(FLAG, "instant_own", is_instant_own),
    D_QUIET(SIZE, "filter_bytes", filter.bytes),
    D_QUIET(SIZE, "filter_rate", filter.rate),
    D(TEXT, "note", note),
    D_QUIET(TEXT, "error", error),
    D_QUIET(TEXT, "hint", hint),
    D_QUIET(MAP, "map_held", map.held),
    D_QUIET(MAP, "map_zero", map.zero),
    END,
};
/* clang-format on */
