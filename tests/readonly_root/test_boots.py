# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service in a read-only root: what is kept and what is lost, and what is done about what is wrong."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import tempfile
import time
import typing as t

import pytest
from roots import SCRATCH, SPARE, STAND, STATE, Boot, Root, again, apart, disk, loop, mount, serve

from ansible_collections.stateless.linux.plugins.module_utils import _mounts
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.boot import mounting, service

Prepare = t.Callable[[Root], object]


def booted(prepare: Prepare, look: t.Callable[[], t.Any] = lambda: None, **options: t.Any) -> tuple[Boot, t.Any]:
    """Prepare a root, boot it, and look around in it; both what the service did and what was seen."""

    def boot() -> tuple[Boot, t.Any]:
        root = Root(options.get("arguments", ""))
        prepare(root)
        root.enter(options.get("writable", False))
        done = serve()
        return done, look()

    return apart(boot)


def lists(rwtab: str = "", statetab: str = "", **settings: str) -> Prepare:
    """A root with these lists and settings and a few files to list."""

    def prepare(root: Root) -> None:
        root.write("/srv/a/sub/file", "x")
        root.write("/srv/a/other", "y")
        root.write("/srv/b/file", "z")
        root.write("/srv/file", "text")
        root.write("/etc/rwtab.d/test", rwtab)
        root.write("/etc/statetab.d/test", statetab)
        words = "".join(f"{key}='{value}'\n" for key, value in {"READONLY": "yes", **settings}.items())
        root.write("/etc/sysconfig/readonly-root", words)

    return prepare


def read(path: str) -> str:
    """The text of *path*."""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def write(path: str, text: str) -> None:
    """Make *text* the text of *path*."""
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def is_read_only(path: str) -> bool:
    """Whether nothing can be made in *path*."""
    try:
        os.mkdir(f"{path}/made")
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def test_what_is_listed_is_writable_and_all_else_is_not() -> None:
    places = ["/srv/a", "/srv/b", "/srv", "/etc", "/"]
    done, seen = booted(lists("files /srv/a\n"), lambda: [is_read_only(path) for path in places])
    assert (done.status, done.problems) == (0, "")
    assert seen == [False, True, True, True, True]


def test_only_what_the_type_keeps_is_seen() -> None:
    def look() -> list[t.Any]:
        return [sorted(os.listdir(f"/srv/{name}")) for name in ("a", "a/sub", "b")]

    assert booted(lists("dirs /srv/a\nempty /srv/b\n"), look)[1] == [["sub"], [], []]
    assert booted(lists("empty /srv/a\nfiles /srv/a/sub\n"), look)[1] == [["sub"], ["file"], ["file"]]


ATTRIBUTES = """
cd "$1" && mkdir -m 2750 d && chown 1:2 d && setfacl -m u:3:rwx -d -m u:4:r d && mkdir -m 700 d/in
echo text > d/f && chown 5:6 d/f && chmod 4751 d/f && ln d/f d/hard && ln -s nowhere d/link && chown -h 7:8 d/link
echo text > d/acl && setfacl -m u:9:rw d/acl && setcap cap_net_raw+ep d/acl && setfattr -n user.note -v text d/acl
setfattr -n security.selinux -v system_u:object_r:etc_t:s0 d/acl
mkfifo d/pipe && mknod d/null c 1 3 && : > "d/$(printf 'line\\nbreak \\377')" && setfattr -n trusted.note -v text d
touch -h -d 2001-02-03T04:05:06.123456789 d/f d/link d/in d/pipe d
"""


def attributes(path: str) -> dict[str, t.Any]:
    """All that is to survive a copy, by name."""
    found: dict[str, t.Any] = {}
    for directory, names, files in os.walk(path):
        for name in (".", *names, *files):
            one = os.path.normpath(f"{directory}/{name}")
            there = os.lstat(one)
            numbers = (there.st_mode, there.st_uid, there.st_gid, there.st_nlink, there.st_rdev, there.st_mtime_ns)
            # XFS shows ACLs twice.
            keys = [key for key in os.listxattr(one, follow_symlinks=False) if not key.startswith("trusted.SGI_")]
            held = {key: os.getxattr(one, key, follow_symlinks=False) for key in keys}
            found[one] = (*numbers, held, os.readlink(one) if os.path.islink(one) else "")
    return found


