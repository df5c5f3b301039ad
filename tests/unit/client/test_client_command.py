# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module client_command changes in a root."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.stateless.linux.plugins.module_utils._client import files, state
from ansible_collections.stateless.linux.plugins.module_utils._errors import InvalidValue, StatelessError
from ansible_collections.stateless.linux.plugins.module_utils._plan import Outcome

UNITS = "etc/systemd/system"
LINK = f"{UNITS}/timers.target.wants/stateless-report.timer"
ALL = {
    "etc/stateless/client.json",
    "usr/bin/stateless",
    f"{UNITS}/stateless-report.service",
    f"{UNITS}/stateless-report.timer",
    LINK,
}


def apply(root: pathlib.Path, check: bool = False, **options: t.Any) -> Outcome:
    given = {"server_uri": "ldaps://srv1", "suffix": "o=stateless", "start_tls": False, "ca": None, "ca_path": None}
    given["caching"] = None
    return state.apply({"root": str(root), "state": "present", **given, **options}, check)


def there(root: pathlib.Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or path.is_file()}


CACHING = {"urls": ["http://srv1"], "keep": 2, "tries": 3, "limit": 0, "update_interval": "1h"}
CACHED = {
    "etc/stateless/cached.json",
    *(f"{UNITS}/stateless-{name}" for name in ("health.service", "install.service", "trial.service", "trial.timer")),
    *(f"{UNITS}/stateless-{name}" for name in ("update.service", "update.timer")),
    *(f"{UNITS}/multi-user.target.wants/stateless-{name}.service" for name in ("health", "install")),
    f"{UNITS}/sysinit.target.wants/stateless-trial.timer",
    f"{UNITS}/timers.target.wants/stateless-update.timer",
    f"{UNITS}/systemd-bless-boot.service",
    f"{UNITS}/e2scrub_all.timer",
    f"{UNITS}/lvm2-monitor.service.d/stateless.conf",
}


def test_a_caching_client_has_its_own_files(tmp_path: pathlib.Path) -> None:
    apply(tmp_path, caching=CACHING)
    assert there(tmp_path) == ALL | CACHED
    assert json.loads((tmp_path / "etc/stateless/cached.json").read_text())["keep"] == 2
    assert "OnActiveSec=1h" in (tmp_path / UNITS / "stateless-update.timer").read_text()
    assert not apply(tmp_path, caching=CACHING).plan.changed
    # without a directory, and without a timer
    apply(tmp_path, caching={**CACHING, "update_interval": ""}, server_uri=None)
    gone = {f"{UNITS}/stateless-update.timer", f"{UNITS}/timers.target.wants/stateless-update.timer"}
    assert there(tmp_path) == CACHED - gone | {"usr/bin/stateless"}
    apply(tmp_path)
    assert there(tmp_path) == ALL


def test_systemd_takes_the_units_of_a_caching_client(tmp_path: pathlib.Path) -> None:
    apply(tmp_path, caching=CACHING)
    units = [f"{tmp_path}/{UNITS}/{name}" for name in os.listdir(tmp_path / UNITS) if name.startswith("stateless-")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "stateless-" in line and "not executable" not in line] == []


@pytest.mark.parametrize(
    ("name", "value"), [("urls", []), ("urls", ["ftp://x"]), ("keep", 0), ("tries", 10), ("update_interval", "soon")]
)
def test_settings_of_a_caching_client_that_cannot_work_are_refused(
    tmp_path: pathlib.Path, name: str, value: object
) -> None:
    with pytest.raises(InvalidValue, match=name):
        apply(tmp_path, caching={**CACHING, name: value})
    assert there(tmp_path) == set()


def test_a_unit_of_the_administrators_stays(tmp_path: pathlib.Path) -> None:
    (tmp_path / UNITS).mkdir(parents=True)
    own = tmp_path / UNITS / "systemd-bless-boot.service"
    own.write_text("[Service]\nExecStart=true\n")
    apply(tmp_path, caching=CACHING)
    apply(tmp_path)
    assert own.read_text() == "[Service]\nExecStart=true\n"


