# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that publishes, with a real directory beside; runs that fail or are killed wherever something is changed."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._blocks import keys
from ansible_collections.stateless.linux.plugins.module_utils._directory import published
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, Session, connect
from ansible_collections.stateless.linux.plugins.module_utils._image import (
    build,
    channels,
    manifest,
    ram,
    state,
    withdraw,
)
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.plugins.module_utils._server import Server
from ansible_collections.stateless.linux.plugins.module_utils._snapshot import manifest as snapshots
from ansible_collections.stateless.linux.plugins.module_utils._snapshot.manifest import Snapshot
from ansible_collections.stateless.linux.tests.unit.blocks.world import block
from ansible_collections.stateless.linux.tests.unit.directory.served import TREE, Directory
from ansible_collections.stateless.linux.tests.unit.image.laid import a_server, a_tree, put_on_record

#: What changes files, as audit events (docs.python.org, "Audit events table"); ``directory`` is this module's own.
_EFFECTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "tempfile.mkstemp", "directory")
_CHANGES = ("add", "modify", "delete")


class _Effects:
    """Counts what changes something, and has one of these not happen."""

    def __init__(self) -> None:
        self.seen = 0
        #: what happens instead of each; None: nothing is counted
        self.instead: t.Callable[[int], None] | None = None

    def hook(self, event: str, arguments: t.Any) -> None:
        if self.instead is None or event not in _EFFECTS or (event == "os.mkdir" and os.path.isdir(arguments[0])):
            return
        self.seen += 1
        self.instead(self.seen)

    @contextlib.contextmanager
    def watched(self, instead: t.Callable[[int], None]) -> t.Iterator[None]:
        self.seen, self.instead = 0, instead
        try:
            yield
        finally:
            self.instead = None


EFFECTS = _Effects()
sys.addaudithook(EFFECTS.hook)


def killed(at: int, work: t.Callable[[], object]) -> bool:
    """Do *work* in a process that is killed instead of its change number *at*; return whether it came so far.

    Changes of the directory count if :func:`audit` was called.
    """

    def instead(seen: int) -> None:
        if seen == at:
            os._exit(9)

    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), EFFECTS.watched(instead):
            work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


