# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot scripts follow a real directory, and what is wrong in it stops nobody else."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

import ldap
import pytest

from ansible_collections.stateless.linux.plugins.module_utils import _files
from ansible_collections.stateless.linux.plugins.module_utils._boot.ipxe import channel_script, channel_serial
from ansible_collections.stateless.linux.plugins.module_utils._boot_scripts.resolved import resolved
from ansible_collections.stateless.linux.plugins.module_utils._boot_scripts.state import Wanted, state
from ansible_collections.stateless.linux.plugins.module_utils._boot_scripts.wanted import warnings
from ansible_collections.stateless.linux.plugins.module_utils._directory import clients, fleet, groups
from ansible_collections.stateless.linux.plugins.module_utils._directory.connection import LdapFailed
from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Session
from ansible_collections.stateless.linux.plugins.module_utils._directory.values import Raw
from ansible_collections.stateless.linux.plugins.module_utils._errors import StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome
from ansible_collections.stateless.linux.tests.unit.boot_scripts.place import (
    LocalServer,
    directory_json,
    local,
    mac,
    publish,
    tree,
)
from ansible_collections.stateless.linux.tests.unit.directory.served import SECRET, TREE, Directory

DEFAULT = "default.ipxe"


def file(number: int) -> str:
    return f"clients/{mac(number).replace(':', '-')}.ipxe"


@dataclasses.dataclass
class Site:
    """A server with its directory; protosystem desk is published in both."""

    directory: Directory
    server: LocalServer
    place: pathlib.Path

    def run(self, check: bool = False, **login: str) -> Outcome:
        said = {"server_uri": self.directory.uri, "bind_dn": TREE.identity("publishers", "paul"), "bind_pw": SECRET}
        return state(self.server, Wanted(lock_timeout=1), check, directory_json(self.place, **{**said, **login}))

    def have(self, name: str, *macs: str, **said: t.Any) -> None:
        wanted = clients.Wanted(name, mac=macs, groups=said.pop("groups", None), said=said)
        clients.state(self.directory.session, self.directory.passwords, TREE, [wanted], False)

    def group(self, name: str, **said: t.Any) -> None:
        groups.state(self.directory.session, TREE, [groups.Wanted(name, said=said)], False)

    def overwrite(self, dn: str, attribute: str, *values: str) -> None:
        """Have a value that no module of ours writes."""
        self.directory.root.modify(dn, [(ldap.MOD_REPLACE, attribute, [one.encode() for one in values])])

    def script(self, name: str) -> list[str]:
        return tree(self.server)[name].splitlines()

    def chain(self, name: str) -> str:
        (found,) = (line for line in self.script(name) if line.startswith("chain "))
        return found.split()[2]

    def pointer(self, protosystem: str, channel: str) -> int:
        path = self.server.channel(protosystem, channel)
        return channel_serial(_files.read(path) or "", path)


@pytest.fixture
def site(directory: Directory, tmp_path: pathlib.Path) -> Site:
    made = Site(directory, local(tmp_path), tmp_path)
    directory.protosystem("desk", "stable", {"stable": 2, "testing": 3}, {1: "", 2: "", 3: ""})
    for serial in (1, 2, 3):
        publish(made.server, "desk", serial)
    directory.assign_all(**{f"statelessAssigned{name}": "" for name in ("Protosystem", "Channel", "Format")})
    return made


def test_each_is_sent_to_where_its_assignment_leads(site: Site) -> None:
    site.group("lab", protosystem="desk", channel="testing", format="ram", kernel_arguments=["quiet"])
    site.have("pc1", mac(1), mac(11), protosystem="desk")
    site.have("pc2", mac(2), protosystem="desk", serial=1, kernel_arguments=["splash", "a=b"])
    site.have("pc3", mac(3), groups=["lab"])
    outcome = site.run()
    assert (outcome.warnings, outcome.result["problems"]) == ([], [])
    assert sorted(tree(site.server)) == sorted([file(1), file(11), file(2), file(3), DEFAULT])
    assert site.chain(file(1)) == "../../images/desk/channels/stable.ipxe"
    assert site.script(file(1)) == site.script(file(11))
    assert site.chain(file(2)) == "../../images/desk/1/nfs.ipxe"
    assert "set stateless-arguments systemd.hostname=pc2 splash a=b stateless.client=pc2" in site.script(file(2))
    assert site.chain(file(3)) == "../../images/desk/channels/testing.ipxe"
    assert site.script(file(3))[2:4] == [
        "set stateless-format ram",
        "set stateless-arguments systemd.hostname=pc3 quiet stateless.client=pc3",
    ]
    assert site.script(DEFAULT)[-1] == "exit 1"
    assert outcome.result["channels"] == {"desk/stable": 2, "desk/testing": 3}
    assert not site.run().plan.changed


