// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What a cell means, never how it looks: screens draw roles, a theme gives each role its colours.
 * A role "x-y" a theme leaves out takes the theme's "x-*", then its "text", then the built-in value.
 */
#define UI_ROLES(ROLE)                                                                                                 \
    ROLE(TEXT, "text")                                                                                                 \
    ROLE(TEXT_DIM, "text-dim")                                                                                         \
    ROLE(TEXT_STRONG, "text-strong")                                                                                   \
    ROLE(NUM, "num")                                                                                                   \
    ROLE(UNIT, "unit")                                                                                                 \
    ROLE(HEADER, "header")                                                                                             \
    ROLE(HEADER_ALERT, "header-alert")                                                                                 \
    ROLE(TITLE, "title")                                                                                               \
    ROLE(RULE, "rule")                                                                                                 \
    ROLE(KEY, "key")                                                                                                   \
    ROLE(KEY_LABEL, "key-label")                                                                                       \
    ROLE(SELECT, "select")                                                                                             \
    ROLE(SELECT_IDLE, "select-idle")                                                                                   \
    ROLE(MARK, "mark")                                                                                                 \
    ROLE(MESSAGE, "message")                                                                                           \
    ROLE(TOAST, "toast")                                                                                               \
    ROLE(STATE_WAIT, "state-wait")                                                                                     \
    ROLE(STATE_RUN, "state-run")                                                                                       \
    ROLE(STATE_PAUSE, "state-pause")                                                                                   \
    ROLE(STATE_RETRY, "state-retry")                                                                                   \
    ROLE(STATE_DONE, "state-done")                                                                                     \
    ROLE(STATE_WARN, "state-warn")                                                                                     \
    ROLE(STATE_FAIL, "state-fail")                                                                                     \
    ROLE(STATE_CANCEL, "state-cancel")                                                                                 \
    ROLE(BAR_FILL, "bar-fill")                                                                                         \
    ROLE(BAR_EMPTY, "bar-empty")                                                                                       \
    ROLE(BAR_PAUSE, "bar-pause")                                                                                       \
    ROLE(BAR_FAIL, "bar-fail")                                                                                         \
    ROLE(BAR_ZERO, "bar-zero")                                                                                         \
    ROLE(BAR_LIMIT, "bar-limit")                                                                                       \
    ROLE(GRAPH_IN, "graph-in")                                                                                         \
    ROLE(GRAPH_OUT, "graph-out")                                                                                       \
    ROLE(GRAPH_GUEST, "graph-guest")                                                                                   \
    ROLE(GRAPH_AXIS, "graph-axis")                                                                                     \
    ROLE(GRAPH_LIMIT, "graph-limit")                                                                                   \
    ROLE(LOG_TIME, "log-time")                                                                                         \
    ROLE(LOG_INFO, "log-info")                                                                                         \
    ROLE(LOG_WARN, "log-warn")                                                                                         \
    ROLE(LOG_ERROR, "log-error")                                                                                       \
    ROLE(LOG_MATCH, "log-match")                                                                                       \
    ROLE(DIALOG, "dialog")                                                                                             \
    ROLE(DIALOG_TITLE, "dialog-title")                                                                                 \
    ROLE(INPUT, "input")                                                                                               \
    ROLE(INPUT_BAD, "input-bad")                                                                                       \
    ROLE(BUTTON, "button")                                                                                             \
    ROLE(BUTTON_FOCUS, "button-focus")                                                                                 \
    ROLE(DANGER, "danger")

#define UI_ROLE_ENUM(name, text) ROLE_##name,
enum ui_role { UI_ROLES(UI_ROLE_ENUM) UI_ROLES_END };
#undef UI_ROLE_ENUM
