# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the hosts of a molecule scenario (container: store file, vm: store lvm), for its protosystem of 4 GiB.

Tasks and seconds of each playbook, first and second run; seconds of a snapshot; seconds and bytes of publishing;
seconds from power-on to ssh of a client. Seconds of modules are those of an ad-hoc task as a user waits for it, less an
empty one's.
"""

from __future__ import annotations

import json
import re
import time
import typing as t

from .figures import CLONE, LAB, figure, run

FORMATS = {"container": "ram", "vm": "nfs"}
PLAYBOOKS = ("server", "protosystem", "publish")
NAME = "lab-desktop"


class Scenario:
    """The hosts of a molecule scenario."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inventory = str(CLONE / f"extensions/molecule/{name}/inventory")
        # what molecule itself sets, and the scenario's inventory reads
        self.env = {"MOLECULE_PROJECT_DIRECTORY": str(CLONE), "ANSIBLE_PIPELINING": "true"}

    def molecule(self, action: str) -> None:
        """Run a step of the scenario."""
        run("molecule", action, "-s", self.name)

    def playbook(self, name: str) -> tuple[int, int, float]:
        """Run a playbook of the collection: tasks that were run, changes, seconds."""
        began = time.monotonic()
        said = run("ansible-playbook", "-i", self.inventory, f"stateless.linux.{name}", env=self.env)
        seconds = time.monotonic() - began
        recap = re.findall(r"ok=(\d+) +changed=(\d+)", said)
        return sum(int(one[0]) for one in recap), sum(int(one[1]) for one in recap), seconds

    def module(self, name: str, **options: t.Any) -> tuple[dict[str, t.Any], float]:
        """Run a module on the server: its result, and seconds."""
        env = {
            **self.env,
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        }
        began = time.monotonic()
        said = run(
            "ansible", "server", "-i", self.inventory, "-m", name, "-a", json.dumps(options) if options else "", env=env
        )
        seconds = time.monotonic() - began
        return json.loads(said[said.index("{") :]), seconds

    def measure(self) -> None:
        """All figures of the scenario."""
        image_format = FORMATS[self.name]
        for which in ("first", "second"):
            for name in PLAYBOOKS:
                tasks, changed, seconds = self.playbook(name)
                figure(f"playbook {name}, {which} run", tasks=tasks, changed=changed, seconds=f"{seconds:.1f}")
        empty = min(self.module("ansible.builtin.ping")[1] for _time in range(3))
        figure("an empty task", seconds=f"{empty:.2f}")
        for label, options in (
            ("without digest", {"digest": False}),
            ("with digest", {}),
            ("nothing changed", {"always": False}),
        ):
            result, seconds = self.module(
                "stateless.linux.snapshot", **{"protosystem": NAME, "always": True, **options}
            )
            taken = result["snapshot"]
            figure(
                f"snapshot, {label}",
                seconds=f"{seconds - empty:.2f}",
                standstill=f"{result['seconds']:.3f}",
                size=taken["size"],
                used=taken["used"],
            )
        result, seconds = self.module(
            "stateless.linux.image", protosystem=NAME, serial=taken["serial"], formats=[image_format], channel="stable"
        )
        files = {name: file["size"] for name, file in result["image"]["files"].items()}
        figure(
            f"publish {image_format}",
            seconds=f"{seconds - empty:.2f}",
            bytes=sum(files.values()),
            files=" ".join(files),
        )
        boot = run(LAB, "client", self.name, "desk", "--mac", "52:54:00:aa:00:01", "--wait", "900")
        figure(f"client {image_format}, power-on to ssh", seconds=boot.split()[-1])


def measure(name: str) -> None:
    """Measure a scenario on hosts of its own."""
    scenario = Scenario(name)
    scenario.molecule("destroy")
    try:
        scenario.molecule("create")
        scenario.molecule("prepare")
        scenario.measure()
    finally:
        scenario.molecule("destroy")