@contextlib.contextmanager
def image(kind: str) -> t.Iterator[str]:
    """A device with a filesystem *kind* that holds the directory ``d`` of :data:`ATTRIBUTES`."""
    if kind in ("ext4", "xfs"):
        with disk("image", "32m" if kind == "ext4" else "310m", kind) as device:
            apart(lambda: (mount(device, STAND), subprocess.run(["sh", "-euc", ATTRIBUTES, "sh", STAND], check=True)))
            yield device
        return
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/tree")
        subprocess.run(["sh", "-euc", ATTRIBUTES, "sh", f"{directory}/tree"], check=True)
        make = {
            "squashfs": ["mksquashfs", f"{directory}/tree", f"{directory}/image", "-quiet", "-no-progress"],
            "erofs": ["mkfs.erofs", "--quiet", f"{directory}/image", f"{directory}/tree"],
        }[kind]
        subprocess.run(make, check=True, capture_output=True)
        with loop(f"{directory}/image") as device:
            yield device


@pytest.mark.parametrize("where", ["scratch", "state"])
@pytest.mark.parametrize("kind", ["ext4", "xfs", "squashfs", "erofs"])
def test_attributes_survive(kind: str, where: str) -> None:
    def boot(source: str, device: str) -> tuple[dict[str, t.Any], Boot, dict[str, t.Any]]:
        root = Root()
        lists("files /srv/c/d\n" if where == "scratch" else "", "/srv/c/d\n" if where == "state" else "")(root)
        root.make("/srv/c")
        mount("-o", "ro", source, f"{root.path}/srv/c")
        root.write("/etc/fstab", f"{device} {STATE} ext4 noauto 0 0\n")
        root.enter()
        before = attributes("/srv/c/d")
        done = serve()
        return before, done, attributes("/srv/c/d")

    with disk("other") as device, image(kind) as source:
        before, done, after = apart(lambda: boot(source, device))
    assert done.problems == ""
    assert len(done.of(where)) == 1
    assert len(before) == 9
    assert after == before
    assert "trusted.note" in before["/srv/c/d"][6]
    assert {"security.capability", "security.selinux", "user.note"} <= set(before["/srv/c/d/acl"][6])
    # squashfs has no ACLs
    assert ("system.posix_acl_default" in before["/srv/c/d"][6]) == (kind != "squashfs")


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_the_same_for_directories_alone(kind: str) -> None:
    def boot(source: str) -> tuple[dict[str, t.Any], dict[str, t.Any], list[str]]:
        root = Root()
        lists("dirs /srv/c/d\n")(root)
        root.make("/srv/c")
        mount("-o", "ro", source, f"{root.path}/srv/c")
        root.enter()
        before = attributes("/srv/c/d")
        serve()
        return before, attributes("/srv/c/d"), os.listxattr("/srv/c/d")

    with image(kind) as source:
        before, after, held = apart(lambda: boot(source))
    assert set(after) == {"/srv/c/d", "/srv/c/d/in"}
    assert after == {path: before[path] for path in after}
    assert not [name for name in held if "SGI" in name]


@pytest.mark.parametrize("kind", ["files", "dirs"])
def test_what_is_mounted_beneath_a_path_is_not_copied(kind: str) -> None:
    def prepare(root: Root) -> None:
        lists(f"{kind} /srv/a\n")(root)
        root.make("/srv/a/point")
        mount("-t", "tmpfs", "other", f"{root.path}/srv/a/point")
        root.make("/srv/a/point/within")

    done, seen = booted(prepare, lambda: os.listdir("/srv/a/point"))
    assert (done.status, seen) == (0, [])


def test_the_way_to_a_copy_is_roots_alone() -> None:
    def look() -> list[int]:
        return [os.stat(SCRATCH + path).st_mode & 0o777 for path in ("/srv", "/srv/a", "/srv/a/sub")]

    assert booted(lists("files /srv/a/sub\n"), look)[1] == [0o700, 0o700, 0o755]


# Scratch


