# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module readonly_root by its library: what it writes, that it writes it once, and what a kill leaves."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import fstab as fstab_
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import unit
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.info import information
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.layout import layout
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.reader import reader
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.state import apply, prepare
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.wanted import Wanted, wanted

Make = t.Callable[[t.Mapping[str, t.Any]], pathlib.Path]

IMAGE: dict[str, str | None] = {
    "usr/bin/python3": "",
    "etc/fstab": "# mine\nLABEL=root / ext4 rw,noatime 0 1\n",
    "etc/machine-id": "",
    "etc/ssh/key": "",
    "var/log/x": "",
    "var/my dir/": None,
    "var/lib/ntp/": None,
    "srv/link": "->/var/log",
}
STORAGE: dict[str, t.Any] = dict.fromkeys(["mount_point", "size", "options", "label", "source", "filesystem", "export"])


def scratch(path: str, keep: str = "nothing") -> dict[str, str]:
    return {"path": path, "keep": keep}


def store(kind: str, **options: t.Any) -> dict[str, t.Any]:
    return {**STORAGE, "type": kind, **options}


def want(root: pathlib.Path | str, **options: t.Any) -> Wanted:
    keys = [
        "enabled",
        "temporary_state",
        "slave_mounts",
        "scratch_storage",
        "state_storage",
        "name",
        "scratch",
        "state",
    ]
    return wanted({**dict.fromkeys(keys), "list_state": "present", "root": str(root), **options})


def full(root: pathlib.Path) -> Wanted:
    return want(
        root,
        enabled=True,
        scratch_storage=store("tmpfs", size="1g", options=["nodev"]),
        state_storage=store("label", label="state"),
        name="site",
        scratch=[scratch("/var/log", "everything"), scratch("/var/lib/ntp")],
        state=["/etc/machine-id", {"path": "/etc/ssh", "forward": False}],
    )


def snapshot(root: pathlib.Path) -> dict[str, t.Any]:
    """Everything in *root*: contents, modes, links, times."""
    found: dict[str, t.Any] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (content, status.st_mode, status.st_mtime_ns)
    return found


def text(root: pathlib.Path, name: str) -> str:
    return (root / name).read_text()


def test_writes_everything_once(make: Make) -> None:
    root = make(IMAGE)
    outcome = apply(full(root), False)
    assert outcome.plan.changed
    assert not outcome.warnings
    settings = text(root, "etc/sysconfig/readonly-root").splitlines()
    for line in ("READONLY=yes", "RW_LABEL=", "RW_OPTIONS='-o size=1g,nodev'", "STATE_LABEL=state", "CLIENTSTATE="):
        assert line in settings
    assert text(root, "etc/rwtab.d/site").splitlines()[1:] == ["files /var/log", "empty /var/lib/ntp"]
    assert text(root, "etc/statetab.d/site").splitlines()[1:] == ["/etc/machine-id", "/etc/ssh"]
    assert text(root, "etc/stateless/statetab-once.d/site").splitlines()[1:] == ["/etc/ssh"]
    assert fstab_.of(text(root, "etc/fstab"), "/")[0].options == ("ro", "noatime")
    assert (root / "var/lib/stateless/writable").is_dir()
    assert (root / "var/lib/stateless/state").is_dir()
    assert os.access(root / "usr/libexec/stateless/readonly-root", os.X_OK)
    assert text(root, f"etc/systemd/system/{unit.NAME}") == unit.TEXT
    assert reader(Tree(str(root))).enabled
    assert [bind["path"] for bind in outcome.result["plan"]] == [
        "/var/log",
        "/var/lib/ntp",
        "/etc/machine-id",
        "/etc/ssh",
    ]
    entries = information(str(root))["entries"]
    assert [(entry["path"], entry["forward"]) for entry in entries] == [
        ("/var/log", None),
        ("/var/lib/ntp", None),
        ("/etc/machine-id", False),
        ("/etc/ssh", False),
    ]
    before = snapshot(root)
    again = apply(full(root), False)
    assert not again.plan.changed
    assert again.result == outcome.result
    assert again.plan.before == again.plan.after == {}
    assert snapshot(root) == before


def test_check_mode_writes_nothing_and_says_the_same(make: Make) -> None:
    root = make(IMAGE)
    before = snapshot(root)
    checked = apply(full(root), True)
    assert snapshot(root) == before
    done = apply(full(root), False)
    assert [step.text for step in checked.plan.steps] == [step.text for step in done.plan.steps]
    assert checked.result == done.result
    assert (checked.plan.before, checked.plan.after) == (done.plan.before, done.plan.after)


