# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a directory with 10,000 clients in 100 groups, on one slapd that the role configured, in a container.

The container is a server of images, too, so that channels and boot scripts are the real ones; of the machine that it
publishes there is no more than a kernel's name, since nothing boots here. Seconds are those that a user waits for a
command; ``processor`` is how long it kept a processor of this machine busy, ``server`` one for the container (slapd,
and modules that run there).
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import secrets
import shlex
import tempfile
import time
import typing as t

import ldap
import yaml

from ansible_collections.stateless.linux.plugins.module_utils._directory.session import Login, connect
from ansible_collections.stateless.linux.plugins.module_utils._directory.tree import Tree
from ansible_collections.stateless.linux.plugins.module_utils._directory.values import Changes

from .asking import SEARCHES, Asker, ask
from .figures import LAB, Watch, figure, run
from .searches import LEVEL, searches

NAME = "directory"
_LAB = "bench-directory"
_TREE = Tree("o=stateless")
_CLIENTS, _GROUPS = 10_000, 100
_PROTOSYSTEM = "lab-desktop"
#: So many clients ask at once, for so many seconds.
_ASKERS, _ASKING = (1, 8, 64), 10.0
#: Seconds after which a command that hangs is given up.
_PATIENCE = 900.0
_SYSTEM = """\
install -d /root/system/boot /root/system/etc /root/system/usr
touch /root/system/boot/vmlinuz-1.0 /root/system/boot/initrd.img-1.0
echo ID=debian > /root/system/etc/os-release"""

_LOG = """\
import ldap, sys
link = ldap.initialize("ldapi:///")
link.sasl_external_bind_s()
level = [one.encode() for one in sys.argv[1:]] or None
link.modify_s("cn=config", [(ldap.MOD_REPLACE, "olcLogLevel", level)])"""


def _name(number: int) -> str:
    return f"pc{number:05}"