def test_options_of_the_tmpfs_are_arguments_and_no_shell() -> None:
    def look() -> tuple[int, int, bool]:
        there = os.statvfs("/srv/a")
        return there.f_blocks * there.f_frsize, there.f_files, os.path.exists("/run/stateless/made")

    options = "-o size=8m,nr_inodes=100 -o $(touch /run/stateless/made)"
    done, seen = booted(lists("files /srv/a\n", RW_OPTIONS="-o size=8m,nr_inodes=100"), look)
    assert (done.status, seen) == (0, (8 << 20, 100, False))
    done, seen = booted(lists("files /srv/a\n", RW_OPTIONS=options), look)
    assert done.of("scratch") == ["/srv/a"]
    assert done.status == 1
    assert not seen[2]
    done, _seen = booted(lists("files /srv/a\n", RW_OPTIONS='-o "size=8m'), look)
    assert done.of("scratch") == ["/srv/a"]
    assert "cannot be read" in done.problems


def test_what_does_not_fit_stays_as_the_image_has_it() -> None:
    def prepare(root: Root) -> None:
        lists("files /srv/a\nfiles /srv/big\nfiles /srv/b\n", RW_OPTIONS="-o size=64k")(root)
        root.write("/srv/big/one", b"x" * 30000)
        root.write("/srv/big/two", b"x" * 90000)

    def look() -> tuple[int, bool, bool, bool]:
        left = os.path.exists(f"{SCRATCH}/srv/big")
        return os.stat("/srv/big/two").st_size, is_read_only("/srv/big"), is_read_only("/srv/b"), left

    done, seen = booted(prepare, look)
    assert done.of("scratch") == ["/srv/a", "/srv/b"]
    assert seen == (90000, True, False, False)
    assert done.status == 1
    assert "/srv/big stays read-only" in done.problems
    assert "No space left" in done.problems


@pytest.mark.parametrize("by", ["label", "fstab", "mounted"])
def test_a_lasting_scratch_is_wiped_at_each_boot_and_nothing_else(by: str) -> None:
    def boot(device: str) -> tuple[list[Boot], list[str], str]:
        root = Root()
        lists("files /srv/a\n")(root)
        if by == "fstab":
            root.write("/etc/fstab", f"# scratch\n{device} {SCRATCH} ext4 noatime 0 0\n")
        root.write("/srv/outside/file", "mine")
        mount(device, root.path + SCRATCH)
        root.write(f"{SCRATCH}/old/file", "old")
        os.symlink("/srv/outside", f"{root.path}{SCRATCH}/link")
        os.chmod(f"{root.path}{SCRATCH}/old", 0)
        root.make(f"{SCRATCH}/point")
        if by == "mounted":
            mount("--bind", f"{root.path}/srv/outside", f"{root.path}{SCRATCH}/point")
        else:
            subprocess.run(["umount", root.path + SCRATCH], check=True)
        root.enter()
        boots = [serve()]
        write("/srv/a/mine", "lost")
        names = sorted(os.listdir(SCRATCH))
        if by != "mounted":
            again()
            boots.append(serve())
            assert not os.path.exists("/srv/a/mine")
        return boots, names, read("/srv/outside/file")

    with disk("stateless-rw" if by == "label" else "other") as device:
        boots, names, outside = apart(lambda: boot(device))
    assert [(one.status, one.problems, one.of("scratch")) for one in boots] == [(0, "", ["/srv/a"])] * len(boots)
    assert names == (["point", "srv"] if by == "mounted" else ["srv"])
    assert outside == "mine"


def test_a_state_is_never_wiped() -> None:
    """Somebody gave the state's filesystem the label of scratch."""

    def boot(device: str) -> tuple[Boot, str]:
        root = Root()
        lists("files /srv/a\n", "")(root)
        mount(device, root.path + STATE)
        root.write(f"{STATE}/.stateless/report.json", "{}")
        root.write(f"{STATE}/srv/b/file", "mine")
        subprocess.run(["umount", root.path + STATE], check=True)
        root.enter()
        done = serve()
        os.makedirs("/run/look")
        mount(device, "/run/look")
        return done, read("/run/look/srv/b/file")

    with disk("stateless-rw") as device:
        done, mine = apart(lambda: boot(device))
    assert mine == "mine"
    assert done.status == 1
    assert "is not wiped" in done.problems
    assert done.of("scratch") == ["/srv/a"]


