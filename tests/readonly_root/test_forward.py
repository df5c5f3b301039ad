# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that moves forward: over generated trees, and killed anywhere."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import TREES, Dir, File, Node, always_directory, build, changed, directory, see

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.boot import carry
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.boot.log import Log

ROOT = "/r"
BESIDE = ".stateless-new"
KILLED = 9
#: What a run does to files: it is killed before one of these.
ACTS = ("rename", "unlink", "rmdir", "mkdir", "chown", "utime", "open")


def expected(base: Node | None, image: Node | None, client: Node | None) -> tuple[Node | None, dict[str, Node]]:
    """What becomes of one path, and what is laid beside it or beside what is in it, by the path whose it is."""
    if base == image:
        return client, {}
    if isinstance(image, Dir) and isinstance(client, Dir):
        mode = client.mode
        if isinstance(base, Dir) and base.mode == client.mode:
            mode = image.mode
        return _inside(base if isinstance(base, Dir) else Dir(), image, client, mode)
    laid: dict[str, Node] = {} if image is None else {"": image}
    if isinstance(client, Dir):
        if not isinstance(base, Dir):
            return client, laid
        rest, deeper = _inside(base, Dir(), client, client.mode)
        if not rest.inside and base.mode == client.mode:
            return image, {}
        return rest, {**deeper, **laid}
    if isinstance(image, Dir):
        return (image, {}) if base == client else (client, laid)
    if client in (image, base):
        return image, {}
    return client, laid


def _inside(base: Dir, image: Dir, client: Dir, mode: int) -> tuple[Dir, dict[str, Node]]:
    inside: dict[str, Node | None] = {}
    laid: dict[str, Node] = {}
    for name in base.names() | image.names() | client.names():
        inside[name], beside = expected(base.get(name), image.get(name), client.get(name))
        laid.update({f"/{name}{path}": node for path, node in beside.items()})
    return directory(inside, mode), laid


class Quiet(Log):
    """Remembers, and says nothing."""

    def _say(self, stream: t.TextIO, level: int, text: str) -> None:
        """Nobody reads it."""


class Place:
    """A state and an image, in a directory of their own."""

    def __init__(self, path: str) -> None:
        self.image = f"{path}/image"
        self.state = f"{path}/state"
        os.mkdir(self.image)
        os.mkdir(self.state)

    def put(self, where: str, node: Node | None) -> None:
        """Make *node* what is kept, or the image has."""
        if os.path.isdir(where + ROOT) and not os.path.islink(where + ROOT):
            shutil.rmtree(where + ROOT)
        elif os.path.lexists(where + ROOT):
            os.unlink(where + ROOT)
        build(where + ROOT, node)

    def bring(self, identity: str, spare: t.Collection[str] = ()) -> list[str]:
        """Serve a boot with the image *identity*; return the problems."""
        log = Quiet()
        carry.Carrier(self.state, log, self.image).bring([ROOT], spare, identity)
        return log.problems

    def kept(self) -> Node | None:
        """What the client has."""
        return see(self.state + ROOT)

    def image_merged(self) -> str:
        """The identity of the image that was merged last."""
        with open(f"{self.state}/.stateless/report.json", encoding="utf-8") as stream:
            return str(json.load(stream)["image"])

    def conflicts(self) -> dict[str, str]:
        """Where the image's version is, by path."""
        with open(f"{self.state}/.stateless/report.json", encoding="utf-8") as stream:
            return {found["path"]: found["beside"] for found in json.load(stream)["conflicts"]}


