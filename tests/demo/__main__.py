# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, for a newcomer to watch: make demo

A server (a container) gets a protosystem, publishes it, and a machine (QEMU) boots it from the network into memory;
the protosystem is changed by an ordinary playbook and published again, the machine boots the new one, and goes back.
KEEP=1 leaves it all running.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
LAB_COMMAND = HERE.parent / "lab/lab"
LAB = "demo"
CLIENT = "desk"
MAC = "52:54:00:de:30:01"
#: What a client answers: serial, kernel, root filesystem, whether it is read-only, state, message of the day.
QUESTIONS = r"""
sed -n 's/.*stateless\.serial=\([0-9]*\).*/\1/p' /proc/cmdline
uname -r
findmnt -no FSTYPE /
touch /etc/probe 2>/dev/null && echo writable || echo read-only
timeout 180 systemctl is-system-running --wait
cat /etc/motd
"""


class Failed(Exception):
    """A step did not work; the text says which."""


class Demo:
    """The story, and the table that it ends with."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.log = directory / "demo.log"
        self.began = time.monotonic()
        self.rows: list[tuple[str, ...]] = []

    def say(self, text: str) -> None:
        """One line with the minutes and seconds since the beginning."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"{minutes:3}:{seconds:02}  {text}", flush=True)

    def run(self, *argv: str, tell: t.Callable[[str], None] | None = None) -> str:
        """Run a program to its end; its output goes to the log, and to *tell* line by line. Returns the output."""
        said = []
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(argv)}\n")
            log.flush()
            with subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log if tell is None else subprocess.STDOUT,
                text=True,
            ) as process:
                assert process.stdout
                try:
                    for line in process.stdout:
                        log.write(line)
                        log.flush()
                        said.append(line)
                        if tell:
                            tell(line.rstrip())
                except BaseException:
                    process.terminate()
                    raise
        if process.returncode != 0:
            raise Failed(f"{' '.join(argv)} ended with status {process.returncode}")
        return "".join(said)

    def lab(self, *argv: str) -> str:
        """A command of the lab."""
        return self.run(str(LAB_COMMAND), *argv)

    def play(self, playbook: str, *options: str) -> None:
        """Run a playbook against the site, naming its tasks as it goes."""

        def tell(line: str) -> None:
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                self.say("   " + line[line.index("[") + 1 : line.rindex("]")].rpartition(" : ")[2])

        inventories = (f"--inventory={self.directory / 'lab.yml'}", f"--inventory={HERE / 'site/inventory.yml'}")
        self.run("ansible-playbook", *inventories, playbook, *options, tell=tell)

    def boot(self, what: str, *command: str) -> None:
        """Boot the client, ask it what it runs, and note that for the table."""
        self.say(f"   {what} (a few minutes where the processor has to be emulated)")
        seconds = self.lab(*command, "--wait", "900").split()[-1]
        self.say("   it answers; asking what it runs")
        answers = self.lab("ssh", LAB, CLIENT, QUESTIONS).splitlines()
        if len(answers) < 6 or answers[3] != "read-only" or answers[4] != "running":
            raise Failed(f"{CLIENT} is not as it should be: {answers}")
        serial, kernel, filesystem, writable, _state, *motd = answers
        self.say(f"   {CLIENT} runs serial {serial} and greets with: {' '.join(motd)}")
        row = ("lab-desktop", serial, "stable", CLIENT, kernel, f"{filesystem} in memory, {writable}", seconds)
        self.rows.append(row)

    def expect(self, *serials: str) -> None:
        """The serials that the client booted must have been these."""
        found = tuple(row[1] for row in self.rows)
        if found != serials:
            raise Failed(f"{CLIENT} booted the serials {', '.join(found)}, not {', '.join(serials)}")

    def tell(self) -> None:
        """The whole story."""
        self.say("Starting the server, a container on a network of its own")
        self.lab("up", LAB, "--server", "container")
        (self.directory / "lab.yml").write_text(self.lab("inventory", LAB), encoding="utf-8")
        self.say("Making it a server: web server, DHCP, TFTP, iPXE")
        self.play("stateless.linux.server")
        self.say("Making the protosystem lab-desktop: a Debian that clients can boot")
        self.play("stateless.linux.protosystem")
        self.play(str(HERE / "site/greeting.yml"), "--extra-vars", "greeting='This is the first edition.'")
        self.say("Publishing it: snapshot 1, in the channel stable")
        self.play("stateless.linux.publish")
        self.say("Switching on a machine that has no disk")
        self.boot("it boots from the network", "client", LAB, CLIENT, "--mac", MAC)
        self.say("Changing the protosystem with an ordinary playbook, and publishing it: snapshot 2")
        self.play(str(HERE / "site/greeting.yml"), "--extra-vars", "greeting='This is the second edition.'")
        self.play("stateless.linux.publish")
        self.boot("the machine reboots", "reboot", LAB, CLIENT)
        self.say("Going back to snapshot 1")
        self.play("stateless.linux.rollback")
        self.boot("the machine reboots", "reboot", LAB, CLIENT)
        self.expect("1", "2", "1")

    def table(self) -> str:
        """What was booted, one line a boot."""
        titles = ("PROTOSYSTEM", "SERIAL", "CHANNEL", "CLIENT", "KERNEL", "ROOT", "SECONDS TO BOOT")
        widths = [max(len(row[column]) for row in (titles, *self.rows)) for column in range(len(titles))]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (titles, *self.rows))


def interrupted(_number: int, _frame: t.Any) -> None:
    """SIGTERM ends the demo as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    """Tell the story and clean up; returns the exit status."""
    signal.signal(signal.SIGTERM, interrupted)
    keep = os.environ.get("KEEP", "") not in ("", "0")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="stateless-demo-"))
    demo = Demo(directory)
    status = 1
    try:
        # what an earlier demo left running
        demo.lab("down", LAB)
        demo.tell()
        print(f"\n{demo.table()}\n")
        status = 0
    except Failed as failure:
        print(f"\nThe demo failed: {failure}\nThe last lines of {demo.log}:", file=sys.stderr)
        print("\n".join(demo.log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        status = 130
    finally:
        if keep:
            print(f"Still running. Log in:   tests/lab/lab ssh {LAB} {CLIENT}   or   tests/lab/lab ssh {LAB} server")
            print(f"End it:                  tests/lab/lab down {LAB}")
        else:
            subprocess.run([LAB_COMMAND, "down", LAB], stderr=subprocess.DEVNULL, check=False)
    if status == 0:
        print("Next: make demo KEEP=1 and log in to what it made; README.md has the same on a server of your own,")
        print(f"in one page. What the playbooks said is in {demo.log}.")
    return status


if __name__ == "__main__":
    sys.exit(main())
