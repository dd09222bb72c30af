#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may include whom: the architecture, checked over every #include of src/.

Usage: check.py SOURCE_DIR. Prints each offence as file:line and exits 1 if there is one.
"""
import pathlib
import re
import sys

# A folder may include itself, base, and what stands here.
MAY_INCLUDE = {
    "base": set(),
    "guest": set(),
    "qmp": set(),
    "nbd": set(),
    "vhost": set(),
    "vma": set(),
    "sink": set(),
    "model": set(),
    "pacing": {"qmp"},
    "options": {"vma", "sink", "model"},
    "archive": {"options", "vma", "sink", "model"},
    "pull": {"archive", "pacing", "vhost", "vma"},
    "store": {"archive", "options", "vma", "sink", "model"},
    "write": {"archive", "options", "nbd", "vma", "sink"},
    "qemu": {"qmp", "model"},
    "rescue": {"qemu", "qmp"},
    "log": {"model"},
    "front": {"backup", "rescue", "options", "log", "model"},
    "backup": {"store", "log", "rescue", "qemu", "archive", "pull", "options", "pacing", "guest", "qmp", "nbd", "vhost", "vma", "sink", "model"},
    "ui": {"model"},
    "console": {"ui", "front", "backup", "options", "model"},
    "cli": {"store", "front", "backup", "log", "rescue", "qemu", "write", "archive", "options", "guest", "vma", "nbd", "sink", "model"},
}
# A library header and the only files (regular expressions over the path) that may see it.
LIBRARY_ONLY_IN = {
    r"uv\.h": r"^(\w+/\w+_uv\.[ch]|(archive|pull|store|write|log|front|rescue|backup|console|cli|sink)/.*)$",
    r"json-c/.*": r"^(qmp/.*|model/(json|replay)\w*\.c|rescue/journal\.c|store/snapshot_json\.c|backup/describe\.c|guest/keyvals\.c|cli/\w+\.c)$",
    r"(n?curses\w*|term|ncursesw/.*)\.h": r"^ui/term(_keys\.c|_inside\.h|\.c)$",
    r"libnbd\.h": r"^(nbd/(client|status_uv)\.[ch]|cli/.*)$",
    r"zstd.*\.h": r"^(sink/.*|store/chunk_pack\.c)$",
    r"lzo/.*": r"^sink/.*$",
    r"openssl/.*": r"^store/chunk_id\.c$",
    r"xxh(ash|_x86dispatch)\.h": r"^(vma/.*|sink/stored\.c)$",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def offences(src, path):
    relative = path.relative_to(src).as_posix()
    folder = relative.split("/")[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, target = match.groups()
        where = f"src/{relative}:{number}"
        if quote == '"':
            if "/" not in target:
                yield f'{where}: write "{folder}/{target}": includes name their folder'
                continue
            other = target.split("/")[0]
            if other not in {folder, "base"} | MAY_INCLUDE.get(folder, set()):
                yield f"{where}: {folder} must not include {other}"
        for library, allowed in LIBRARY_ONLY_IN.items():
            if quote == "<" and re.fullmatch(library, target) and not re.match(allowed, relative):
                yield f"{where}: <{target}> may only be included in {allowed}"


def main():
    src = pathlib.Path(sys.argv[1]) / "src"
    files = sorted(src.glob("*/*.[ch]"))
    if not files:
        sys.exit(f"no sources below {src}")
    unknown = {p.parent.name for p in files} - MAY_INCLUDE.keys()
    found = [f"src/{name}: a folder without a rule" for name in sorted(unknown)]
    for path in files:
        found += offences(src, path)
    print("\n".join(found) if found else f"{len(files)} files, every include allowed")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