def test_without_its_directory_scratch_is_elsewhere() -> None:
    def prepare(root: Root) -> None:
        lists("files /srv/a\n")(root)
        os.rmdir(root.path + SCRATCH)

    done, there = booted(prepare, lambda: _mounts.is_mounted(SPARE))
    assert (done.status, done.of("scratch"), there) == (1, ["/srv/a"], True)


def test_what_the_initrd_left_is_seen_where_a_path_is_bound() -> None:
    def prepare(root: Root) -> None:
        lists("files /srv/a\n")(root)
        root.write("/run/initramfs/state/srv/a/found", "here")
        root.write("/run/initramfs/state/srv/b/found", "nowhere")

    done, seen = booted(prepare, lambda: [os.path.exists(f"/srv/{name}/found") for name in "ab"])
    assert (done.status, seen) == (0, [True, False])


@pytest.mark.parametrize(("value", "group"), [("yes", "master"), ("no", "shared")])
def test_slave_mounts(value: str, group: str) -> None:
    def prepare(root: Root) -> None:
        lists("files /srv/a\n", SLAVE_MOUNTS=value)(root)
        mount("--make-shared", root.path)

    def look() -> str:
        with open("/proc/self/mountinfo", encoding="utf-8") as stream:
            return next(line for line in stream if line.split()[4] == "/srv/a").partition(" - ")[0]

    tags = booted(prepare, look)[1].split()[6:]
    assert [tag.partition(":")[0] for tag in tags] == ([group] if value == "no" else ["master"])


def test_labels_are_restored_where_selinux_is_on() -> None:
    """There is no SELinux on the machine of these tests: a directory says so, and a script stands for restorecon."""

    def prepare(root: Root) -> None:
        lists("files /srv/a\nempty /srv/b\n")(root)
        mount("-t", "tmpfs", "sys", f"{root.path}/sys/fs")
        root.write("/sys/fs/selinux/enforce", "1")
        root.write("/usr/local/sbin/restorecon", '#!/bin/sh\necho "$@" > /run/restored\n')
        os.chmod(f"{root.path}/usr/local/sbin/restorecon", 0o755)

    done, said = booted(prepare, lambda: read("/run/restored"))
    assert (done.status, said) == (0, "-R /srv/a /srv/b\n")


# Whether there is anything to do


@pytest.mark.parametrize(
    ("settings", "arguments", "writable", "container", "works"),
    [
        ("READONLY=no", "", False, False, False),
        ("READONLY=no", "quiet readonlyroot", False, False, True),
        ("READONLY=yes", "noreadonlyroot", False, False, False),
        ("READONLY=yes", "readonlyroot noreadonlyroot", False, False, False),
        ("READONLY=yes", "", True, False, False),
        ("READONLY=yes", "stateless.serial=3", True, False, True),
        ("READONLY=yes", "stateless.serial=3", True, True, False),
        ("READONLY=yes", "", False, True, True),
        ("READONLY=no", "readonlyroot", True, False, True),
        ("TEMPORARY_STATE=yes", "", True, False, True),
        ("TEMPORARY_STATE=yes", "noreadonlyroot", True, False, True),
        ("TEMPORARY_STATE=yes", "", True, True, False),
    ],
)
def test_when_it_works(settings: str, arguments: str, writable: bool, container: bool, works: bool) -> None:
    def prepare(root: Root) -> None:
        lists("files /srv/a\n")(root)
        root.write("/etc/sysconfig/readonly-root", f"{settings}\n")
        if container:
            root.write("/run/systemd/container", "systemd-nspawn\n")

    done, _seen = booted(prepare, arguments=arguments, writable=writable)
    assert (done.status, done.of("scratch")) == (0, ["/srv/a"] if works else [])


def test_a_second_time_in_one_boot_does_nothing() -> None:
    def look() -> tuple[Boot, str]:
        write("/srv/a/mine", "here")
        return serve(), read("/srv/a/mine")

    done, (second, mine) = booted(lists("files /srv/a\n"), look)
    assert (second.status, second.binds, mine) == (0, done.binds, "here")
    assert "already" in second.notes


def test_what_was_done_is_written_down() -> None:
    _done, found = booted(lists("files /srv/a\n"), lambda: json.loads(read(service.DONE)))
    assert found == {
        "binds": [{"path": "/srv/a", "source": f"{SCRATCH}/srv/a", "kind": "scratch"}],
        "problems": [],
    }


