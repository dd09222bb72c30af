# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal one can type into and read: a tmux of the test's own.

    with Terminal([product("vmabackup-tui"), monitor], width=80, height=24, env=…) as t:
        t.wait("B begins")              # until it stands on the screen
        t.type("B")
        t.wait(r"done +scsi0")
"""
import os
import re
import shlex
import shutil
import subprocess

from .env import Skip, wait_for


class Terminal:
    def __init__(self, command, width=80, height=24, env=None):
        if not shutil.which("tmux"):
            raise Skip("no tmux here")
        self.server = f"vmt-{os.getpid()}-{id(self):x}"
        full = {k: v for k, v in os.environ.items() if k != "TMUX"}
        self.env = dict(full, LC_ALL="C.UTF-8", TERM="xterm-256color", **(env or {}))
        # The shell stays when the command has ended: what it leaves on the screen can be read.
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                   f"before=$(stty -g); {shlex.join(map(str, command))}; echo status=$?; "
                   "test \"$(stty -g)\" = $before && echo as it was; exec cat")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lose()

    def lose(self):
        """As when the network goes: nobody is at the other end any more."""
        subprocess.run(["tmux", "-L", self.server, "kill-server"], env=self.env, capture_output=True, check=False)

    def _tmux(self, *arguments):
        return subprocess.run(["tmux", "-L", self.server, *arguments], env=self.env, capture_output=True, text=True,
                              check=True).stdout

    def screen(self):
        return self._tmux("capture-pane", "-p")

    def type(self, *keys):
        """Text as it stands, or a name: Enter, Escape, Up, Down, Space, BSpace, C-u."""
        for key in keys:
            is_name = re.fullmatch(r"Enter|Escape|Up|Down|Left|Right|Space|BSpace|C-\w", key)
            self._tmux("send-keys", *([key] if is_name else ["-l", key]))

    def fill(self, text):
        """Into the field of a dialog that has just opened, and is deaf at first."""
        def is_filled():
            self._tmux("send-keys", "C-u")
            self._tmux("send-keys", "-l", text)
            try:
                return wait_for(lambda: re.search(r"\[ " + re.escape(text) + r" *[\]…]", self.screen()), 0.5, text)
            except AssertionError:
                return None
        wait_for(is_filled, 10, f"'{text}' in the field")

    def wait_and_type(self, key, pattern, seconds=10):
        """Types until it has its effect: a dialog is deaf at first."""
        def has_effect():
            self.type(key)
            try:
                return self.wait(pattern, 1)
            except AssertionError:
                return None
        try:
            wait_for(has_effect, seconds, f"{key} to give /{pattern}/")
        except AssertionError as reason:
            raise AssertionError(f"{reason} on the screen:\n{self.screen()}") from None

    def resize(self, width, height):
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait(self, pattern, seconds=20):
        """Until the pattern stands on the screen; returns the screen."""
        seen = ""

        def is_there():
            nonlocal seen
            seen = self.screen()
            return re.search(pattern, seen)
        try:
            wait_for(is_there, seconds, f"/{pattern}/", step=0.1)
        except AssertionError as reason:
            raise AssertionError(f"{reason} on the screen:\n{seen}") from None
        return seen

    def must_end(self, status, seconds=20):
        """With this exit status, and the terminal's settings are those from before; returns the screen."""
        return self.wait(rf"status={status}\nas it was", seconds)
