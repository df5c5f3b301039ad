# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: E501 (tables read best with a row on one line)
"""What is wrong with settings, fstab, labels, the service: each finding, and a root that does not have it."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.stateless.linux.plugins.module_utils._readonly_root import sizes
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.findings import check
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.info import information
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.model import Dialect
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.reader import reader
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.tree import Tree

Make = t.Callable[[t.Mapping[str, t.Any]], pathlib.Path]

OURS = {
    "usr/bin/python3": "",
    "usr/libexec/stateless/readonly-root": "",
    "etc/systemd/system/stateless-readonly-root.service": "[Unit]\n",
    "etc/systemd/system/local-fs.target.wants/stateless-readonly-root.service": "->../stateless-readonly-root.service",
}
EL9 = {
    "usr/libexec/readonly-root": 'is_true "$READONLY"; while read -r path ; do',
    "usr/lib/systemd/system/readonly-root.service": "[Unit]\n",
    "usr/lib/systemd/system/local-fs.target.wants/readonly-root.service": "->../readonly-root.service",
}
EL7 = {
    "usr/lib/systemd/rhel-readonly": '[ "$READONLY" = "yes" ]',
    "usr/lib/systemd/system/rhel-readonly.service": "[Unit]\n",
    "etc/systemd/system/local-fs.target.wants/rhel-readonly.service": "->/usr/lib/systemd/system/rhel-readonly.service",
}
ONCE = "etc/stateless/statetab-once.d"
SETTINGS = "READONLY=yes\nRW_MOUNT=/mnt/rw\nSTATE_MOUNT=/mnt/state\nSTATE_LABEL=state\n"
#: Where nothing is wrong.
GOOD: dict[str, str | None] = {
    "etc/sysconfig/readonly-root": SETTINGS,
    "etc/fstab": "LABEL=root / ext4 ro 0 0\n",
    "etc/rwtab": "empty /var/log\n",
    "etc/statetab": "/etc/machine-id\n",
    "etc/hostname": "",
    "etc/machine-id": "",
    "var/log/": None,
    "var/big/": None,
    "mnt/rw/": None,
    "mnt/state/": None,
}


def settings(**changed: str) -> dict[str, str]:
    lines = dict(line.split("=", 1) for line in SETTINGS.splitlines())
    return {"etc/sysconfig/readonly-root": "".join(f"{key}={value}\n" for key, value in {**lines, **changed}.items())}


def fstab(*lines: str) -> dict[str, str]:
    return {"etc/fstab": "".join(f"{line}\n" for line in lines)}


ROOT = "LABEL=root / ext4 ro 0 0"
SCRATCH = "LABEL=s /mnt/rw ext4 noauto 0 0"
STATE = "LABEL=k /mnt/state ext4 noauto 0 0"

#: code, level, what makes it, what does not (beside GOOD), for which service
FINDINGS: list[tuple[str, str, dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]] = [
    ("no-assignment", "warning", {"etc/sysconfig/readonly-root": SETTINGS + "FOO = x\n"}, {}, OURS),
    ("twice", "warning", {"etc/sysconfig/readonly-root": "READONLY=no\n" + SETTINGS}, {}, OURS),
    ("expansion", "error", settings(RW_LABEL='"$x"'), settings(RW_LABEL="'$x'"), OURS),
    ("expansion", "warning", settings(RW_LABEL='"$x"'), settings(RW_LABEL="x"), EL9),
    ("boolean", "warning", settings(READONLY="true"), settings(READONLY="yes"), OURS),
    ("boolean", "warning", settings(READONLY="1"), settings(READONLY="yes"), EL9),
    ("boolean", "error", settings(SLAVE_MOUNTS="true"), settings(SLAVE_MOUNTS="no"), EL7),
    ("boolean", "error", settings(SLAVE_MOUNTS="enabled"), settings(SLAVE_MOUNTS="0"), OURS),
    ("unset", "error", settings(RW_MOUNT=""), {}, EL9),
    ("mount-point", "error", settings(STATE_MOUNT="mnt/state"), {}, OURS),
    ("mount-point", "error", settings(RW_MOUNT="/mnt/../mnt/rw"), {}, OURS),
    ("mount-point", "error", settings(RW_MOUNT="/mnt/nowhere"), {}, OURS),
    ("mount-point", "error", settings(STATE_MOUNT="/mnt/nowhere"), {}, OURS),
    ("mount-point", "error", settings(STATE_MOUNT="/mnt/rw"), {}, OURS),
    ("label-length", "error", settings(RW_LABEL="x" * 17), settings(RW_LABEL="x" * 12), OURS),
    ("label-length", "warning", settings(STATE_LABEL="stateless-state"), settings(STATE_LABEL="x" * 12), OURS),
    ("label-length", "warning", settings(RW_LABEL="x" * 16), settings(STATE_LABEL="''"), OURS),
    ("same-label", "error", settings(RW_LABEL="state"), settings(RW_LABEL=""), OURS),
    ("same-label", "error", fstab(ROOT, SCRATCH, STATE.replace("=k", "=s")), fstab(ROOT, SCRATCH, STATE), OURS),
    ("options", "error", settings(RW_OPTIONS="size=1g"), settings(RW_OPTIONS="'-o size=1g'"), OURS),
    ("client-state", "error", settings(CLIENTSTATE="server"), settings(CLIENTSTATE="server:/x"), OURS),
    ("root-missing", "warning", fstab(), {}, OURS),
    ("root-writable", "error", fstab("LABEL=root / ext4 defaults 0 0"), {}, OURS),
    ("root-read-only", "error", settings(READONLY="no"), {**settings(READONLY="no"), **fstab()}, OURS),
    ("auto", "warning", fstab(ROOT, "LABEL=k /mnt/state ext4 defaults 0 0"), fstab(ROOT, STATE), OURS),
    ("wiped", "warning", fstab(ROOT, SCRATCH), fstab(ROOT, STATE), OURS),
    (
        "options-unused",
        "warning",
        {**fstab(ROOT, SCRATCH), **settings(RW_OPTIONS="'-o size=1g'")},
        settings(RW_OPTIONS="'-o size=1g'"),
        OURS,
    ),
    (
        "options-unused",
        "warning",
        settings(STATE_OPTIONS="'-o noatime'"),
        {**fstab(ROOT, STATE), **settings(STATE_OPTIONS="'-o noatime'")},
        OURS,
    ),
    ("no-state", "warning", settings(STATE_LABEL=""), {**settings(STATE_LABEL=""), **fstab(ROOT, STATE)}, OURS),
    (
        "host-name",
        "warning",
        settings(CLIENTSTATE="s:/x"),
        {**settings(CLIENTSTATE="s:/x"), "etc/hostname": "pc1\n"},
        OURS,
    ),
    ("no-service", "error", {}, OURS, {"usr/bin/python3": ""}),
    ("masked", "error", {**OURS, "etc/systemd/system/stateless-readonly-root.service": "->/dev/null"}, OURS, {}),
    ("no-python", "error", {key: OURS[key] for key in list(OURS)[1:]}, OURS, {}),
    ("initrd", "warning", {"run/initramfs/state/srv/x": ""}, {"run/initramfs/state/var/x": ""}, OURS),
    ("once", "warning", {}, {"etc/statetab": ""}, EL9),
    ("unreadable", "error", {"etc/fstab/": None}, {}, OURS),
    ("content", "warning", {"etc/rwtab": "empty /etc/fstab\n"}, {"etc/rwtab": "empty /etc/machine-id\n"}, OURS),
    ("content", "warning", {"etc/rwtab": "dirs /etc/fstab\n"}, {"etc/rwtab": "files /etc/fstab\n"}, OURS),
    ("missing", "warning", {"etc/rwtab": "empty /x\n"}, {}, OURS),
    ("unmatched", "warning", {f"{ONCE}/a": "# why\n\n/var/log\n"}, {f"{ONCE}/a": "  /etc/machine-id \r\n"}, OURS),
    ("unmatched", "warning", {f"{ONCE}/a": "/etc\n"}, {f"{ONCE}/a": "/etc/machine-id/x"}, OURS),
    ("relative", "error", {f"{ONCE}/a": "etc/machine-id\n"}, {f"{ONCE}.old/a": "etc/machine-id\n"}, OURS),
    ("dotdot", "error", {f"{ONCE}/a": "/etc/../etc/machine-id\n"}, {f"{ONCE}/.a": "/..\n"}, OURS),
    ("skipped", "warning", {f"{ONCE}/a.dpkg-old": "/x\n"}, {}, OURS),
    ("not-a-file", "error", {f"{ONCE}/a/": None}, {ONCE: "/x\n"}, OURS),
]


@pytest.mark.parametrize(("code", "level", "bad", "good", "service"), FINDINGS)
def test_findings(make: Make, code: str, level: str, bad: t.Any, good: t.Any, service: t.Any) -> None:
    base: dict[str, t.Any] = {key: value for key, value in GOOD.items() if f"{key}/" not in bad}
    root = make({**base, **service, **bad})
    tree = Tree(str(root))
    found = [finding for finding in check(tree, reader(tree)).findings if finding.code == code]
    assert [finding.level.value for finding in found] == [level]
    assert found[0].reason.endswith((".", ")"))
    assert found[0].remedy.strip()
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    tree = Tree(str(make({**GOOD, **service, **good})))
    assert code not in [finding.code for finding in check(tree, reader(tree)).findings]


@pytest.mark.parametrize("service", [OURS, EL7])
def test_nothing_is_wrong_where_nothing_is(make: Make, service: dict[str, t.Any]) -> None:
    tree = Tree(str(make({**GOOD, **service, "etc/statetab": ""})))
    assert check(tree, reader(tree)).findings == ()


@pytest.mark.parametrize(
    ("readonly", "arguments", "forced"),
    [
        ("yes", "ro", False),
        ("no", "ro readonlyroot", True),
        ("yes", "noreadonlyroot", True),
        ("yes", "readonlyroot", False),
    ],
)
def test_forced_by_the_kernel(make: Make, readonly: str, arguments: str, forced: bool) -> None:
    tree = Tree(str(make({**GOOD, **OURS, **settings(READONLY=readonly)})))
    assert ("forced" in [finding.code for finding in check(tree, reader(tree), arguments).findings]) is forced


@pytest.mark.parametrize(
    ("files", "dialect", "unit", "enabled"),
    [
        ({}, Dialect.OWN, "stateless-readonly-root.service", False),
        (OURS, Dialect.OWN, "stateless-readonly-root.service", True),
        (EL7, Dialect.EL7, "rhel-readonly.service", True),
        (EL9, Dialect.EL9, "readonly-root.service", True),
        ({**EL9, "etc/systemd/system/readonly-root.service": "->/dev/null"}, Dialect.EL9, "readonly-root.service", False),
        ({"usr/libexec/readonly-root": 'is_true "$READONLY"; for path in $(grep'}, Dialect.EL7, "readonly-root.service", False),
        ({"usr/libexec/readonly-root": "", "etc/os-release": 'VERSION_ID="9.4"\n'}, Dialect.EL9, "readonly-root.service", False),
        ({"usr/libexec/readonly-root": "", "etc/os-release": 'VERSION_ID="8.9"\n'}, Dialect.EL7, "readonly-root.service", False),
        ({"usr/libexec/readonly-root": ""}, Dialect.EL7, "readonly-root.service", False),
        ({"usr/lib/systemd/fedora-readonly": "READONLY"}, Dialect.EL7, "fedora-readonly.service", False),
    ],
)  # fmt: skip
def test_who_reads(make: Make, files: dict[str, t.Any], dialect: Dialect, unit: str, enabled: bool) -> None:
    found = reader(Tree(str(make(files))))
    assert (found.dialect, found.unit, found.enabled) == (dialect, unit, enabled)


def test_what_does_not_fit(make: Make) -> None:
    root = make({**GOOD, **OURS, **settings(RW_OPTIONS="'-o size=64k,nodev'"), "etc/rwtab": "files /var/big\n"})
    (root / "var/big/x").write_bytes(b"x" * 60_000)
    (root / "var/big/link").symlink_to("/usr")
    tree = Tree(str(root))
    assert [finding.code for finding in check(tree, reader(tree)).findings] == []
    (root / "var/big/y").write_bytes(b"x" * 10_000)
    found = check(tree, reader(tree)).findings
    assert [(finding.code, finding.entry) for finding in found] == [("size", "/var/big")]
    assert sizes.measure(str(root / "nothing")) == 0


def test_information_measures_once(make: Make, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({**GOOD, **OURS, "etc/rwtab": "files /var/big\n"})
    measure, measured = sizes.measure, []
    monkeypatch.setattr(sizes, "measure", lambda path: measured.append(path) or measure(path))
    information(str(root), str(tmp_path))
    assert measured == [str(root / "var/big")]


def test_information(make: Make, tmp_path: pathlib.Path) -> None:
    lists = {"etc/rwtab": "empty /var/log\nempty /var/\udcff\n", "etc/statetab": "/etc/machine-id\n/var/big\n"}
    root = make({**GOOD, **OURS, **lists})
    state = tmp_path / "state"
    (state / ".stateless").mkdir(parents=True)
    (state / ".stateless/report.json").write_text(
        '{"conflicts": [{"path": "/etc/x", "beside": "/etc/x.stateless-new", "reason": "both"}]}'
    )
    found = information(str(root), str(state))
    effective = [(entry["line"], entry["effective"]) for entry in found["entries"]]
    assert effective == [(1, True), (2, False), (1, True), (2, True)]
    assert found["entries"][1]["path"] == "/var/�"
    assert found["conflicts"] == [{"path": "/etc/x", "beside": "/etc/x.stateless-new", "reason": "both"}]
    assert found["state"]["size"] >= found["state"]["used"] > 0
    assert found["scratch"] is None
    assert found["bound"] == []
    assert [entry["forward"] for entry in found["entries"]] == [None, None, False, True]
    assert information(str(root))["conflicts"] == []
    (state / ".stateless/report.json").write_text("[torn")
    assert information(str(root), str(state))["conflicts"] == []


def test_state_that_the_image_has_left_behind(make: Make, tmp_path: pathlib.Path) -> None:
    lists = {"etc/statetab": "/etc/app\n/etc/machine-id\n"}
    root = make(
        {**GOOD, **EL9, **lists, "etc/app/a": "new", "etc/app/b": "same", "etc/app/c": "image's", "etc/app/d": ""}
    )
    state = tmp_path / "state"
    (state / "etc/app").mkdir(parents=True)
    for name, text, image, client in (
        ("a", "old", 2000, 1000),
        ("b", "same", 2000, 1000),
        ("c", "client's", 1000, 2000),
        ("d", None, 2000, 0),
    ):
        os.utime(root / "etc/app" / name, (image, image))
        if text is not None:
            (state / "etc/app" / name).write_text(text)
            os.utime(state / "etc/app" / name, (client, client))
    os.utime(state / "etc/app", (3000, 3000))

    def told() -> list[str]:
        found = information(str(root), str(state))["findings"]
        return [f"{finding['entry']} {finding['reason']}" for finding in found if finding["code"] == "stale"]

    assert len(told()) == 1
    assert "1 files in it, such as /etc/app/a;" in told()[0]
    os.utime(state / "etc/app", (1500, 1500))
    assert "2 files in it" in told()[0]
    (state / "etc/app/a").write_text("new")
    os.utime(state / "etc/app", (3000, 3000))
    assert told() == []
