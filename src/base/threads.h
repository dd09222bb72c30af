// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* How libuv's pool of threads is shared out: its size is UV_THREADPOOL_SIZE, set before the loop's first use of it. */

/* So many extents wait, each in a thread of the pool, for a worker that is done: that need not wait for the loop. */
#define THREADS_AHEAD 3
/* For the sink, the spool, the log, questions to file systems; and those that wait until others have compressed. */
#define THREADS_OTHER (5 + THREADS_AHEAD)
