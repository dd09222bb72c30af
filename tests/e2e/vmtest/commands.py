# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command of a run, so that something can be done at each of them in turn.

    for command, nth in commands_of_a_good_run(s, options):
        ... proxy.hold(command, nth) ...

The list is that of a run that went well, so a new step of the recipe is covered by itself.
"""
import collections
import os

# Asking again and again: these come any number of times, one of each is enough.
QUERIES = {"query-jobs", "query-block-jobs", "query-migrate", "query-status", "query-block", "query-named-block-nodes",
           "query-blockstats"}


def _positions(proxy):
    """(command, nth) of everything that was sent."""
    count = collections.Counter()
    for name in proxy.names():
        count[name] += 1
        if name not in QUERIES or count[name] == 1:
            yield name, count[name]


def commands_of_a_good_run(s, options):
    proxy = s.add_proxy()
    run = s.backup(*options)
    run.must_succeed()
    proxy.close()
    os.unlink(s.archive)
    # That a descriptor cannot be closed means that it is not there.
    return [p for p in _positions(proxy) if p[0] not in ("qmp_capabilities", "closefd")]