def test_diff_has_old_and_new(make: Make) -> None:
    plan = prepare(full(make({**IMAGE, "etc/rwtab.d/site": "empty /var/log"}))).plan
    assert plan.before["/etc/rwtab.d/site"] == ["empty /var/log (no newline)"]
    assert plan.after["/etc/rwtab.d/site"] == ["files /var/log", "empty /var/lib/ntp"]
    assert plan.before["/etc/statetab.d/site"] is None
    assert plan.after["/usr/libexec/stateless/readonly-root"].startswith("sha256:")


def test_what_is_not_mentioned_stays(make: Make) -> None:
    foreign = "# by hand\nFOREIGN=1\nTEMPORARY_STATE=true\nREADONLY=true # for now\n"
    root = make({**IMAGE, "etc/sysconfig/readonly-root": foreign, "etc/rwtab.d/other": "empty /srv\n"})
    apply(want(root, enabled=True), False)
    assert text(root, "etc/sysconfig/readonly-root") == (
        "# by hand\nFOREIGN=1\nTEMPORARY_STATE=true\nREADONLY=yes\n"
        "RW_MOUNT=/var/lib/stateless/writable\nSTATE_MOUNT=/var/lib/stateless/state\n"
    )
    assert text(root, "etc/rwtab.d/other") == "empty /srv\n"


def test_lists_alone_need_no_settings(make: Make) -> None:
    root = make(IMAGE)
    apply(want(root, name="site", scratch=[scratch("/var/log")]), False)
    assert text(root, "etc/rwtab.d/site").endswith("empty /var/log\n")
    for name in ("etc/sysconfig/readonly-root", "etc/statetab.d/site", "usr/libexec"):
        assert not (root / name).exists()
    assert text(root, "etc/fstab") == IMAGE["etc/fstab"]