# State


class Client:
    """A machine with a disk for its state, for several boots of several images."""

    def __init__(self, device: str, statetab: str, rwtab: str = "", **settings: str) -> None:
        self.device = device
        self.rwtab = rwtab
        self.statetab = statetab
        self.settings = settings

    def boot(
        self, image: t.Mapping[str, str | None], work: t.Callable[[], t.Any] = lambda: None, serial: int = 0
    ) -> tuple[Boot, t.Any]:
        """Boot *image* (files beyond those of :func:`lists`), and work with it."""

        def prepare(root: Root) -> None:
            lists(self.rwtab, self.statetab, **self.settings)(root)
            for path, what in image.items():
                if what is None:
                    subprocess.run(["rm", "-r", root.path + path], check=True)
                else:
                    root.write(path, what)
            fstab = f"{self.device} {STATE} auto noauto 0 0\n"
            if not os.path.exists(f"{root.path}/etc/fstab"):
                root.write("/etc/fstab", fstab)

        arguments = f"stateless.protosystem=demo stateless.serial={serial}" if serial else ""
        return booted(prepare, work, arguments=arguments)


@contextlib.contextmanager
def client(statetab: str, rwtab: str = "", size: str = "32m", kind: str = "ext4") -> t.Iterator[Client]:
    """A :class:`Client` with an empty disk."""
    with disk("other", size, kind) as device:
        yield Client(device, statetab, rwtab)


def report() -> list[dict[str, str]]:
    """The conflicts that are open."""
    found = json.loads(read(f"{STATE}/.stateless/report.json"))["conflicts"]
    return t.cast("list[dict[str, str]]", found)


@pytest.mark.parametrize("serials", [True, False])
def test_all_four_cases_of_a_new_image(serials: bool) -> None:
    names = ["neither", "image", "client", "both"]
    first = {f"/srv/a/{name}": "one" for name in names}
    second = {**first, "/srv/a/image": "two, of the image", "/srv/a/both": "two, of the image", "/srv/a/new": "added"}

    def change() -> None:
        write("/srv/a/client", "mine")
        write("/srv/a/both", "mine")
        write("/srv/a/own", "mine")

    def look() -> tuple[dict[str, str], list[dict[str, str]]]:
        return {name: read(f"/srv/a/{name}") for name in sorted(os.listdir("/srv/a")) if name != "sub"}, report()

    with client("/srv/a\n") as machine:
        done, _none = machine.boot(first, change, serial=serials and 1)
        assert (done.status, done.of("state")) == (0, ["/srv/a"])
        machine.boot(first, serial=serials and 1)
        done, (files, conflicts) = machine.boot(second, look, serial=serials and 2)
        assert done.status == 0
        assert files == {
            "neither": "one",
            "image": "two, of the image",
            "client": "mine",
            "both": "mine",
            "both.stateless-new": "two, of the image",
            "new": "added",
            "other": "y",
            "own": "mine",
        }
        assert [(found["path"], found["beside"]) for found in conflicts] == [
            ("/srv/a/both", f"{STATE}/srv/a/both.stateless-new")
        ]
        assert "/srv/a/both: changed in the image, and changed here" in done.notes
        # The client takes the image's version: it is settled at the next boot, and moves forward from there.
        machine.boot(second, lambda: os.rename("/srv/a/both.stateless-new", "/srv/a/both"), serial=serials and 2)
        third = {**second, "/srv/a/both": "three"}
        _done, (files, conflicts) = machine.boot(third, look, serial=serials and 3)
        assert (files["both"], conflicts) == ("three", [])
        # Back to an older image: the same again.
        _done, (files, conflicts) = machine.boot(first, look, serial=serials and 1)
        assert (files["both"], files["image"], files["client"], "new" in files) == ("one", "one", "mine", False)