class Fleet:
    """A container that serves the directory, and this machine as the one that Ansible runs on."""

    def __init__(self, place: pathlib.Path) -> None:
        self._place = place
        names = ("alice", "watch", *map(_name, range(max(_ASKERS))))
        self._passwords = {name: secrets.token_hex(12) for name in names}
        self._uri = ""
        self._inventory = str(place / "lab.json")
        self._trusted = place / "trusted.pem"

    # -- what there is

    def serve(self) -> None:
        """Start the container, and have the roles make a directory and a server of it."""
        run(LAB, "up", _LAB, timeout=_PATIENCE)
        lab = yaml.safe_load(run(LAB, "inventory", _LAB))
        settings = lab["all"]["vars"]
        self._uri = f"ldaps://{settings['lab_server_address']}"
        settings["stateless_environment"] = {"http_proxy": settings["lab_http_proxy"]}
        settings["directory_identities"] = [
            {"name": "alice", "kind": "administrators", "password": self._passwords["alice"]},
            {"name": "watch", "kind": "clients", "password": self._passwords["watch"]},
        ]
        settings["server_nfs"] = False
        settings["server_directory"] = {"server_uri": "ldapi:///"}
        lab["all"]["children"] |= {group: {"hosts": {"server": {}}} for group in ("directories", "servers")}
        pathlib.Path(self._inventory).write_text(json.dumps(lab))
        for playbook in ("directory", "server"):
            self._ansible("ansible-playbook", "-i", self._inventory, f"stateless.linux.{playbook}")
        self._trusted.write_text(self.shell("cat /etc/stateless/directory/ca.pem"))
        self.shell(_SYSTEM)
        self.task("protosystem", {"name": _PROTOSYSTEM, "tree": "/root/system", "size": "64M"})
        for serial in (1, 2):
            self.task("snapshot", {"protosystem": _PROTOSYSTEM, "always": True})
            self.task("image", {"protosystem": _PROTOSYSTEM, "serial": serial, "formats": ["ram"], "channel": "stable"})

    def shell(self, command: str) -> str:
        """Run a shell command in the container; its output."""
        return run(LAB, "ssh", _LAB, "server", command, timeout=_PATIENCE)

    def watch(self) -> Watch:
        """Measure, the container included."""

        def there() -> float:
            used = re.search(r"usage_usec (\d+)", self.shell("cat /sys/fs/cgroup/cpu.stat"))
            return int(used[1]) / 1e6 if used else 0.0

        return Watch(there)

    def login(self, dn: str, name: str) -> Login:
        """How *name*, who is the entry *dn*, logs in."""
        return Login(self._uri, dn=dn, password=self._passwords[name], ca_path=str(self._trusted))

    def _options(self) -> dict[str, str]:
        """How whoever may only look logs in, as options of modules."""
        login = self.login(_TREE.identity("clients", "watch"), "watch")
        return {"server_uri": login.uri, "ca_path": login.ca_path, "bind_dn": login.dn, "bind_pw": login.password}

    # -- what Ansible does with it

    @staticmethod
    def _ansible(*argv: str) -> str:
        env = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_LOCALHOST_WARNING": "false"}
        return run(*argv, env=env, timeout=_PATIENCE)

    def task(self, module: str, options: t.Mapping[str, t.Any]) -> bool:
        """Run one task on the server; whether it changed anything."""
        play, values = self._place / "task.json", self._place / "values.json"
        # What is long is a variable, as it would be in an inventory.
        values.write_text(json.dumps({f"bench_{name}": value for name, value in options.items()}))
        given = {name: f"{{{{ bench_{name} }}}}" for name in options}
        task = {f"stateless.linux.{module}": given}
        play.write_text(json.dumps([{"hosts": "server", "gather_facts": False, "tasks": [task]}]))
        said = self._ansible("ansible-playbook", "-i", self._inventory, "-e", f"@{values}", str(play))
        return re.search(r" changed=1 ", said) is not None

    def measure(self, what: str, module: str, options: t.Mapping[str, t.Any], changes: bool = True) -> None:
        """Print the figure of a task, which must change something or not."""
        with self.watch() as watch:
            changed = self.task(module, options)
        if changed != changes:
            raise SystemExit(f"{what}: changed is {changed}, not {changes}")
        figure(what, **watch.told())

    def load(self) -> None:
        """Print the figures of having the clients."""
        rooms = [f"room{number:02}" for number in range(_GROUPS)]
        self.measure("make the groups", "directory_group", {"groups": [{"name": name} for name in rooms]})
        macs = (
            f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
            for number in range(_CLIENTS)
        )
        clients = [
            {"name": _name(number), "mac": [mac], "groups": [rooms[number % _GROUPS]]}
            for number, mac in enumerate(macs)
        ]
        options = {"clients": clients, "others": {"protosystem": _PROTOSYSTEM, "channel": "stable"}}
        self.measure("make the clients", "directory_client", options)
        self.measure("make the clients, again", "directory_client", options, changes=False)
        clients[0]["description"] = "another"
        self.measure("make the clients, one has changed", "directory_client", options)
        askers = [{"name": _name(number), "password": self._passwords[_name(number)]} for number in range(max(_ASKERS))]
        self.task("directory_client", {"clients": askers})

    def report(self) -> None:
        """Print the figure of what all clients report, one after another."""
        session = connect(self.login(_TREE.identity("administrators", "alice"), "alice"))
        running = {"Protosystem": _PROTOSYSTEM, "Serial": "1", "Digest": "sha256:" + 64 * "0", "Format": "ram"}
        said = {f"statelessRunning{name}": value for name, value in running.items()}
        said |= {"statelessRunningSince": "20260102030405Z", "statelessReported": "20260102030405Z"}
        changes: Changes = [(ldap.MOD_REPLACE, name, [value.encode()]) for name, value in said.items()]
        with self.watch() as watch:
            for number in range(_CLIENTS):
                session.modify(_TREE.client(_name(number)), changes)
        figure("reports of all clients", **watch.told(), rate=f"{_CLIENTS / watch.seconds:.0f}/s")

    def move(self) -> None:
        """Print the figures of a channel that all follow, and of all boot scripts."""
        for serial in (1, 2):
            options = {"protosystem": _PROTOSYSTEM, "serial": serial, "channel": "stable"}
            self.measure(f"point the channel of all at snapshot {serial}", "image", options)
        self.measure("boot scripts, all new", "boot_scripts", {})
        self.measure("boot scripts, none", "boot_scripts", {}, changes=False)
        self.task("directory_client", {"name": _name(1), "kernel_arguments": ["quiet"]})
        self.measure("boot scripts, one has changed", "boot_scripts", {})
        self.task("directory_client", {"others": {"kernel_arguments": ["quiet"]}})
        self.measure("boot scripts, all have changed", "boot_scripts", {})
        found = int(self.shell("grep -l quiet /srv/stateless/www/boot/clients/*.ipxe | wc -l"))
        if found != _CLIENTS:
            raise SystemExit(f"{found} boot scripts are as they should be, not {_CLIENTS}")

    def inventory(self) -> None:
        """Print the figures of the inventory, and what Ansible needs for the same hosts and groups from a file."""
        source, plain = self._place / "fleet.stateless.yml", self._place / "plain.json"
        source.write_text(yaml.safe_dump({"plugin": "stateless.linux.directory", **self._options()}))
        told = json.loads(self._ansible("ansible-inventory", "-i", str(source), "--list"))
        groups = {name: {"hosts": dict.fromkeys(one["hosts"])} for name, one in told.items() if "hosts" in one}
        plain.write_text(json.dumps(groups))
        for what, inventory in (("the directory", source), ("a file without variables", plain)):
            for argv in (("ansible-inventory", "--list"), ("ansible", "all", "--list-hosts")):
                with self.watch() as watch:
                    said = self._ansible(*argv, "-i", str(inventory))
                if _name(_CLIENTS - 1) not in said:
                    raise SystemExit(f"{' '.join(argv)} of {what} does not know {_name(_CLIENTS - 1)}")
                figure(f"{argv[0]} {argv[-1]}, {what}", **watch.told(), bytes=len(said))

    def status(self) -> None:
        """Print the figure of the playbook status."""
        page, values = self._place / "status.html", self._place / "login.json"
        options = {f"status_{name}": value for name, value in self._options().items()}
        values.write_text(json.dumps({**options, "status_page": str(page)}))
        with self.watch() as watch:
            said = self._ansible("ansible-playbook", "stateless.linux.status", "-e", f"@{values}")
        figure("playbook status, table and page", **watch.told(), bytes=len(said), page=page.stat().st_size)

    # -- what clients do with it

    def _askers(self, count: int) -> list[Asker]:
        """So many clients, each with a password of its own."""
        names = [_name(number) for number in range(count)]
        return [Asker(name, self.login(_TREE.client(name), name), _TREE) for name in names]

    def ask(self) -> None:
        """Print how often clients learn what they should run; milliseconds of processors are those of one answer."""
        for count in _ASKERS:
            with self.watch() as watch:
                found = ask(self._askers(count), _ASKING)
            answers = found.rate * _ASKING
            figure(
                f"what should I run, {count} at once",
                answers=f"{found.rate:.0f}/s",
                searches=f"{found.rate * SEARCHES:.0f}/s",
                median=f"{found.median * 1e3:.1f}ms",
                ninth_of_ten=f"{found.most * 1e3:.1f}ms",
                processor=f"{watch.here / answers * 1e3:.2f}ms",
                server=f"{watch.away / answers * 1e3:.2f}ms",
            )

    def look_up(self) -> None:
        """Print what slapd's log says of the searches of one client.

        :raises SystemExit: one has no index, or looks at more entries than it finds.
        """
        (asker,) = self._askers(1)
        session = connect(asker.login)
        self._log(*LEVEL)
        try:
            mark = self.shell("date +%s").strip()
            time.sleep(1.1)
            asker.ask(session)
            time.sleep(1)
            log = self.shell(f"journalctl -u slapd -o cat --since=@{mark}")
        finally:
            self._log()
        found = searches(log)
        for number, one in enumerate(found, 1):
            figure(f"search {number} of an answer", **dataclasses.asdict(one))
        if len(found) != SEARCHES or any(one.unindexed or one.examined > one.found for one in found):
            raise SystemExit(f"these are not {SEARCHES} look-ups in indexes")

    def _log(self, *level: str) -> None:
        """Have slapd log at *level*; without one, as it does by itself."""
        self.shell(f"python3 -c {shlex.quote(_LOG)} {' '.join(level)}")


def measure() -> None:
    """Measure in a container of its own."""
    run(LAB, "down", _LAB)
    with tempfile.TemporaryDirectory(prefix="stateless-bench-") as place:
        fleet = Fleet(pathlib.Path(place))
        try:
            fleet.serve()
            fleet.load()
            fleet.report()
            fleet.look_up()
            fleet.ask()
            fleet.move()
            fleet.inventory()
            fleet.status()
        finally:
            run(LAB, "down", _LAB)
