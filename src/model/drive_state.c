// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/drive_state.h"

#define BIT(s) (1u << DRIVE_##s)

/* However far its job has come, it can end in each of these ways. */
#define ENDS                                                                                                           \
    (BIT(SAVED_LEAVING) | BIT(STARVED) | BIT(RETRYING) | BIT(STANDING) | BIT(FAILED_LEAVING) | BIT(BROKEN_LEAVING))
/* Between two jobs nothing can be saved. */
#define GIVEN_UP (BIT(FAILED_LEAVING) | BIT(BROKEN_LEAVING) | BIT(CANCELLED_LEAVING))
#define WORKS    (DRIVE_MAY_CANCEL | DRIVE_MAY_PAUSE)

static const struct {
    const char *name;
    enum model_state shown;
    unsigned is, may;
    unsigned next; /* states, a bit each */
} table[DRIVE_STATES] = {
    [DRIVE_WAITING] = {"waiting", MODEL_WAIT, 0, DRIVE_MAY_PAUSE, BIT(COPYING) | ENDS},
    [DRIVE_COPYING] = {"copying", MODEL_RUN, 0, WORKS, ENDS | BIT(CANCELLED_LEAVING)},
    [DRIVE_STARVED] = {"starved", MODEL_RUN, 0, WORKS, BIT(RESTARTING) | GIVEN_UP},
    [DRIVE_RETRYING] = {"retrying", MODEL_RETRY, 0, WORKS, BIT(RESTARTING) | GIVEN_UP},
    [DRIVE_RESTARTING] = {"restarting", MODEL_RUN, 0, WORKS, BIT(COPYING) | BIT(STANDING) | GIVEN_UP},
    [DRIVE_STANDING] = {"standing", MODEL_FAIL, DRIVE_IS_OVER, WORKS | DRIVE_MAY_RETRY,
                        BIT(RETRYING) | BIT(FAILED_LEAVING) | BIT(CANCELLED_LEAVING)},
    [DRIVE_SAVED_LEAVING] = {"saved, leaving", MODEL_OK, DRIVE_IS_SAVED | DRIVE_IS_LEAVING, 0, BIT(SAVED)},
    [DRIVE_SAVED] = {"saved", MODEL_OK, DRIVE_IS_SAVED | DRIVE_IS_OVER, 0, 0},
    [DRIVE_FAILED_LEAVING] = {"failed, leaving", MODEL_FAIL, DRIVE_IS_OUT | DRIVE_IS_LEAVING, DRIVE_MAY_RETRY,
                              BIT(FAILED) | BIT(BROKEN_LEAVING)},
    [DRIVE_FAILED] = {"failed", MODEL_FAIL, DRIVE_IS_OUT | DRIVE_IS_OVER, DRIVE_MAY_RETRY, BIT(BROKEN)},
    [DRIVE_CANCELLED_LEAVING] = {"cancelled, leaving", MODEL_CANCELLED, DRIVE_IS_OUT | DRIVE_IS_LEAVING,
                                 DRIVE_MAY_RETRY, BIT(CANCELLED) | BIT(BROKEN_LEAVING)},
    [DRIVE_CANCELLED] = {"cancelled", MODEL_CANCELLED, DRIVE_IS_OUT | DRIVE_IS_OVER, DRIVE_MAY_RETRY, BIT(BROKEN)},
    [DRIVE_BROKEN_LEAVING] = {"broken, leaving", MODEL_RETRY, DRIVE_IS_OUT | DRIVE_IS_LEAVING, WORKS,
                              BIT(BROKEN) | BIT(CANCELLED_LEAVING) | BIT(FAILED_LEAVING)},
    [DRIVE_BROKEN] = {"broken", MODEL_RETRY, DRIVE_IS_OUT, WORKS, BIT(RETAKING) | BIT(CANCELLED)},
    [DRIVE_RETAKING] = {"retaking", MODEL_RETRY, DRIVE_IS_RETAKEN, DRIVE_MAY_PAUSE,
                        BIT(COPYING) | BIT(RETAKE_LEAVING) | BIT(FAILED_LEAVING) | BIT(BROKEN_LEAVING)},
    [DRIVE_RETAKE_LEAVING] = {"retake, leaving", MODEL_RETRY, DRIVE_IS_OUT | DRIVE_IS_RETAKEN, DRIVE_MAY_PAUSE,
                              BIT(FAILED_LEAVING) | BIT(BROKEN_LEAVING)},
};

const char *drive_state_name(enum drive_state s)
{
    return table[s].name;
}

enum model_state drive_state_shown(enum drive_state s)
{
    return table[s].shown;
}

bool drive_state_moves(enum drive_state from, enum drive_state to)
{
    return table[from].next & (1u << to);
}

bool drive_state_may(enum drive_state s, enum drive_may verb)
{
    return table[s].may & verb;
}

bool drive_shown_may(enum model_state shown, bool stands, enum drive_may verb)
{
    unsigned may = 0;

    if (shown == MODEL_PAUSE) /* by whatever reason, it is no state of its own */
        shown = MODEL_RUN;
    for (unsigned s = 0; s < DRIVE_STATES; s++)
        if (table[s].shown == shown && stands == (s == DRIVE_STANDING))
            may |= table[s].may;
    return may & verb;
}

bool drive_state_is(enum drive_state s, unsigned what)
{
    return table[s].is & what;
}

/* Each stands right before what it becomes. */
enum drive_state drive_state_left(enum drive_state leaving)
{
    return drive_state_is(leaving, DRIVE_IS_LEAVING) ? leaving + 1 : leaving;
}
