# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine as the command ``stateless`` finds it: its files, below a directory."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

from ansible_collections.stateless.linux.plugins.module_utils._boot.arguments import client_argument
from ansible_collections.stateless.linux.plugins.module_utils._client import command
from ansible_collections.stateless.linux.plugins.module_utils._client.files import COMMAND
from ansible_collections.stateless.linux.plugins.module_utils._client.places import Places

DIGEST = "sha256:" + "0a" * 32
OTHER = "sha256:" + "0b" * 32
#: The Python that runs the command on a client: the system's, which has python-ldap. (-I is added.)
SYSTEM = "/usr/bin/python3"
_CODE = """
import sys
program, root, *arguments = sys.argv[1:]
sys.path.insert(0, program)
from stateless._client.command import run
from stateless._client.places import Places
code = run(arguments, Places(root))
assert not [name for name in sys.modules if name.startswith("ansible")]
sys.stdout.flush()
import os
os._exit(code)
"""


class Machine:
    """A machine that runs an image."""

    def __init__(self, place: pathlib.Path) -> None:
        self.root = place / "root"
        self.program = place / "stateless"
        self.places = Places(str(self.root), {})
        # As on a machine, which others than root use, too.
        self.root.mkdir(mode=0o755, parents=True)
        self.file("/proc/stat", "cpu 1 2\nbtime 1763884800\nprocesses 3\n")
        self.file("/sys/class/net/eth0/address", "52:54:00:00:00:01\n")
        self.file("/sys/class/net/lo/address", "00:00:00:00:00:00\n")
        self.boots()

    def file(self, path: str, text: str, mode: int = 0o644) -> pathlib.Path:
        made = self.root / path.lstrip("/")
        for parent in reversed(made.parents):
            if not parent.exists():
                parent.mkdir(mode=0o755)
        made.write_text(text)
        made.chmod(mode)
        return made

    def boots(self, serial: int = 1, digest: str | None = DIGEST, name: str | None = "pc1", more: str = "") -> None:
        said = ["BOOT_IMAGE=vmlinuz quiet ro stateless.protosystem=desk", f"stateless.serial={serial}"]
        said += ["stateless.format=ram", f"stateless.digest={digest}" if digest else ""]
        self.file("/proc/cmdline", " ".join([*said, client_argument(name) if name is not None else "", more]) + "\n")

    def settings(self, **said: t.Any) -> None:
        self.file("/etc/stateless/client.json", json.dumps(said))

    def password(self, text: str) -> None:
        self.file("/etc/credstore/stateless.password", text, 0o600)

    def run(self, *arguments: str) -> int:
        """In this process."""
        return command.run(arguments, self.places)

    def start(self, *arguments: str, before: t.Sequence[str] = (), **how: t.Any) -> subprocess.CompletedProcess[str]:
        """The program as it is installed, by the system's Python; *before* is put before its command line."""
        if not self.program.exists():
            self.program.write_bytes(COMMAND.packed)
            self.program.chmod(0o755)
        line = [*before, SYSTEM, "-I", "-c", _CODE, str(self.program), str(self.root), *arguments]
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.run(
            line, capture_output=True, text=True, timeout=300, check=False, env=environment, encoding="utf-8", **how
        )


def status(machine: Machine, capsys: t.Any) -> tuple[int, dict[str, t.Any], str]:
    """Exit status, JSON and text of ``stateless status``."""
    code = machine.run("status", "--json")
    value = json.loads(capsys.readouterr().out)
    assert machine.run("status") == code
    return code, value, capsys.readouterr().out
