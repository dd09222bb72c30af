# SPDX-License-Identifier: GPL-2.0-or-later
"""The product's recipe by hand, step by step, so that each step can be looked at: what QEMU does, not what we do.

    recipe = Recipe(lab, guest, drives)
    recipe.add_targets(); qmp.cmd("stop"); recipe.freeze(); qmp.cmd("cont")
    recipe.start_jobs(); recipe.wait_jobs(); recipe.thaw()
"""
from .env import wait_for
from .nbd import Export, Store, Stream

BACKGROUND = [{"capability": "events", "state": True}, {"capability": "background-snapshot", "state": True}]


class Recipe:
    def __init__(self, lab, guest, run="0000002a"):
        self.lab, self.guest, self.qmp = lab, guest, guest.qmp
        self.run = run
        self.drives = [d for d in guest.drives if d.is_counted_on()]
        self.stores = [Store(d.size) for d in self.drives]
        self.filters, self.targets = [], []
        self.original = self._find()
        self.ram = None

    def name(self, kind, index):
        return f"vmb-{self.run}-{kind}-{index}"

    def _find(self):
        """(node-name, qdev) of each drive, from query-block as the product reads it."""
        found = []
        entries = self.qmp.cmd("query-block")
        for drive in self.drives:
            entry = next(e for e in entries if drive.name in (e["device"], *e.get("qdev", "").split("/")))
            found.append((entry["inserted"]["node-name"], entry["qdev"]))
        return found

    def connect(self, index, kind, export):
        """An NBD node."""
        name = self.name(kind, index)
        path = self.lab.path(name)
        export.listen(path)
        self.qmp.cmd("blockdev-add", {"driver": "nbd", "node-name": name, "export": export.name,
                                      "server": {"type": "unix", "path": path}})
        return export

    def add_target(self, index):
        return self.connect(index, "tgt", Export(self.stores[index], f"d{index}"))

    def add_targets(self):
        for index in range(len(self.drives)):
            self.filters.append(self.connect(index, "fl", Export(self.stores[index], f"f{index}")))
            self.targets.append(self.add_target(index))

    def freeze(self):
        """Call while stopped: from here on the guest's drives are kept as they are."""
        for index, (node, qdev) in enumerate(self.original):
            self.qmp.cmd("blockdev-add", {
                "driver": "copy-before-write", "node-name": self.name("cbw", index), "file": node,
                "target": self.name("fl", index), "on-cbw-error": "break-snapshot", "cbw-timeout": 10, "discard": "unmap"})
            self.qmp.cmd("qom-set", {"path": qdev, "property": "drive", "value": self.name("cbw", index)})
            self.qmp.cmd("blockdev-add", {"driver": "snapshot-access", "node-name": self.name("snap", index),
                                          "file": self.name("cbw", index)})

    def start_job(self, index, job=None, speed=0):
        self.qmp.cmd("blockdev-backup", {
            "job-id": job or self.name("job", index), "device": self.name("snap", index), "speed": speed,
            "target": self.name("tgt", index), "sync": "full", "auto-dismiss": False,
            "x-perf": {"max-workers": 64, "max-chunk": 65536}})

    def start_jobs(self, speed=0):
        for index in range(len(self.drives)):
            self.start_job(index, speed=speed)

    def wait_jobs(self):
        for index in range(len(self.drives)):
            error = self.qmp.wait_job(self.name("job", index))
            assert not error, f"{self.name('job', index)}: {error}"

    def thaw(self):
        """The filters go, live, in the order of the recipe."""
        for index, (node, qdev) in enumerate(self.original):
            self.qmp.cmd("blockdev-del", {"node-name": self.name("snap", index)})
            now = [e["inserted"]["node-name"] for e in self.qmp.cmd("query-block") if e.get("qdev") == qdev]
            if now == [self.name("cbw", index)]:
                self.qmp.cmd("qom-set", {"path": qdev, "property": "drive", "value": node})
            for kind in ("cbw", "fl", "tgt"):
                self.qmp.cmd("blockdev-del", {"node-name": self.name(kind, index)})

    # RAM -------------------------------------------------------------------------------------------------------

    def begin_ram(self, capabilities):
        self.ram = Stream(self.lab.path("vmstate.bin"))
        self.qmp.cmd("migrate-set-capabilities", {"capabilities": capabilities})
        self.qmp.getfd(f"vmb-{self.run}-ram", self.ram.fd())
        self.qmp.cmd("migrate", {"uri": f"fd:vmb-{self.run}-ram"})

    def end_ram(self, capabilities):
        wait_for(lambda: self.qmp.cmd("query-migrate").get("status") in ("completed", "failed"), 30, "the RAM")
        assert self.qmp.cmd("query-migrate")["status"] == "completed", self.qmp.cmd("query-migrate")
        assert self.ram.ended.wait(10), "the RAM stream does not end"
        off = [dict(c, state=False) for c in capabilities]
        self.qmp.cmd("migrate-set-capabilities", {"capabilities": off})

    def images(self):
        """{drive: file} of what has arrived; every drive must be whole."""
        files = {}
        for drive, store in zip(self.drives, self.stores):
            assert store.is_complete(), f"{drive.name}: {len(store.held)} clusters are all that came"
            files[drive.name] = self.lab.path(f"{drive.name}.arrived")
            with open(files[drive.name], "wb") as out:
                out.write(store.image)
        return files

    def names_left(self):
        names = [n["node-name"] for n in self.qmp.cmd("query-named-block-nodes")] + [
            j["id"] for j in self.qmp.cmd("query-jobs")]
        return [n for n in names if n.startswith(f"vmb-{self.run}")]