@pytest.mark.parametrize("serial", [0, 2])
def test_a_conflict_that_was_settled_is_no_more_at_the_next_boot(serial: int) -> None:
    with client("/srv/a\n") as machine:
        machine.boot({}, lambda: write("/srv/a/other", "mine"))
        new = {"/srv/a/other": "image's"}
        assert len(machine.boot(new, report, serial)[1]) == 1
        assert len(machine.boot(new, report, serial)[1]) == 1
        # By a copy of it, which leaves the one beside: that is taken away.
        machine.boot(new, lambda: write("/srv/a/other", "image's"), serial)
        assert machine.boot(new, lambda: (report(), sorted(os.listdir("/srv/a"))), serial)[1] == ([], ["other", "sub"])


def test_a_file_of_that_name_is_the_clients() -> None:
    def change() -> None:
        write("/srv/a/other", "mine")
        write("/srv/a/other.stateless-new", "mine, too")

    def look() -> list[str]:
        return [read(f"/srv/a/other{end}") for end in ("", ".stateless-new", ".stateless-new.2")]

    with client("/srv/a\n") as machine:
        machine.boot({}, change)
        assert machine.boot({"/srv/a/other": "image's"}, look)[1] == ["mine", "mine, too", "image's"]
        # A later version takes the place of an earlier one, not of the client's.
        assert machine.boot({"/srv/a/other": "later"}, look)[1] == ["mine", "mine, too", "later"]


def test_opted_out_of_moving_forward() -> None:
    once = {"/etc/stateless/statetab-once.d/test": "# a comment\n /srv/a \r\n/srv\n"}
    with client("/srv/a\n/srv/b\n") as machine:
        done = machine.boot(once)[0]
        assert (done.status, done.problems) == (0, "")
        assert "statetab-once.d/test, line 3: '/srv': No list of the state names /srv" in done.notes
        new = {**once, "/srv/a/other": "new", "/srv/b/file": "new"}

        def look() -> tuple[str, str]:
            return read("/srv/a/other"), read("/srv/b/file")

        assert machine.boot(new, look)[1] == ("y", "new")
        # Opted in again: from the present image on.
        new.pop("/etc/stateless/statetab-once.d/test")
        assert machine.boot(new, look)[1] == ("y", "new")
        assert machine.boot({**new, "/srv/a/sub/file": "newer"}, lambda: read("/srv/a/sub/file"))[1] == "newer"


def test_the_machine_id_is_never_taken_from_a_later_image() -> None:
    with client("/etc/machine-id\n", "files /etc/machine-id\n") as machine:
        machine.boot({"/etc/machine-id": "first\n"})
        assert machine.boot({"/etc/machine-id": "second\n"}, lambda: read("/etc/machine-id"))[1] == "first\n"


def test_state_of_upstreams_service_is_adopted_as_it_is() -> None:
    with client("/srv/a\n") as machine:
        machine.boot({}, lambda: (write("/srv/a/other", "mine"), shutil.rmtree(f"{STATE}/.stateless")))
        done, seen = machine.boot({"/srv/a/other": "new"}, lambda: (read("/srv/a/other"), os.listdir("/srv/a")))
        assert seen[0] == "mine"
        assert sorted(seen[1]) == ["other", "sub"]
        assert (done.status, "was here before" in done.notes) == (0, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "known": 3}', "\0" * 100])
@pytest.mark.parametrize("name", ["baseline", "report", "journal"])
def test_what_cannot_be_read_counts_as_not_there(name: str, text: str) -> None:
    with client("/srv/a\n") as machine:
        machine.boot({}, lambda: (write("/srv/a/other", "mine"), write(f"{STATE}/.stateless/{name}.json", text)))
        done, seen = machine.boot({"/srv/a/other": "new"}, lambda: (read("/srv/a/other"), read("/srv/a/sub/file")))
        assert (done.status, seen, done.of("state")) == (0, ("mine", "x"), ["/srv/a"])


def test_a_list_that_grows_and_one_that_shrinks() -> None:
    with client("/srv/a/sub\n") as machine:
        machine.boot({}, lambda: write("/srv/a/sub/file", "mine"))
        machine.boot({"/etc/statetab.d/test": "/srv/a\n"}, lambda: write("/srv/a/other", "mine"))
        grown = {"/etc/statetab.d/test": "/srv/a\n", "/srv/a/sub/two": "new", "/srv/a/three": "new"}

        def look() -> tuple[list[str], int]:
            contents = [read(f"/srv/a/{name}") for name in ("other", "sub/file", "sub/two", "three")]
            return contents, os.stat("/srv/a").st_mode & 0o777

        assert machine.boot(grown, look)[1] == (["mine", "mine", "new", "new"], 0o755)
        shrunk = {"/srv/a/sub/two": "newer"}
        assert machine.boot(shrunk, lambda: read("/srv/a/sub/two"))[1] == "newer"
        assert machine.boot(shrunk, lambda: read("/srv/a/other"))[1] == "y"