def test_comments_and_modes_of_a_list_stay(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab.d/site": "# why\nempty /gone\n\n# and this\nempty /var/log"})
    (root / "etc/rwtab.d/site").chmod(0o600)
    os.chown(root / "etc/rwtab.d/site", 12, 34)
    apply(want(root, name="site", scratch=[scratch("/var/lib/ntp"), scratch("/var/log")]), False)
    assert text(root, "etc/rwtab.d/site") == "# why\n\n# and this\nempty /var/log\nempty /var/lib/ntp\n"
    there = (root / "etc/rwtab.d/site").stat()
    assert (there.st_mode & 0o777, there.st_uid, there.st_gid) == (0o600, 12, 34)


def test_off_again_leaves_what_was_there(make: Make) -> None:
    root = make(IMAGE)
    before = {name: found[0] for name, found in snapshot(root).items()}
    apply(full(root), False)
    apply(want(root, enabled=False, name="site", list_state="absent"), False)
    left = {name: found[0] for name, found in snapshot(root).items() if (root / name).is_file()}
    assert "READONLY=no\n" in text(root, "etc/sysconfig/readonly-root")
    del left["etc/sysconfig/readonly-root"]
    assert left == {name: content for name, content in before.items() if (root / name).is_file()}
    assert not reader(Tree(str(root))).enabled
    assert not apply(want(root, enabled=False, name="site", list_state="absent"), False).plan.changed


def test_upstream_service_is_used_where_it_is(make: Make) -> None:
    script = {"usr/libexec/readonly-root": "READONLY", "usr/lib/systemd/system/readonly-root.service": "[Unit]"}
    root = make({**IMAGE, **script, "usr/libexec/stateless/readonly-root": "old"})
    apply(want(root, enabled=True), False)
    link = root / "etc/systemd/system/local-fs.target.wants/readonly-root.service"
    assert os.readlink(link) == "/usr/lib/systemd/system/readonly-root.service"
    assert not (root / "usr/libexec/stateless/readonly-root").exists()
    assert not apply(want(root, enabled=True), False).plan.changed
    apply(want(root, enabled=False), False)
    assert link.is_symlink()


def test_entries_of_fstab(make: Make) -> None:
    root = make(IMAGE)
    options = {"state_storage": store("fstab", source="LABEL=keep", filesystem="ext4", options=["noatime"])}
    apply(want(root, **options), False)
    assert "LABEL=keep /var/lib/stateless/state ext4 noatime,noauto 0 0\n" in text(root, "etc/fstab")
    assert not apply(want(root, **options), False).plan.changed
    apply(want(root, state_storage=store("fstab", source="LABEL=keep", mount_point="/keep")), False)
    assert [mount.where for mount in fstab_.parse(text(root, "etc/fstab"))] == ["/", "/keep"]
    apply(want(root, state_storage=store("none")), False)
    assert text(root, "etc/fstab") == IMAGE["etc/fstab"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"root": "relative"}, "root: .*absolute"),
        ({"root": "/a/../b"}, "root: "),
        ({"root": "/not/there"}, "no such directory"),
        ({"scratch": []}, "name: None"),
        ({"list_state": "absent"}, "name: None"),
        ({"name": "a/b"}, "name: 'a/b'"),
        ({"name": ".x"}, "name: "),
        ({"name": "x.rpmsave"}, "end with .rpmsave are ignored"),
        ({"name": "x~"}, "name: "),
        ({"name": "x.dpkg-old"}, "end with .dpkg-old"),
        ({"name": "x", "scratch": [scratch("var")]}, "scratch: 'var'.*absolute"),
        ({"name": "x", "scratch": [scratch("/a/../../b")]}, r"scratch: .*\.\."),
        ({"name": "x", "scratch": [scratch("/a\nfiles /")]}, "scratch: .*newline"),
        ({"name": "x", "scratch": [scratch("/a\0b")]}, "scratch: .*NUL"),
        ({"name": "x", "scratch": [scratch("/a ")]}, "scratch: .*space"),
        ({"name": "x", "scratch": [scratch("//.")]}, "scratch: .*root"),
        ({"name": "x", "scratch": [scratch("/a"), scratch("/a/", "everything")]}, "scratch: '/a'.*twice"),
        ({"name": "x", "state": [1]}, "state: 1"),
        ({"name": "x", "state": [{"path": "/a", "keep": "x"}]}, "state: "),
        ({"name": "x", "state": [{"path": "/a", "forward": "maybe"}]}, "forward is true or false"),
        ({"name": "x", "state": ["/a"], "list_state": "absent"}, "list_state: "),
        ({"scratch_storage": store("label")}, "scratch_storage.label: None"),
        ({"scratch_storage": store("label", label="x" * 17)}, "scratch_storage.label: .*16"),
        ({"scratch_storage": store("label", label="a b")}, "scratch_storage.label"),
        ({"scratch_storage": store("tmpfs", label="x")}, "does not go with the type tmpfs"),
        ({"scratch_storage": store("tmpfs", size="1 g")}, "scratch_storage.size"),
        ({"scratch_storage": store("tmpfs", options=["a,b"])}, "scratch_storage.options"),
        ({"scratch_storage": store("tmpfs", options=["$(id)"])}, "scratch_storage.options"),
        ({"scratch_storage": store("tmpfs", mount_point="mnt")}, "scratch_storage.mount_point"),
        ({"scratch_storage": store("fstab")}, "no entry for /var/lib/stateless/writable"),
        ({"state_storage": store("nfs", export="server")}, "state_storage.export"),
        ({"state_storage": store("nfs", export="s:/a b")}, "state_storage.export"),
        ({"scratch_storage": store("label", label="a"), "state_storage": store("label", label="a")}, "same label"),
        ({"name": "x", "scratch": [scratch("/proc/sys")], "enabled": True}, None),
    ],
)  # fmt: skip
def test_bad_input_changes_nothing(make: Make, options: dict[str, t.Any], words: str | None) -> None:
    root = make({**IMAGE, "proc/sys/": None})
    before = snapshot(root)
    with pytest.raises(StatelessError, match=words):
        apply(want(**{"root": root, **options}), False)
    assert snapshot(root) == before


def test_an_entry_of_fstab_by_somebody_else_is_told(make: Make) -> None:
    root = make({**IMAGE, "etc/fstab": "LABEL=x /var/lib/stateless/state ext4 defaults 0 0\n"})
    with pytest.raises(InvalidValue, match="line 1, mounts /var/lib/stateless/state"):
        apply(want(root, state_storage=store("label", label="x")), False)
    with pytest.raises(InvalidValue, match="line 1, mounts /var/lib/stateless/state"):
        apply(want(root, state_storage=store("fstab", source="LABEL=y")), False)
    assert not [
        step for step in apply(want(root, state_storage=store("fstab")), True).plan.steps if "fstab" in step.text
    ]


UPSTREAM = {"usr/libexec/readonly-root": "READONLY", "usr/lib/systemd/system/readonly-root.service": "[Unit]"}


