# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab remembers: /run/stateless-lab/LAB, and the cache that outlives labs and checkouts."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import time
import typing as t

from .process import LabError, Process, say

#: One directory per lab that is up.
STATE = pathlib.Path("/run/stateless-lab")
#: Base images, the key pair, the package cache; and the disks of running hosts, which /run is too small for.
CACHE = pathlib.Path(os.environ.get("STATELESS_CACHE") or "/var/cache/stateless") / "lab"
HERE = pathlib.Path(__file__).resolve().parent

RELEASES = ("bookworm", "trixie")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")


def check_name(what: str, name: str) -> str:
    """Return *name* if it can be part of a path, a network namespace and a host name."""
    if not _NAME.fullmatch(name):
        raise LabError(f"{what}: {name!r} cannot be used: a lower-case letter, then up to 23 of a-z 0-9 -")
    return name


@contextlib.contextmanager
def lock(path: pathlib.Path, what: str, timeout: float = 1800) -> t.Iterator[None]:
    """Hold an exclusive flock(2); wait up to *timeout* seconds, saying so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    told = False
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"waiting for another run that {what}")
                told = True
                if time.monotonic() > deadline:
                    raise LabError(f"another run that {what} holds {path} for {timeout:.0f} seconds") from None
                time.sleep(0.2)
        yield


def write(path: pathlib.Path, text: str) -> None:
    """Replace a file in one step."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)


@dataclasses.dataclass
class Host:
    """A test host, and where its things are."""

    lab: str
    name: str
    kind: str  #: container, vm or client
    index: int  #: 0 the server, then the clients; names its network device
    mac: str
    address: str = ""  #: of a client: where it answered last; "" before
    memory: int = 1024  #: MiB
    release: str = ""
    base: str = ""  #: the cached base it stands on
    disks: list[str] = dataclasses.field(default_factory=list)  #: sizes
    uefi: bool = False
    icount: bool = False  #: its clock counts instructions
    disk_first: bool = False  #: before the network
    powered: float = 0.0  #: time.time() of the last power-on or reset
    boot_seconds: float = 0.0  #: from then to ssh, as measured last

    @property
    def dir(self) -> pathlib.Path:
        return STATE / self.lab / "hosts" / self.name

    @property
    def disk_dir(self) -> pathlib.Path:
        return CACHE / "run" / self.lab / self.name

    @property
    def console(self) -> pathlib.Path:
        return self.dir / "console.log"

    @property
    def log(self) -> pathlib.Path:
        """What the program that runs it (nspawn, QEMU) has to say."""
        return self.console if self.kind == "container" else self.dir / "qemu.log"

    @property
    def record(self) -> pathlib.Path:
        return self.dir / "process"

    @property
    def process(self) -> Process | None:
        return Process.read(self.record)

    @property
    def running(self) -> bool:
        process = self.process
        return bool(process and process.alive)

    @classmethod
    def read(cls, path: pathlib.Path) -> Host:
        """What :meth:`save` wrote, in another clone maybe, whose hosts have more to them."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in json.loads(path.read_text()).items() if name in known})

    def save(self) -> None:
        self.dir.mkdir(parents=True, exist_ok=True)
        write(self.dir / "host.json", json.dumps(dataclasses.asdict(self)))


@dataclasses.dataclass
class Lab:
    """A lab that is up, or was begun."""

    name: str
    number: int

    @property
    def dir(self) -> pathlib.Path:
        return STATE / self.name

    @property
    def netns(self) -> str:
        return f"stateless-{self.name}"

    @property
    def link(self) -> str:
        """The host's own end of the network."""
        return f"lab{self.number}"

    @property
    def subnet(self) -> str:
        return f"10.77.{self.number}.0/24"

    def address(self, last: int) -> str:
        return f"10.77.{self.number}.{last}"

    def mac(self, index: int) -> str:
        return f"52:54:00:77:{self.number:02x}:{index:02x}"

    def hosts(self) -> list[Host]:
        """Every host, the server first."""
        found = [Host.read(path) for path in self.dir.glob("hosts/*/host.json")]
        return sorted(found, key=lambda host: host.index)

    def host(self, name: str) -> Host:
        for host in self.hosts():
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts()) or "none"
        raise LabError(f"lab {self.name} has no host {name!r}; it has: {known}")

    def lock(self) -> contextlib.AbstractContextManager[None]:
        return lock(STATE / ".locks" / self.name, f"changes the lab {self.name}")


def all_labs() -> list[Lab]:
    """Every lab that is up or was begun."""
    return [Lab(**json.loads(path.read_text())) for path in sorted(STATE.glob("*/lab.json"))]


def find(name: str) -> Lab | None:
    """The lab of that name, if it is up or was begun."""
    for lab in all_labs():
        if lab.name == check_name("LAB", name):
            return lab
    return None


def get(name: str) -> Lab:
    """The lab of that name; an error if there is none."""
    lab = find(name)
    if lab is None:
        raise LabError(f"there is no lab {name!r}: start it with: lab up {name}")
    return lab


def claim(name: str) -> Lab:
    """Make a lab's directory and give it the first free network. The caller holds the lock of all labs."""
    taken = {lab.number for lab in all_labs()}
    taken |= {int(p.name[3:]) for p in pathlib.Path("/sys/class/net").glob("lab*") if p.name[3:].isdigit()}
    free = next((number for number in range(1, 255) if number not in taken), None)
    if free is None:
        raise LabError("all 254 networks 10.77.N.0/24 are taken: see lab status")
    lab = Lab(name, free)
    lab.dir.mkdir(parents=True, exist_ok=True)
    write(lab.dir / "lab.json", json.dumps(dataclasses.asdict(lab)))
    return lab


def forget(lab: Lab) -> None:
    """Remove what a lab had on disk; the file that says there is a lab goes last."""
    shutil.rmtree(CACHE / "run" / lab.name, ignore_errors=True)
    shutil.rmtree(lab.dir / "hosts", ignore_errors=True)
    shutil.rmtree(lab.dir, ignore_errors=True)


def global_lock() -> contextlib.AbstractContextManager[None]:
    """The lock for what labs share: network numbers and the package proxy."""
    return lock(STATE / ".locks" / ".all", "starts or ends a lab")