def test_a_channel_that_moves_rewrites_its_pointer_alone(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk")
    site.run()
    site.overwrite(TREE.channel("desk", "stable"), "statelessSerial", "3")
    for check in (True, False):
        outcome = site.run(check)
        assert [step.text for step in outcome.plan.steps] == ["point channel stable at serial 3"]
        assert (outcome.plan.before["channels"], outcome.plan.after["channels"]) == (
            {"desk/stable": 2},
            {"desk/stable": 3},
        )
        assert site.pointer("desk", "stable") == (2 if check else 3)


def test_a_channel_stays_where_its_image_is_not_here(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk")
    site.run()
    site.overwrite(TREE.channel("desk", "stable"), "statelessSerial", "4")
    outcome = site.run()
    assert not outcome.plan.changed
    assert outcome.warnings == [
        "channel stable of desk is to point at serial 4, which is not published: it stays at serial 2",
        "there is no snapshot 4 of desk in the directory (pc1)",
    ]
    assert site.pointer("desk", "stable") == 2


def test_what_a_killed_run_of_image_has_left_is_brought_together(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk", serial=4)
    site.run()
    publish(site.server, "desk", 4)
    site.directory.root.delete(TREE.image("desk", 3, "ram"))
    outcome = site.run()
    assert {one.split(" in the directory")[0] for one in (step.text for step in outcome.plan.steps)} == {
        "add snapshot 4 of desk",
        "add image 4 of desk as nfs",
        "add image 4 of desk as ram",
        "add image 3 of desk as ram",
    }
    assert outcome.warnings == []
    assert not site.run().plan.changed


def test_a_protosystem_that_somebody_changes_is_left_alone(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk")
    with _files.lock(site.server.change_lock("desk"), "held"):
        outcome = site.run()
    assert "the channels and images of desk are left as they are: another run is changing" in outcome.warnings[0]
    assert site.chain(file(1)) == "../../images/desk/channels/stable.ipxe"


def test_a_channel_that_is_only_a_file_goes_into_the_directory(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk", channel="old")
    path = site.server.channel("desk", "old")
    _files.write(path, channel_script("desk", "old", 1))
    assert site.run().warnings == []
    assert site.pointer("desk", "old") == 1
    assert TREE.channel("desk", "old") in site.directory.dump(TREE.protosystems)


def test_machines_without_an_entry_boot_what_is_said_for_all(site: Site) -> None:
    site.directory.assign_all(statelessAssignedProtosystem="desk", statelessAssignedFormat="ram")
    site.run()
    assert site.chain(DEFAULT) == "../images/desk/channels/stable.ipxe"
    assert not any("stateless.client" in line for line in site.script(DEFAULT))
    site.directory.assign_all(statelessAssignedProtosystem="gone")
    outcome = site.run()
    assert outcome.result["problems"] == [{"client": None, "problem": "there is no protosystem gone in the directory"}]
    assert site.script(DEFAULT)[2:] == [
        "echo stateless.linux: there is no protosystem gone in the directory: starting anew in 10 seconds",
        "sleep 10",
        "reboot",
    ]


def test_a_client_without_an_assignment_boots_nothing_whatever_it_had(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk")
    site.have("pc2", mac(2))
    site.run()
    site.have("pc1", protosystem="", channel="")
    outcome = site.run()
    assert outcome.warnings == ["nothing is assigned in the directory (pc1, pc2)"]
    for number in (1, 2):
        assert not any(line.startswith("chain") for line in site.script(file(number)))
        assert site.script(file(number))[2].startswith("echo stateless.linux: nothing is assigned")
        assert site.script(file(number))[-1] == "reboot"
    assert site.run().plan.changed is False


def test_what_is_not_published_is_told_and_boots_as_soon_as_it_is(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk", channel="beta")
    site.have("pc2", mac(2), protosystem="desk", serial=9, format="ram")
    publish(site.server, "desk", 4, "nfs")
    site.run()
    site.overwrite(TREE.channel("desk", "stable"), "statelessSerial", "4")
    site.have("pc3", mac(3), protosystem="desk", format="ram")
    outcome = site.run()
    told = {one["client"]: one["problem"] for one in outcome.result["problems"]}
    assert told == {
        "pc1": "desk has no channel beta; there is: stable, testing",
        "pc2": "there is no snapshot 9 of desk in the directory",
        "pc3": "snapshot 4 of desk is published as nfs, not as ram",
    }
    assert site.chain(file(1)) == "../../images/desk/channels/beta.ipxe"
    assert "echo desk has no channel beta: starting anew in 10 seconds" in site.script(file(1))
    assert site.chain(file(2)) == "../../images/desk/9/ram.ipxe"
    assert "echo desk 9 is not published as ram: starting anew in 10 seconds" in site.script(file(2))
    assert site.chain(file(3)) == "../../images/desk/channels/stable.ipxe"


def test_what_is_only_in_the_directory_is_told(site: Site) -> None:
    site.directory.protosystem("kiosk", "stable", {"stable": 1}, {1: ""})
    site.have("pc1", mac(1), protosystem="kiosk")
    outcome = site.run()
    assert outcome.warnings[-1] == (
        "snapshot 1 of kiosk is not published here as nfs, though the directory says so (pc1)"
    )


def test_a_client_that_is_gone_renamed_or_has_another_card(site: Site) -> None:
    for number in (1, 2, 3):
        site.have(f"pc{number}", mac(number), protosystem="desk")
    site.run()
    site.directory.session.delete(TREE.client("pc1"))
    site.directory.session.rename(TREE.client("pc2"), "cn=door")
    site.overwrite(TREE.client("pc3"), "macAddress", mac(4))
    outcome = site.run()
    assert outcome.result["removed"] == [file(1), file(3)]
    assert outcome.result["written"] == [file(2), file(4)]
    assert any("stateless.client=door" in line for line in site.script(file(2)))


#: What no module of ours writes, by attribute; all of it would be read by iPXE or lead out of the directory of images.
INJECTED = {
    "statelessAssignedProtosystem": ["../../etc", "a/b", "${net0/mac}", "a || shell", "a\nshell", "Desk", "é", "-x9"],
    "statelessAssignedChannel": ["..", "../../x", "${x}", "x || shell", "#!ipxe", "&&", "x\nshell", "日本"],
    "statelessAssignedFormat": ["../x", "iscsi", "nfs || shell", "${x}"],
    "statelessKernelArguments": ["a=${net0/mac}", "quiet || shell", "x && shell", "#!ipxe", 'a="b', "é", "-x", "a\\b"],
}


def lax(dn: str, attribute: str, value: str) -> t.Callable[..., list[tuple[str, Raw]]]:
    """Session.search of a server that has one more value."""
    search = Session.search

    def found(session: Session, *arguments: t.Any) -> list[tuple[str, Raw]]:
        more = {attribute.lower(): [value.encode()]}
        return [(at, {**raw, **more} if at == dn else raw) for at, raw in search(session, *arguments)]

    return found


@pytest.mark.parametrize(("attribute", "value"), [(name, value) for name, all_ in INJECTED.items() for value in all_])
@pytest.mark.parametrize("where", ["client", "group", "others"])
def test_an_entry_that_cannot_be_used_is_left_out_and_the_old_script_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: str, attribute: str, value: str
) -> None:
    site.group("lab", protosystem="desk")
    site.have("pc1", mac(1), groups=["lab"])
    site.have("pc2", mac(2), protosystem="desk", channel="stable", format="nfs", kernel_arguments=["quiet"])
    site.run()
    before = tree(site.server)
    dn = {"client": TREE.client("pc1"), "group": TREE.group("lab"), "others": TREE.clients}[where]
    try:
        site.overwrite(dn, attribute, value)
    except LdapFailed as error:  # our rules do not let it in; a server of the site's may have none
        assert error.kind == "CONSTRAINT_VIOLATION"
        monkeypatch.setattr(Session, "search", lax(dn, attribute, value))
    site.have("pc3", mac(3), groups=["lab"])
    site.have("pc4", mac(4), protosystem="desk", channel="stable", format="nfs", kernel_arguments=["quiet"])
    try:
        outcome = site.run()
        after = tree(site.server)
        for name in (file(1), file(2)):
            assert after[name] == before[name]
        assert site.chain(file(4)) == "../../images/desk/channels/stable.ipxe"
        assert not any(value in text.split("\n", 1)[1].replace("../../images/", "") for text in after.values())
        # What is new has no script that could stay.
        if where == "group":
            assert not any(line.startswith("chain") for line in site.script(file(3)))
            assert {one["client"] for one in outcome.result["problems"]} == {"pc1", "pc3"}
            assert outcome.result["kept"] == [file(1)]
        assert outcome.warnings
        assert all("left out" in one or "Desk" in one for one in outcome.warnings)
        assert not site.run().plan.changed
    finally:
        site.directory.root.modify(dn, [(ldap.MOD_REPLACE, attribute, None)])


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "${net0/mac}",
        "a || shell",
        "&&",
        "#!ipxe",
        "*)(cn=*",
        "a,b",
        'a"b',
        "Zürich",
        "日本",
        "%2e",
        "x" * 64,
    ],
)
def test_a_name_is_data_whatever_is_in_it(site: Site, name: str) -> None:
    site.have(name, mac(1), protosystem="desk")
    site.run()
    script = tree(site.server)[file(1)]
    assert script.isascii() and "\nshell" not in script and " || shell" not in script
    assert "${" not in script
    assert sum("stateless.client=" in line for line in site.script(file(1))) == 2
    assert site.chain(file(1)) == "../../images/desk/channels/stable.ipxe"


@pytest.mark.parametrize("name", ["a\nshell", "\u202ea", "x" * 65])
def test_a_name_that_no_module_gives_is_left_out(site: Site, name: str) -> None:
    classes = [b"device", b"ieee802Device", b"statelessClient"]
    site.directory.root.add(
        TREE.client(name),
        {
            "objectClass": classes,
            "cn": [name.encode()],
            "macAddress": [mac(1).encode()],
            "statelessAssignedProtosystem": [b"desk"],
        },
    )
    site.have("pc2", mac(2), protosystem="desk")
    outcome = site.run()
    assert site.script(file(1))[2].startswith("echo stateless.linux: what the directory says of this machine cannot")
    assert site.chain(file(2)) == "../../images/desk/channels/stable.ipxe"
    assert len(outcome.warnings) == 1 and outcome.warnings[0].isprintable()


def test_addresses_that_a_server_without_our_rules_lets_in(site: Site) -> None:
    for number in (1, 2, 3):
        site.have(f"pc{number}", mac(number), protosystem="desk")
    site.run()
    found = fleet.read(site.directory.session, TREE)
    one, two, three = found.clients
    wrong = [
        dataclasses.replace(one, macs=("../../x", "a\0", mac(1))),
        dataclasses.replace(two, macs=(mac(1),)),
        three,
    ]
    scripts = resolved(dataclasses.replace(found, clients=wrong), True, lambda _answer: "")
    assert sorted(scripts.files) == [file(1), file(3), DEFAULT]
    assert scripts.files[file(1)].spare and not scripts.files[file(3)].spare
    assert "chain" not in scripts.files[file(1)].text
    told = warnings(scripts.problems)
    assert len(told) == 3
    assert "mac: '../../x' cannot be used" in told[0]
    assert f"mac: {mac(1)} is said to be that of pc1 and pc2, so neither counts for it (pc2)" in told


def test_many_that_have_one_problem_are_one_warning(site: Site) -> None:
    for number in range(8):
        site.have(f"pc{number}", mac(number))
    assert site.run().warnings == ["nothing is assigned in the directory (pc0, pc1, pc2, pc3, pc4 and 3 more)"]


def test_what_cannot_be_seen_is_not_taken_for_gone(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk")
    clients.state(
        site.directory.session,
        site.directory.passwords,
        TREE,
        [clients.Wanted("pc1", password=SECRET, said={})],
        False,
    )
    site.run()
    before = tree(site.server)
    for login, told in (
        ({"bind_dn": TREE.client("pc1")}, "is a client, which sees itself alone"),
        ({"suffix": "o=other"}, "there is no entry ou=clients,o=other, or "),
        ({"bind_pw": "wrong"}, "the password is wrong"),
        ({"server_uri": "ldapi://%2Fnonexistent"}, "the server does not answer"),
    ):
        with pytest.raises(StatelessError, match=told):
            site.run(**login)
        assert tree(site.server) == before


def test_a_run_that_is_asked_only_changes_nothing(site: Site) -> None:
    site.have("pc1", mac(1), protosystem="desk")
    before = site.directory.dump()
    outcome = site.run(check=True)
    assert outcome.result["written"] == [file(1), DEFAULT]
    assert outcome.result["channels"] == {"desk/stable": 2, "desk/testing": 3}
    assert site.directory.dump() == before
    assert not os.path.exists(site.server.boot)
    assert not os.path.exists(site.server.channel("desk", "stable"))
