# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests are made of: guests, monitors, a meddling proxy, images whose every byte is known.

    with Lab("7.2") as lab:
        guest = lab.guest(standard_drives(lab))
        guest.wait_rounds(50)
        before = QemuState(guest.qmp)
        ...
"""
from .env import Skip, engine, main, of_push, older_than, option, product, qemu_versions, repo, wait_for
from .agent import Agent
from .asker import Asker, bound_s
from .days import Days
from .drives import Drive, standard_drives
from .guest import Guest
from .lab import Lab
from .noise import Noise
from .pattern import LAP, check_images
from .proxy import Proxy
from .qmp import Qmp, QmpError
from .run import Run
from .scenario import Scenario
from .store import Store
from .state import QemuState

__all__ = ["Agent", "Asker", "LAP", "Days", "Drive", "Guest", "Lab", "Noise", "Proxy", "QemuState", "Qmp", "QmpError", "Run", "Scenario", "Skip", "Store",
           "bound_s", "check_images", "engine", "main", "of_push", "older_than", "option", "product", "qemu_versions", "repo", "standard_drives", "wait_for"]