def test_a_path_that_not_every_reader_can_have(make: Make) -> None:
    own = make(IMAGE)
    outcome = apply(want(own, name="x", scratch=[scratch("/var/my dir")]), False)
    assert any("EL7 to EL9" in warning for warning in outcome.warnings)
    root = make({**IMAGE, **UPSTREAM})
    with pytest.raises(StatelessError, match=r"/etc/rwtab.d/y, line 2: 'empty /var/my dir': .*EL7 to EL9 uses /var/my"):
        apply(want(root, name="y", scratch=[scratch("/var/my dir")]), False)
    with pytest.raises(StatelessError, match="EL7 and EL8 splits"):
        apply(want(root, name="y", state=["/var/my dir"]), False)
    with pytest.raises(StatelessError, match="symbolic link to /var/log"):
        apply(want(root, name="y", scratch=[scratch("/srv/link")]), False)
    assert not (root / "etc/rwtab.d/y").exists()


def test_ours_swallowed_by_somebody_else_is_an_error(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab.d/other": "empty /var/lib\n"})
    with pytest.raises(
        StatelessError, match=r"/etc/statetab.d/x, line 2: '/var/lib/ntp': .*/etc/rwtab.d/other, line 1"
    ):
        apply(want(root, name="x", state=["/var/lib/ntp"]), False)


def test_what_is_wrong_with_others_is_a_warning(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab.d/other": "tmpfs /x\nempty /not/there\n"})
    outcome = apply(want(root, name="x", scratch=[scratch("/var/log"), scratch("/nowhere")]), False)
    assert len(outcome.warnings) == 2
    assert "/etc/rwtab.d/other, line 1: 'tmpfs /x'" in outcome.warnings[0]
    assert "'empty /not/there' (/etc/rwtab.d/other, line 2)" in outcome.warnings[1]
    assert "'empty /nowhere' (/etc/rwtab.d/x, line 3)" in outcome.warnings[1]


def test_links_lead_nowhere_else(make: Make, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "etc"
    outside.mkdir()
    (outside / "fstab").write_text("mine\n")
    image = {name: value for name, value in IMAGE.items() if name != "etc/fstab"}
    root = make({**image, "etc/fstab": "->../../etc/fstab", "real/fstab": "LABEL=x / ext4 rw 0 0\n"})
    with pytest.raises(StatelessError, match="in the way"):
        (root / "etc/fstab").unlink()
        (root / "etc/fstab").symlink_to(outside / "fstab")
        apply(want(root, enabled=True), False)
    (root / "etc/fstab").unlink()
    (root / "etc/fstab").symlink_to("/real/fstab")
    apply(want(root, enabled=True), False)
    assert "ro" in text(root, "real/fstab")
    assert (root / "etc/fstab").is_symlink()
    assert (outside / "fstab").read_text() == "mine\n"


@pytest.mark.parametrize(
    "name", ["etc/fstab", "etc/sysconfig/readonly-root", "etc/rwtab.d/site", "etc/statetab.d/site"]
)
def test_a_directory_in_the_way(make: Make, name: str) -> None:
    root = make({**{key: value for key, value in IMAGE.items() if key != name}, f"{name}/": None})
    with pytest.raises(StatelessError, match=name):
        apply(full(root), False)


def test_masked_or_without_python(make: Make) -> None:
    root = make({**IMAGE, f"etc/systemd/system/{unit.NAME}": "->/dev/null"})
    with pytest.raises(StatelessError, match="masked"):
        apply(want(root, enabled=True), False)
    root = make({"etc/x": ""})
    (root / f"etc/systemd/system/{unit.NAME}").unlink()
    (root / "usr/bin/python3").unlink()
    with pytest.raises(StatelessError, match="Install Python"):
        apply(want(root, enabled=True), False)


# Killed between the steps


class Boot(t.NamedTuple):
    """What a boot of a root comes to, as far as losing something goes."""

    on: bool
    read_only: bool
    scratch: set[str]
    state: set[str]
    where: str


def boot(root: pathlib.Path) -> Boot:
    tree = Tree(str(root))
    reads = reader(tree)
    plan = layout(tree, reads.dialect)
    binds = plan.binds if reads.enabled else ()
    table = tree.read("/etc/fstab") or ""
    entry = fstab_.of(table, plan.settings.state_mount)
    return Boot(
        bool(binds),
        any(map(fstab_.is_read_only, fstab_.of(table, "/"))),
        {bind.path for bind in binds if bind.kind == "scratch"},
        {bind.path for bind in binds if bind.kind == "state"},
        entry[0].source if entry else plan.settings.state_label,
    )


def other(root: pathlib.Path) -> Wanted:
    """Two paths change places, one stays, and the state moves into fstab."""
    return want(
        root,
        state_storage=store("fstab", source="LABEL=keep"),
        name="site",
        scratch=[scratch("/etc/machine-id", "everything"), scratch("/var/lib/ntp")],
        state=["/var/log", {"path": "/etc/ssh", "forward": True}],
    )


def off(root: pathlib.Path) -> Wanted:
    return want(root, enabled=False, name="site", list_state="absent")


WAYS: dict[str, tuple[list[t.Callable[[pathlib.Path], Wanted]], t.Callable[[pathlib.Path], Wanted]]] = {
    "on": ([], full),
    "other": ([full], other),
    "back": ([full, other], full),
    "off": ([full], off),
}


@pytest.mark.parametrize("way", WAYS)
def test_killed_after_any_step(tmp_path: pathlib.Path, way: str) -> None:
    earlier, last = WAYS[way]

    def start(number: int) -> pathlib.Path:
        root = tmp_path / str(number)
        for name, content in IMAGE.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            elif content and content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_text(content or "")
        for before in earlier:
            apply(before(root), False)
        return root

    whole = start(0)
    old = boot(whole)
    count = len(apply(last(whole), False).plan.steps)
    new = boot(whole)
    assert count > 2
    for number in range(1, count):
        root = start(number)
        for step in prepare(last(root)).plan.steps[:number]:
            step.act()
        now = boot(root)
        # A read-only / has what makes it of use.
        assert now.on or not now.read_only
        assert now.where in (old.where, new.where)
        if old.on and new.on:
            assert now.on
            # What is writable before and after is writable all the time; what is kept before and after is kept.
            assert (old.scratch | old.state) & (new.scratch | new.state) <= now.scratch | now.state
            assert old.state & new.state <= now.state
            assert now.scratch | now.state <= old.scratch | old.state | new.scratch | new.state
        apply(last(root), False)
        assert boot(root) == new
        assert not apply(last(root), False).plan.changed


def test_the_rest_of_a_killed_run_goes(make: Make) -> None:
    root = make(IMAGE)
    apply(full(root), False)
    rests = ["etc/.stateless-fstab:abc", "etc/rwtab.d/.stateless-site:x", "etc/sysconfig/.stateless-readonly-root:y"]
    for name in [*rests, "etc/.stateless-other:z"]:
        (root / name).write_text("half")
    outcome = apply(full(root), False)
    assert len(outcome.plan.steps) == 3
    assert [name for name in rests if (root / name).exists()] == []
    assert (root / "etc/.stateless-other:z").exists()
    assert not apply(full(root), False).plan.changed


def test_kernel_arguments_do_not_stand_in_the_way(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.stateless.linux.plugins.module_utils._readonly_root.state.kernel_arguments",
        lambda tree: "noreadonlyroot",
    )
    outcome = apply(want(make(IMAGE), enabled=True), False)
    assert len(outcome.warnings) == 1
    assert "noreadonlyroot, which counts instead" in outcome.warnings[0]
    assert outcome.result["settings"]["enabled"]


def test_a_template_makes_text_of_a_boolean() -> None:
    for text, once in (("False", {"/a"}), ("no", {"/a"}), ("True", set()), (True, set()), (False, {"/a"})):
        assert want("/", name="x", state=[{"path": "/a", "forward": text}]).once == once


def test_a_root_that_cannot_be_written(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make(IMAGE)

    def refuse(path: str, *arguments: object) -> None:
        raise OSError(30, "Read-only file system", path)

    monkeypatch.setattr(
        "ansible_collections.stateless.linux.plugins.module_utils._readonly_root.changes._files.write", refuse
    )
    with pytest.raises(StatelessError, match="cannot be changed: Read-only file system"):
        apply(want(root, name="x", scratch=[scratch("/var/log")]), False)


def test_a_list_may_name_what_the_task_writes(make: Make) -> None:
    root = make(IMAGE)
    listed = [scratch("/etc/sysconfig/readonly-root")]
    outcome = apply(want(root, enabled=True, name="site", scratch=listed), False)
    assert [bind["path"] for bind in outcome.result["plan"]] == ["/etc/sysconfig/readonly-root"]


def test_names_that_are_no_text_can_be_told(make: Make) -> None:
    root = make({**IMAGE, "etc/rwtab.d/other": "empty /x\udcff\nfoo /y\udcff\n", "etc/rwtab.d/site": "empty /\udcff\n"})
    outcome = apply(full(root), False)
    json.dumps([outcome.result, outcome.plan.before, outcome.plan.after, outcome.warnings], ensure_ascii=False).encode()
    assert "empty /x\ufffd" in [finding["entry"] for finding in outcome.result["findings"]]
