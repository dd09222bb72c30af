#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--agent: the guest's file systems are frozen while its instant is taken, and thawed on every path."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from vmtest import Agent, Run, Scenario, main, product, standard_drives, wait_for

FREEZE, THAW = "guest-fsfreeze-freeze", "guest-fsfreeze-thaw"
DRIVES = {"count": 1, "with_odd_ones": False}


class Frozen(Scenario):
    """A guest with a scripted agent; keeps what the agent's state was when commands came by at the monitor."""

    def __init__(self, version, **agent):
        super().__init__(version, drives=standard_drives(**DRIVES))
        self.agent = Agent(self.path("agent"), **agent)
        self.at_end(self.agent.close)
        self.seen = []
        proxy = self.add_proxy()
        for command in ("stop", "qom-set", "cont"):
            proxy.watch(command, then=lambda c=command: self.seen.append((c, self.agent.is_frozen)))
        self.agent.on_command = lambda c: c == THAW and self.seen.append((THAW, "cont" in proxy.names()))

    def backup(self, *arguments, **options):
        return super().backup("--agent", self.agent.path, *arguments, **options)

    def said(self, run):
        return " ".join(e.get("text") or "" for e in run.events)


def frozen_at_the_instant(version):
    """Whoever spoke with the agent before us, and however slow it is: frozen from before the stop until after the cont."""
    product()
    for agent in ({"first": b'urn": 7}\n\xff{"return": 99}\n{"return": 1}\n'}, {"delay": 0.3},
                  {"when_asked": {FREEZE: Agent.HANG_UP}}):
        with Frozen(version, **agent) as s:
            run = s.backup("--no-vmstate")
            lost = agent.get("when_asked")  # the answer comes all the same, then the connection goes
            s.must_be_saved(run)
            assert s.seen == [("stop", True), ("qom-set", True), ("cont", True), (THAW, True)] + s.seen[4:], s.seen
            assert not s.agent.is_frozen and s.agent.clients == (2 if lost else 1), s.agent.clients
            assert "were frozen for" in s.said(run), run.report()
            s.must_be_untouched(rounds=0)


def failed_freeze(version):
    """No agent, one that refuses, has nothing to freeze, talks rubbish, is frozen by others: crash-consistent, 3, and thawed if
    a freeze was asked for. --strict: 1."""
    product()
    error = b'{"error": {"class": "GenericError", "desc": "failed to freeze /mnt"}}\n'
    for agent, asked in (({"when_asked": {FREEZE: error}}, [FREEZE, THAW]),
                         ({"when_asked": {FREEZE: b'{"return": 0}\n'}}, [FREEZE, THAW]),
                         ({"when_asked": {FREEZE: b"\0\1{]"}}, [FREEZE, THAW]),
                         ({"is_frozen": True}, [])):
        with Frozen(version, **agent) as s:
            for options, status in ((["--no-vmstate", "--strict"], 1), (["--no-vmstate"], 3)):
                s.agent._odd = dict(agent.get("when_asked", {}))
                s.agent.asked.clear()
                run = s.backup(*options)
                if status == 1:
                    s.must_have_failed(run, status)
                else:
                    s.must_be_saved(run, status)
                assert s.agent.asked == ["guest-fsfreeze-status"] + asked, s.agent.asked
                assert s.agent.is_frozen == agent.get("is_frozen", False)
                assert "are not frozen" in s.said(run), run.report()
            s.must_be_untouched(rounds=0)
    with Frozen(version) as s:
        run = Scenario.backup(s, "--no-vmstate", "--agent", s.path("nobody"))
        s.must_be_saved(run, 3)
        assert "nobody: no such socket" in s.said(run), run.report()


def unanswered_freeze(version):
    """An agent that hangs in the freeze finds the thaw behind it; the backup goes on without, and says so: 3."""
    product()
    with Frozen(version, when_asked={FREEZE: Agent.SILENCE}) as s:
        run = s.backup("--no-vmstate")
        s.must_be_saved(run, 3)
        assert not s.agent.is_frozen and s.agent.asked[-1] == THAW
        assert "no answer to guest-fsfreeze-freeze" in s.said(run), run.report()
        s.must_be_untouched(rounds=0)


def unanswered_thaw(version):
    """It is asked for again while the copy goes on; that the guest may have stood frozen for long is said: 3."""
    product()
    with Frozen(version, when_asked={THAW: Agent.SILENCE}) as s:
        run = s.backup("--no-vmstate", "--limit", "1M")
        run.wait_event(level="info", text="guest's file systems are thawed")
        assert "does not answer the thaw" in s.said(run) and s.agent.asked.count(THAW) == 2, run.report()
        run.say("limit all 0")
        s.must_be_saved(run, 3)
        assert "file systems may have been frozen too long" in s.said(run), run.report()


def instant_held_up(version):
    """Whatever holds the instant up, the guest is thawed after ten seconds; then the freeze counts as failed."""
    product()
    with Frozen(version) as s:
        hold = s.proxy.hold("stop")
        run = s.backup("--no-vmstate")
        hold.wait(20)
        assert s.agent.is_frozen
        wait_for(lambda: not s.agent.is_frozen, 15, "the thaw")
        hold.release()
        s.must_be_saved(run, 3)
        s.must_be_untouched(rounds=0)


def ended_while_frozen(version):
    """A signal, a lost monitor, kill -9: thawed; after kill -9 by cleanup."""
    product()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with Frozen(version) as s:
            hold = s.proxy.hold("stop" if number == signal.SIGTERM else "cont")
            run = s.backup("--no-vmstate")
            hold.wait(20)
            assert s.agent.is_frozen
            run.signal(number)
            if number == signal.SIGTERM:
                hold.release()
                s.must_have_failed(run, 143)
            else:
                run.wait()
                hold.release()
                assert s.agent.is_frozen
                cleanup = Run(["cleanup", s.proxy.path], env=s.env)
                assert cleanup.wait(30) == 0, cleanup.report()
                assert "thaw the guest's file systems" in "".join(cleanup.lines), cleanup.report()
            assert not s.agent.is_frozen
            s.must_be_untouched(rounds=0)


def not_while_paused(version):
    """A guest that does not run could not answer the thaw: it is not frozen, and the run says so: 3."""
    product()
    with Frozen(version) as s:
        s.vm.qmp.cmd("stop")
        s.take_note()
        run = s.backup("--no-vmstate")
        s.must_be_saved(run, 3)
        assert s.agent.asked == [], s.agent.asked
        s.must_be_untouched(rounds=0)


def with_ram(version):
    """A background snapshot holds a frozen guest, and that is said; a plain migration is not taken frozen: 3."""
    product()
    with Frozen(version) as s:
        run = s.backup()
        status = run.wait()
        is_background = "background" in run.find(ev="plan")["recipe"] and "no background" not in s.said(run)
        if is_background:
            assert status == 0 and "comes up frozen" in s.said(run), run.report()
            assert s.agent.asked[-1] == THAW and not s.agent.is_frozen
        else:
            assert status == 3 and "are not frozen" in s.said(run), run.report()
            assert s.agent.asked == []
        s.must_be_exact(s.archive)
        s.must_be_untouched(rounds=0)


if __name__ == "__main__":
    main(frozen_at_the_instant, failed_freeze, unanswered_thaw, ended_while_frozen, not_while_paused, with_ram,
         slow=(unanswered_freeze, instant_held_up))