class Site:
    """A server with snapshots of kiosk, whose runs say in the directory what they publish."""

    def __init__(self, directory: Directory, place: pathlib.Path) -> None:
        self.directory = directory
        self.place = place
        self.server: Server = a_server(place)
        for serial in range(1, 5):
            put_on_record(self.server, serial)
            names = [f"boot/{name}-6.1.{serial}" for name in ("vmlinuz", "initrd.img")]
            a_tree(self.place / "trees" / str(serial), *names, "etc/motd")
            volume = pathlib.Path(self.server.root, "volumes", f"kiosk.{serial}.img")
            volume.parent.mkdir(parents=True, exist_ok=True)
            volume.write_bytes(b"".join(map(block, (1, serial, 30 + serial, 0, 20))))
        keys.state(self.server, ["first"], check=False)

    def login(self) -> Login:
        return self.directory.login("publishers", "paul")

    def follower(self, login: Login | None = None) -> published.Directory:
        return published.Directory(lambda: connect(login or self.login()), TREE)

    def publish(
        self,
        serial: int,
        channel: str | None = None,
        check: bool = False,
        formats: t.Sequence[str] = ("ram",),
        **more: t.Any,
    ) -> Outcome:
        wanted = state.Wanted(serial, formats, channel, **more)
        return state.present(self.server, "kiosk", wanted, check, self.follower())

    def point(self, serial: int, channel: str | None = None) -> Outcome:
        return state.present(self.server, "kiosk", state.Wanted(serial, channel=channel), False, self.follower())

    def withdraw(self, serial: int | None, channel: str | None = None, **more: t.Any) -> Outcome:
        options = {"force": False, "check": False, **more}
        return withdraw.absent(self.server, "kiosk", serial, channel, **options, follower=self.follower())

    # -- what there is

    def files(self) -> dict[str, bytes]:
        """All that clients find, by path."""
        www = pathlib.Path(self.server.www)
        return {str(path.relative_to(www)): path.read_bytes() for path in www.rglob("*") if path.is_file()}

    def entries(self) -> dict[str, dict[str, list[bytes]]]:
        """All that the directory says of kiosk."""
        return self.directory.dump(TREE.protosystem("kiosk"))

    def both(self) -> tuple[dict[str, bytes], dict[str, dict[str, list[bytes]]]]:
        return self.files(), self.entries()

    def check_equal(self) -> None:
        """Fail unless files and directory say the same, written down here with nothing of the library's own reading."""
        expected: dict[str, dict[str, list[bytes]]] = {}
        images = pathlib.Path(self.server.image("kiosk", 1)).parent
        for path in sorted(images.glob("[1-9]*/manifest.json")):
            image = json.loads(path.read_text())
            serial = str(image["serial"])
            made = image["created"].replace("-", "").replace(":", "")[:15].replace("T", "") + "Z"
            expected[f"statelessSerial={serial},cn=kiosk,ou=protosystems,o=stateless"] = {
                "objectclass": [b"statelessSnapshot"],
                "statelessserial": [serial.encode()],
                "statelessdigest": [image["digest"].encode()],
                "statelesscreated": [b"20261123000000Z"],
                "statelesskernel": [image["kernel"].encode()],
            }
            for name in image["formats"]:
                dn = f"statelessFormat={name},statelessSerial={serial},cn=kiosk,ou=protosystems,o=stateless"
                expected[dn] = {
                    "objectclass": [b"statelessImage"],
                    "statelessformat": [name.encode()],
                    "statelesscreated": [made.encode()],
                }
        for path in sorted(images.glob("channels/*.ipxe")):
            (line,) = [one for one in path.read_text().splitlines() if one.startswith("set stateless-serial ")]
            expected[f"cn={path.stem},cn=kiosk,ou=protosystems,o=stateless"] = {
                "objectclass": [b"statelessChannel"],
                "cn": [path.stem.encode()],
                "statelessserial": [line.split()[-1].encode()],
            }
        found = self.entries()
        top = found.pop("cn=kiosk,ou=protosystems,o=stateless")
        assert top["statelessdefaultchannel"] == [b"stable"]
        assert found == expected

    def keep(self) -> None:
        """Remember what is published now, for :meth:`restore`."""
        shutil.copytree(self.server.www, self.place / "kept")
        if os.path.isdir(self.server.blocks_records("kiosk")):
            shutil.copytree(self.server.blocks_records("kiosk"), self.place / "kept-records")

    def restore(self) -> None:
        """Have published what was when :meth:`keep` was called, in files, and so in the directory."""
        shutil.rmtree(self.server.www)
        shutil.copytree(self.place / "kept", self.server.www)
        if os.path.isdir(self.place / "kept-records"):
            shutil.rmtree(self.server.blocks_records("kiosk"))
            shutil.copytree(self.place / "kept-records", self.server.blocks_records("kiosk"))
        self.directory.clear()
        self.point(1)

    # -- runs that do not come to their end

    def count(self, work: t.Callable[[Site], object]) -> int:
        """How many times *work* changes something."""
        with EFFECTS.watched(lambda seen: None):
            work(self)
        return EFFECTS.seen

    def fail(self, at: int, work: t.Callable[[Site], object], how: t.Callable[[], None] | None = None) -> None:
        """Do *work*, of which the change number *at* fails.

        :arg how: what happens then; without it, it is an error of input and output.
        """

        def instead(seen: int) -> None:
            if seen == at:
                EFFECTS.instead = None
                if how is None:
                    raise OSError(5, "Input/output error")
                how()

        with EFFECTS.watched(instead):
            work(self)

    def kill(self, at: int, work: t.Callable[[Site], object]) -> bool:
        """See :func:`killed`."""
        return killed(at, lambda: work(self))

    def rest(self) -> list[str]:
        """What killed runs have left."""
        return [name for name in self.files() if "/." in name]

    def pointers(self) -> dict[str, int]:
        return channels.channels(self.server, "kiosk")

    def serials(self) -> list[int]:
        return manifest.serials(self.server, "kiosk")


def _audited(name: str) -> t.Callable[..., None]:
    plain = getattr(Session, name)

    def method(self: Session, dn: str, *more: t.Any) -> None:
        # Asking whether it may be written is no change.
        changes = "may this identity" not in repr(more)
        if changes:
            sys.audit("directory")
        plain(self, dn, *more)
        if changes:
            sys.audit("directory")

    return method


def audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what changes the directory count twice: before it is done, and after."""
    for name in _CHANGES:
        monkeypatch.setattr(Session, name, _audited(name))


@pytest.fixture
def site(directory: Directory, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose snapshots are directories: volumes and mounts are molecule's. All else is real."""
    return laid(directory, tmp_path, monkeypatch)


def laid(directory: Directory, place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """See :func:`site`."""
    made = Site(directory, place)

    @contextlib.contextmanager
    def view(_server: Server, snapshot: Snapshot) -> t.Iterator[str]:
        yield str(made.place / "trees" / str(snapshot.serial))

    def squash(_server: Server, snapshot: Snapshot, settings: t.Mapping[str, t.Any], output: str) -> None:
        tree = str(made.place / "trees" / str(snapshot.serial))
        subprocess.run(ram.command(settings, tree, output), check=True, capture_output=True)

    monkeypatch.setattr(snapshots, "view_snapshot", view)
    monkeypatch.setattr(build, "view_snapshot", view)
    monkeypatch.setattr(ram, "build", squash)
    monkeypatch.setattr(ram.Ram, "check", lambda self: None)
    # Who is killed loses nothing that was written: only a machine without power does, which cannot be tried here.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    audit(monkeypatch)
    return made
