# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the power of a caching client at random moments of an update, and of the boot that is to be found healthy.

Each time it has to boot a root that is whole: the one from before or the new one, every block of it as published. And
the update that is run next has to succeed. Ends with 1 if anything was wrong.

    python3 cuts.py LAB NAME CUTS SERIAL,SERIAL,... [OPTION ...]

NAME is a client of LAB that runs a good root; it goes from one of the serials to the next, all of which boot. With more
of them than a client keeps besides, each has to be fetched. OPTION is what the lab's command ``client`` needs to power
it on again. STATELESS_SEED repeats a run's random numbers.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import time
import typing as t

LAB = str(pathlib.Path(__file__).resolve().parents[4] / "tests/lab/lab")
#: seconds that an update takes, until one was measured, and that a boot takes to be judged after it answers
UPDATE, JUDGED = 40.0, 25.0


class Client:
    """The machine."""

    def __init__(self, lab: str, name: str, options: list[str]) -> None:
        self.lab = lab
        self.name = name
        self.options = options

    def command(self, text: str) -> list[str]:
        return [LAB, "ssh", self.lab, self.name, text]

    def ask(self, text: str, *, fails: bool = False) -> str:
        """Run a command there, and return what it says; *fails*: its status does not matter."""
        done = subprocess.run(self.command(text), stdout=subprocess.PIPE, text=True, check=not fails)
        return done.stdout.strip()

    def cut(self) -> None:
        subprocess.run([LAB, "off", self.lab, self.name], check=True, stderr=subprocess.DEVNULL)

    def boot(self) -> None:
        argv = [LAB, "client", self.lab, self.name, *self.options, "--wait", "1200"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def runs(self) -> int:
        return int(self.ask("sed -n 's/.* stateless.serial=\\([0-9]*\\) .* stateless.entry=.*/\\1/p' /proc/cmdline"))

    def judged(self) -> dict[str, t.Any]:
        """What is on its disk, once this boot was judged."""
        self.ask("timeout 600 systemctl is-system-running --wait", fails=True)
        found: dict[str, t.Any] = json.loads(self.ask("stateless status --json", fails=True))["disk"]
        return found


def main() -> int:
    lab, name, cuts, serials, *options = sys.argv[1:]
    seed = int(os.environ.get("STATELESS_SEED") or random.randrange(10**6))
    chance = random.Random(seed)
    client = Client(lab, name, options)
    following = itertools.cycle(int(one) for one in serials.split(","))
    first = chance.randrange(2)
    print(f"seed {seed}", flush=True)
    span = UPDATE
    wrong: list[str] = []
    runs = client.runs()
    for number in range(int(cuts)):
        before = runs
        target = next(serial for serial in following if serial != before)
        update = f"stateless update --serial {target} --again --json"
        if number % 2 == first:
            what = "update"
            moment = chance.uniform(0, span)
            with subprocess.Popen(
                client.command(update), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as begun:
                time.sleep(moment)
                client.cut()
                begun.kill()
        else:
            what = "judging"
            begin = time.monotonic()
            client.ask(update)
            span = time.monotonic() - begin
            client.cut()
            client.boot()
            moment = chance.uniform(0, JUDGED)
            time.sleep(moment)
            client.cut()
        client.boot()
        runs = client.runs()
        disk = client.judged()
        own = next(root for root in disk["roots"] if root["runs"])
        checked = json.loads(client.ask("stateless verify --json", fails=True))
        after = json.loads(client.ask(update, fails=True) or "{}")
        differing = checked["differing"]
        said = f"{what} {before} to {target}, cut after {moment:.1f} s: "
        said += f"runs {runs}, {own['state']}, {differing} blocks differ"
        print(f"{number + 1}: {said}; then {after}", flush=True)
        if (
            runs not in (before, target)
            or own["state"] != "good"
            or checked["differing"]
            or after.get("serial") != target
        ):
            wrong.append(said)
    print("\n".join(["wrong:", *wrong] if wrong else [f"{cuts} cuts, and a whole root each time"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