def certificate(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_it_is_made_once_and_taken_away_again(tmp_path: pathlib.Path) -> None:
    planned = apply(tmp_path, check=True)
    assert planned.plan.changed
    assert there(tmp_path) == set()
    made = apply(tmp_path)
    assert [step.text for step in made.plan.steps] == [step.text for step in planned.plan.steps]
    assert there(tmp_path) == ALL
    assert os.readlink(tmp_path / LINK) == "/etc/systemd/system/stateless-report.timer"
    assert (tmp_path / "usr/bin/stateless").stat().st_mode & 0o777 == 0o755
    assert json.loads((tmp_path / "etc/stateless/client.json").read_text()) == {
        "server_uri": "ldaps://srv1",
        "start_tls": False,
        "suffix": "o=stateless",
    }
    assert not apply(tmp_path).plan.changed
    assert not apply(tmp_path, check=True).plan.changed
    assert [step.text for step in apply(tmp_path, server_uri="ldaps://srv2").plan.steps] == [
        "change /etc/stateless/client.json"
    ]
    assert apply(tmp_path, state="absent", check=True).plan.changed
    assert apply(tmp_path, state="absent").plan.changed
    assert there(tmp_path) == set()
    assert not apply(tmp_path, state="absent").plan.changed


def test_the_program_runs_and_another_python_s_is_no_change(tmp_path: pathlib.Path) -> None:
    apply(tmp_path)
    program = tmp_path / "usr/bin/stateless"
    done = subprocess.run([str(program), "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "exit status of status:" in done.stdout
    assert subprocess.run([str(program), "nothing"], capture_output=True, check=False).returncode == 2
    program.write_bytes(program.read_bytes()[:1000])
    assert [step.text for step in apply(tmp_path).plan.steps] == ["change /usr/bin/stateless"]


def test_it_runs_without_anything_but_python(tmp_path: pathlib.Path) -> None:
    """Without python-ldap, too: what was known last can still be told."""
    program = tmp_path / "stateless"
    program.write_bytes(files.COMMAND.packed)
    code = (
        "import importlib, sys, zipfile\n"
        "sys.path[:] = [path for path in sys.path if 'packages' not in path]\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "for name in zipfile.ZipFile(sys.argv[1]).namelist():\n"
        "    if name.endswith('.py') and not name.startswith('__main__') and '__init__' not in name:\n"
        "        importlib.import_module(name[:-3].replace('/', '.'))\n"
        "assert not any(name.startswith(('ansible', 'ldap')) for name in sys.modules)\n"
        "from stateless._directory.connection import MISSING\n"
        "assert MISSING\n"
        "print(len(sys.modules))\n"
    )
    line = ["/usr/bin/python3", "-I", "-c", code, str(program)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [name for name in files.COMMAND.sources if "_module.py" in name or "_readonly_root" in name]


def test_certificates_to_trust_are_written(tmp_path: pathlib.Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    given = certificate(key)
    apply(tmp_path, ca=given)
    assert (tmp_path / "etc/stateless/directory.pem").read_text() == given
    said = json.loads((tmp_path / "etc/stateless/client.json").read_text())
    assert said["ca_path"] == "/etc/stateless/directory.pem"
    assert not apply(tmp_path, ca=given + "\n").plan.changed
    # One of the image's own instead: ours goes.
    (tmp_path / "etc/ca.pem").write_text(given)
    apply(tmp_path, ca_path="/etc/ca.pem")
    assert not (tmp_path / "etc/stateless/directory.pem").exists()

    before = there(tmp_path)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret = key.private_bytes(*form).decode()
    with pytest.raises(InvalidValue, match="there is a private key in it") as caught:
        apply(tmp_path, ca=given + secret)
    assert secret.split("\n")[1] not in str(caught.value)
    assert there(tmp_path) == before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"server_uri": "ldap://srv1"}, "server_uri: 'ldap://srv1' cannot be used: the password would be readable"),
        ({"server_uri": ""}, "server_uri: give the URI"),
        ({"server_uri": "srv1"}, "give a URI such as"),
        ({"suffix": "nothing"}, "suffix: 'nothing' cannot be used"),
        ({"ca": "no certificate"}, "ca: 'no certificate' cannot be used: give certificates in PEM"),
        ({"ca": ""}, "ca: '' cannot be used"),
        ({"ca_path": "/etc/nowhere.pem"}, "ca_path: '/etc/nowhere.pem' cannot be used: there is no such file in "),
        ({"root": "/nowhere/at/all"}, "root: '/nowhere/at/all' cannot be used"),
    ],
)
def test_options_that_cannot_work_change_nothing(tmp_path: pathlib.Path, wrong: dict[str, str], told: str) -> None:
    with pytest.raises(StatelessError) as caught:
        apply(**{"root": tmp_path, **wrong})
    assert told in str(caught.value)
    assert there(tmp_path) == set()


def test_a_masked_unit_stays_masked(tmp_path: pathlib.Path) -> None:
    (tmp_path / UNITS).mkdir(parents=True)
    for name in ("service", "timer"):
        os.symlink("/dev/null", tmp_path / UNITS / f"stateless-report.{name}")
    apply(tmp_path)
    assert {os.readlink(tmp_path / UNITS / f"stateless-report.{name}") for name in ("service", "timer")} == {
        "/dev/null"
    }
    assert there(tmp_path) == ALL - {LINK}
    assert not apply(tmp_path).plan.changed
    apply(tmp_path, state="absent")
    assert there(tmp_path) == ALL - {LINK, "usr/bin/stateless", "etc/stateless/client.json"}


def test_a_timer_that_systemctl_has_enabled_is_enabled(tmp_path: pathlib.Path) -> None:
    apply(tmp_path)
    (tmp_path / LINK).unlink()
    os.symlink("../stateless-report.timer", tmp_path / LINK)
    assert not apply(tmp_path).plan.changed
    (tmp_path / LINK).unlink()
    assert [step.text for step in apply(tmp_path).plan.steps] == [f"make /{LINK}"]


def test_a_link_of_the_image_leads_nowhere_outside(tmp_path: pathlib.Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "etc").mkdir(parents=True)
    outside.mkdir()
    os.symlink(outside, root / "etc/stateless")
    with pytest.raises(StatelessError, match="is in the way"):
        apply(root)
    assert there(outside) == set()


@pytest.mark.parametrize("killed", range(5))
def test_a_killed_run_is_finished_by_the_next(tmp_path: pathlib.Path, killed: int) -> None:
    planned = apply(tmp_path, check=True).plan
    for step in planned.steps[:killed]:
        step.act()
    (tmp_path / "etc/stateless").mkdir(parents=True, exist_ok=True)
    (tmp_path / "etc/stateless/.stateless-client.json:x").write_text("{")
    # The timer starts nothing that is not there.
    assert not (tmp_path / LINK).is_symlink() or there(tmp_path) >= ALL
    apply(tmp_path)
    assert there(tmp_path) == ALL
