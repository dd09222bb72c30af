# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU whose drives are copied: the tests' own, with the guest standing still, or counting and timing its writes."""
import os
import pathlib

from vmtest import env, guest as counting
from vmtest.drives import Drive, build_guest
from vmtest.qmp import QmpError

from . import data

BIOS_KNOWS = 16  # drives
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Guest:
    """.drives, .qmp, .monitor; .times collects, by way, how long the guest's writes took."""

    def __init__(self, qemu, folder, kind, n_drives, size, is_writing):
        os.environ["VMABACKUP_QEMU_PATH"] = qemu[0]
        self.version, = env.qemu_versions()
        self.folder, self.is_writing = folder, is_writing
        each = size // n_drives // data.MIB * data.MIB
        self.drives = [Drive(f"disk{n}", path=f"{folder}/disk{n}.raw", size=each, is_idle=n >= BIOS_KNOWS)
                       for n in range(n_drives)]
        boot = build_guest(folder, min(n_drives, BIOS_KNOWS)) if is_writing else b""
        for n, drive in enumerate(self.drives):
            data.make_image(drive.path, kind, drive.size, b"" if n else boot)
        self._guest = counting.Guest(self.version, folder, self.drives,
                                     extra=[*qemu[1:], *([] if is_writing else ["-S"])])
        self.qmp, self.monitor = self._guest.qmp, self._guest.monitor
        self.qmp.timeout = 60
        if is_writing:
            self._guest.wait_rounds(100)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._guest.stop()

    def names(self):
        return [drive.name for drive in self.drives]

    def node_names(self):
        nodes = {row["device"]: row["inserted"]["node-name"] for row in self.qmp.cmd("query-block") if "inserted" in row}
        return [nodes[name] for name in self.names()]

    def has_command(self, name):
        return any(row["name"] == name for row in self.qmp.cmd("query-commands"))

    def cpu_s(self):
        """Of all threads, those that have ended too."""
        fields = pathlib.Path(f"/proc/{self._guest.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def round_now(self):
        return self._guest.round_now() if self.is_writing else 0

    def write_times(self, since):
        return self._guest.write_times(since) if self.is_writing else []

    def forget_events(self):
        """Those of other ways' jobs, too: an answer comes behind all that happened before."""
        self.qmp.cmd("query-status")
        self.qmp.events.clear()

    def wait_jobs(self, n):
        """For so many block jobs to end well."""
        for _ in range(n):
            event = self.qmp.wait_event("BLOCK_JOB_COMPLETED", 600)
            if "error" in event["data"]:
                raise QmpError("block job", {"desc": event["data"]["error"]})