def test_state_is_full() -> None:
    def fill() -> None:
        with contextlib.suppress(OSError), open("/srv/a/full", "wb") as stream:
            while True:
                stream.write(b"x" * 65536)

    with client("/srv/a\n", "files /srv/b\n", size="16m") as machine:
        machine.boot({}, fill)
        new = {"/srv/a/big": "y" * 500_000, "/etc/statetab.d/test": "/srv/a\n/srv/b\n", "/srv/b/big": "y" * 500_000}
        done, seen = machine.boot(new, lambda: (read("/srv/a/other"), os.path.exists("/srv/a/big"), read("/srv/b/big")))
        assert done.status == 1
        assert done.of("state") == ["/srv/a"]
        assert done.of("scratch") == ["/srv/b"]
        assert "/srv/a stays as it was before this image" in done.problems
        assert "/srv/b is not kept" in done.problems
        assert seen == ("y", False, "y" * 500_000)
        # With room again, the next boot does it.
        machine.boot(new, lambda: os.unlink("/srv/a/full"))
        done, seen = machine.boot(new, lambda: len(read("/srv/a/big")))
        assert (done.status, done.of("state"), seen) == (0, ["/srv/a", "/srv/b"], 500_000)


def test_a_client_that_made_a_link_of_what_is_kept() -> None:
    def change() -> None:
        for name, target in (("b", "/etc"), ("file", "/etc/shadow")):
            subprocess.run(["rm", "-r", f"{STATE}/srv/{name}"], check=True)
            os.symlink(target, f"{STATE}/srv/{name}")

    with client("/srv/a\n/srv/b\n/srv/file\n") as machine:
        machine.boot({}, change)
        done, seen = machine.boot({"/srv/b/file": "new"}, lambda: (read("/srv/b/file"), read("/srv/file")))
        assert (done.status, done.of("state"), seen) == (1, ["/srv/a"], ("new", "text"))
        assert "/srv/b is not bound" in done.problems
        # On the way to what is kept: nothing is written where it leads.
        machine.boot({}, lambda: (os.rename(f"{STATE}/srv", f"{STATE}/away"), os.symlink("/run", f"{STATE}/srv")))
        machine.statetab = "/srv/a\n/etc/cron.d\n"
        done, seen = machine.boot({"/run/a/there": ""}, lambda: os.listdir("/run/a"))
        assert (done.status, done.of("state"), seen) == (1, ["/etc/cron.d"], ["there"])


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_state_by_its_label(kind: str) -> None:
    # As long as each kind has them.
    label = "stateless-state-" if kind == "ext4" else "state-label-"

    def boot(mine: bool) -> tuple[Boot, bool]:
        root = Root()
        lists("", "/srv/a\n", STATE_LABEL=label)(root)
        root.enter()
        done = serve()
        seen = os.path.exists("/srv/a/mine")
        write("/srv/a/mine", "kept")
        return done, seen

    with disk(label, "32m" if kind == "ext4" else "310m", kind):
        first, seen = apart(lambda: boot(True))
        assert (first.status, first.of("state"), seen) == (0, ["/srv/a"], False)
        assert apart(lambda: boot(True))[1]


def test_options_of_the_state_and_a_state_that_is_read_only() -> None:
    with disk("other") as device:

        def boot(options: str) -> tuple[Boot, tuple[str, ...]]:
            root = Root()
            lists("files /srv/a\n", "/srv/a\n", STATE_OPTIONS=options)(root)
            root.write("/etc/fstab", f"{device} {STATE} ext4 noauto 0 0\n")
            root.enter()
            done = serve()
            found = _mounts.mounted_at(STATE)
            return done, found.options if found else ()

        done, options = apart(lambda: boot("-o noexec,nosuid"))
        assert done.of("state") == ["/srv/a"]
        assert {"noexec", "nosuid"} <= set(options)
        done, options = apart(lambda: boot("-o ro"))
        assert (done.status, done.of("state"), done.of("scratch")) == (1, [], ["/srv/a"])
        assert "cannot be written" in done.problems


