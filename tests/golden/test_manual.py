#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual knows every command and option that --help knows, and no other; what it shows as a configuration is one."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(os.environ.get("VMABACKUP_BUILD", "build/dev"))
docs = pathlib.Path(__file__).resolve().parents[2] / "docs"
EVERYWHERE = {"help", "version"}


def help_of(*command):
    return subprocess.run([build / command[0], *command[1:], "--help"], capture_output=True, text=True, check=True).stdout


def options(text):
    return set(re.findall(r"--([a-z][a-z-]*[a-z])", text)) - EVERYWHERE


def page(name):
    """Its text, without what only nroff reads."""
    text = (docs / name).read_text(encoding="utf-8").replace("\\-", "-")
    return re.sub(r"\\f[BIR]", "", text)


def must_agree(name, told, known):
    assert not told - known, f"{name} tells of --{', --'.join(sorted(told - known))}, which does not exist"
    assert not known - told, f"{name} does not tell of --{', --'.join(sorted(known - told))}"


def check_pages():
    words = re.findall(r"^  ([a-z]+) {3,}", help_of("vmabackup"), re.M)
    assert len(words) > 10, words
    text, known = page("vmabackup.1"), set()
    for word in words:
        assert re.search(rf"\b{word}\b", text), f"vmabackup.1 does not tell of {word}"
        known |= options(help_of("vmabackup", word))
    tui = options(help_of("vmabackup-tui"))
    # Either page may name an option of the other program.
    must_agree("vmabackup.1", options(text) - (tui - known), known)
    must_agree("vmabackup-tui.1", options(page("vmabackup-tui.1")), tui)


def check_configuration():
    """The one in the documentation is taken as it stands."""
    shown = re.search(r"```ini\n(\[screen\].*?)```", (docs / "console.md").read_text(encoding="utf-8"), re.S).group(1)
    with tempfile.TemporaryDirectory(prefix="vmt-") as folder:
        path = pathlib.Path(folder, "vmabackup/config")
        path.parent.mkdir()
        for text, status in ((shown, 0), (shown + "nosuch=x\n", 2), ("[screen]\nnosuch=x\n", 2)):
            path.write_text(text, encoding="utf-8")
            done = subprocess.run([build / "vmabackup-tui", "--plain", "--replay", "/dev/null"], capture_output=True,
                                  env=dict(os.environ, XDG_CONFIG_HOME=folder), text=True, check=False)
            assert done.returncode == status, done
    known = re.search(r"there are (.*)", done.stderr).group(1)
    for key in re.split(", | and ", known):
        assert f"\n{key}=" in shown, f"console.md does not tell of {key}="


if __name__ == "__main__":
    check_pages()
    check_configuration()
    print("ok")
    sys.exit(0)
