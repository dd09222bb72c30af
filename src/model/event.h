// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What has just happened: the engine emits these, both headless front ends print them (with the model
 * beside for the figures), the console only redraws. Plain values; names as in the JSON output ("ev").
 */
#include "model/model.h"

enum model_event_type {
    MODEL_EV_HELLO,    /* first of all */
    MODEL_EV_GUEST,    /* connected, or the guest's run state changed */
    MODEL_EV_PLAN,     /* what will be saved, and whereto */
    MODEL_EV_PHASE,    /* model.phase changed */
    MODEL_EV_DRIVE,    /* a row changed its state (drive) */
    MODEL_EV_PROGRESS, /* at most once per second; the front end thins out */
    MODEL_EV_IMPACT,   /* how the guest fares: model.impact; at most once per second */
    MODEL_EV_LIMIT,    /* drive (-1 = all), old_value, new_value, text = by whom */
    MODEL_EV_LOG,      /* level, text, hint: any other fact; errors and warnings too */
    MODEL_EV_NOTE,     /* text: for the screen's log only; plain lines tell it from the event that comes with it */
    MODEL_EV_REPLY,    /* to a command: id, ok, text */
    MODEL_EV_RESULT,   /* last of all: model.exit_status, outcome, next */
};
struct model_event {
    enum model_event_type type;
    int drive; /* index into model.drives, -1 = none or all */
    uint64_t old_value, new_value;
    enum model_level level;
    const char *text; /* borrowed, may be NULL */
    const char *hint; /* what to do next, may be NULL */
    int64_t id;       /* of the command a REPLY answers, -1 = none */
    bool ok;
};