def is_running(process: str) -> bool:
    """Whether the process with that number still is, a second later."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            if read(f"/proc/{process}/stat").rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.05)
    return True


def test_a_device_that_may_be_missing_is_no_failure() -> None:
    def missing(root: Root) -> None:
        lists("files /srv/a\n", "/srv/a\n")(root)
        fstab = f"LABEL=nobody {STATE} ext4 noauto,nofail 0 0\n/dev/nothing {SCRATCH} ext4 noauto,nofail 0 0\n"
        root.write("/etc/fstab", fstab)
        mounting.DEVICE_PATIENCE = 1

    done, _said = booted(missing, lambda: None)
    assert done.problems == ""
    assert (done.status, done.of("state"), done.of("scratch")) == (0, [], ["/srv/a"])
    assert "there is no state" in done.notes


def test_a_device_that_is_missing_and_a_server_that_is_away_do_not_stop_the_boot() -> None:
    def missing(root: Root) -> None:
        lists("files /srv/a\n", "/srv/a\n")(root)
        root.write("/etc/fstab", f"LABEL=nobody {STATE} ext4 noauto 0 0\n")
        mounting.DEVICE_PATIENCE = 1

    def away(root: Root) -> None:
        lists("files /srv/a\n", "/srv/a\n", CLIENTSTATE="server:/state", STATE_LABEL="")(root)
        # What mount(8) runs for NFS, and what it is when the server does not answer.
        root.write("/sbin/mount.nfs", '#!/bin/sh\necho $$ > /run/helper\necho "$@" >> /run/helper\nsleep 100\n')
        os.chmod(f"{root.path}/sbin/mount.nfs", 0o755)
        mounting.PATIENCE = 2
        subprocess.run(["hostname", "client7"], check=True)

    for prepare in (missing, away):
        begun = time.monotonic()
        done, said = booted(prepare, lambda: read("/run/helper").split("\n") if os.path.exists("/run/helper") else [])
        assert time.monotonic() - begun < 8
        assert (done.status, done.of("state"), done.of("scratch")) == (1, [], ["/srv/a"])
        assert "nothing is kept" in done.problems
        if prepare is away:
            assert "no answer within 2 s" in done.problems
            assert said[1].startswith(f"server:/state/client7 {STATE}")
            assert not is_running(said[0])


def test_a_host_without_a_name_has_no_state_on_a_server() -> None:
    def prepare(root: Root) -> None:
        lists("", "/srv/a\n", CLIENTSTATE="server:/state", STATE_LABEL="")(root)
        subprocess.run(["hostname", "localhost"], check=True)

    done, _seen = booted(prepare)
    assert (done.status, "'localhost' is none" in done.problems) == (1, True)


def test_killed_in_the_middle_of_the_first_copy() -> None:
    """The real program, killed while cp is at work; the next boot has the whole."""
    with client("/srv/big\n") as machine:
        big = {"/srv/big/one": "x" * 4_000_000, "/srv/big/two": "y" * 4_000_000}

        def kill(root: Root) -> None:
            lists("", machine.statetab)(root)
            for path, text in big.items():
                root.write(path, text)
            root.write("/etc/fstab", f"{machine.device} {STATE} auto noauto 0 0\n")
            # cp(1) that stops half way, as power does
            root.write(
                "/usr/local/bin/cp",
                f'#!/bin/sh\n/bin/cp "$@"\ntruncate -s 9 $(find {STATE} -name two)\nkill -9 $PPID\n',
            )
            os.chmod(f"{root.path}/usr/local/bin/cp", 0o755)

        def boot() -> list[str]:
            root = Root()
            kill(root)
            root.enter()
            child = os.fork()
            if child == 0:
                os.environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
                serve()
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
            return os.listdir(STATE)

        assert "srv" in apart(boot)
        done, seen = machine.boot(big, lambda: read("/srv/big/one") + read("/srv/big/two"))
        assert (done.status, done.of("state")) == (0, ["/srv/big"])
        assert seen == "".join(big.values())