@contextlib.contextmanager
def place() -> t.Iterator[Place]:
    """A :class:`Place` in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield Place(path)


def killed(work: t.Callable[[], object], at: int) -> bool:
    """Do *work* in a process that is killed before its act number *at*; whether it was."""
    child = os.fork()
    if child == 0:
        count = 0

        def before(act: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def counted(*arguments: t.Any, **options: t.Any) -> t.Any:
                nonlocal count
                if count == at:
                    os._exit(KILLED)
                count += 1
                return act(*arguments, **options)

            return counted

        status = 1
        try:
            for name in ACTS:
                setattr(os, name, before(getattr(os, name)))
            carry.run = before(carry.run)
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED)
    return status == KILLED


def without(node: Node | None, laid: t.Collection[str], at: str = "") -> Node | None:
    """*node* without the paths *laid*."""
    if not isinstance(node, Dir):
        return node
    inside = {name: without(inner, laid, f"{at}/{name}") for name, inner in node.inside if f"{at}/{name}" not in laid}
    return directory(inside, node.mode)


@settings(max_examples=200)
@given(data=st.data())
def test_each_path_becomes_what_the_three_versions_say(data: st.DataObject) -> None:
    first = data.draw(TREES, label="first image")
    second = always_directory(data.draw(changed(first), label="second image"))
    client = always_directory(data.draw(changed(first), label="client"))
    with place() as here:
        here.put(here.image, first)
        assert here.bring("1") == []
        assert here.kept() == first
        here.put(here.state, client)
        here.put(here.image, second)
        assert here.bring("2") == []
        want, laid = expected(first, second, client)
        beside = {path: here.conflicts()[ROOT + path] for path in laid}
        assert {path: see(name) for path, name in beside.items()} == laid
        for path, name in beside.items():
            assert name.startswith(here.state + ROOT + path + BESIDE)
        names = [name[len(here.state + ROOT) :] for name in beside.values()]
        assert without(here.kept(), names) == want
        # The same image again changes nothing; nor does it with everything compared.
        seen = here.kept()
        assert here.bring("2") == []
        assert here.kept() == seen
        assert here.bring("2, again") == []
        assert here.kept() == seen


@settings(max_examples=150)
@given(data=st.data())
def test_killed_anywhere_the_next_boot_comes_to_the_same(data: st.DataObject) -> None:
    first = data.draw(TREES, label="first image")
    second = always_directory(data.draw(changed(first), label="second image"))
    client = always_directory(data.draw(changed(first), label="client"))
    at = data.draw(st.integers(0, 60), label="killed at")
    third = data.draw(st.booleans(), label="and another image then")
    with place() as straight, place() as broken:
        for here in (straight, broken):
            here.put(here.image, first)
            if here is broken:
                killed(lambda: broken.bring("1"), at)
            assert here.bring("1") == []
            assert here.kept() == first
            here.put(here.state, client)
            here.put(here.image, second)
        straight.bring("2")
        killed(lambda: broken.bring("2"), at)
        if third:
            # The plan that was begun is finished without the image that it was made for.
            straight.put(straight.image, first)
            broken.put(broken.image, first)
            resumed = os.path.exists(f"{broken.state}/.stateless/journal.json")
            done = broken.image_merged() == "2"
            broken.bring("3")
            if resumed or done:
                straight.bring("3")
            else:
                # Nothing was touched: the second image never came.
                return
        else:
            broken.bring("2")
        assert broken.kept() == straight.kept()
        relative = {path: name.replace(straight.state, "") for path, name in straight.conflicts().items()}
        assert {path: name.replace(broken.state, "") for path, name in broken.conflicts().items()} == relative
        assert sorted(os.listdir(f"{broken.state}/.stateless")) == ["baseline.json", "new", "report.json"]
        assert os.listdir(f"{broken.state}/.stateless/new") == []


@pytest.mark.parametrize("mine", [File("mine"), File("two"), None, directory({"mine": File("mine")})])
def test_a_plan_that_the_client_has_overtaken_takes_nothing_from_it(
    mine: Node | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails in the middle, the machine runs on, and the next boot finds the plan."""

    def fail(*_arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    names = {name: File("one") for name in ("taken", "removed")}
    with place() as here:
        here.put(here.image, directory({**names, "same": File("one")}))
        assert here.bring("1") == []
        here.put(here.image, directory({"taken": File("two"), "same": File("one")}))
        with monkeypatch.context() as patch:
            patch.setattr(carry.Carrier, "_do", fail)
            with pytest.raises(OSError, match="Input/output"):
                here.bring("2")
        assert here.kept() == directory({**names, "same": File("one")})
        here.put(here.state, directory({"taken": mine, "removed": mine, "same": File("one")}))
        assert here.bring("2") == []
        want = {"taken": mine, "removed": mine, "same": File("one")}
        laid = {f"taken{BESIDE}": File("two")}
        assert here.kept() == directory({**want, **laid})
        assert here.conflicts() == {f"{ROOT}/taken": f"{here.state}{ROOT}/taken{BESIDE}"}


@settings(max_examples=40)
@given(data=st.data())
def test_hard_links_of_an_image_come_along(data: st.DataObject) -> None:
    """Files that the image has once, under several names, are one file in the state, too."""
    names = data.draw(st.lists(st.sampled_from("abcef"), min_size=2, unique=True))
    with place() as here:
        here.put(here.image, directory({"d": Dir()}))
        here.bring("1")
        build(f"{here.image}{ROOT}/{names[0]}", File("one"))
        for name in names[1:]:
            where = data.draw(st.sampled_from(["", "/d"]))
            os.link(f"{here.image}{ROOT}/{names[0]}", f"{here.image}{ROOT}{where}/{name}")
        assert here.bring("2") == []
        assert os.stat(f"{here.state}{ROOT}/{names[0]}").st_nlink == len(names)
