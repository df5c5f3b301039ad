# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's service as one file."""

from __future__ import annotations

import io
import pathlib
import subprocess
import sys
import zipfile

from ansible_collections.stateless.linux.plugins.module_utils._program import Program
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.boot import service
from ansible_collections.stateless.linux.plugins.module_utils._readonly_root.program import SERVICE


def test_it_runs_by_itself(tmp_path: pathlib.Path) -> None:
    """Without this collection, with the standard library alone: everything that is imported anywhere is inside."""
    packed = tmp_path / "packed"
    packed.write_bytes(SERVICE.packed)
    code = (
        "import sys, importlib, zipfile\n"
        "sys.path[:] = [path for path in sys.path if 'site-packages' not in path]\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "for name in zipfile.ZipFile(sys.argv[1]).namelist():\n"
        "    if name.endswith('.py') and not name.startswith('__main__') and '__init__' not in name:\n"
        "        importlib.import_module(name[:-3].replace('/', '.'))\n"
        "assert not any(name.startswith('ansible') for name in sys.modules)\n"
        "print(sorted(name for name in sys.modules if name.startswith('stateless.')))\n"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", code, str(packed)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "stateless._readonly_root.boot.service" in done.stdout
    assert "stateless._command" in done.stdout


def test_it_has_what_it_imports_and_nothing_else() -> None:
    names = SERVICE.sources
    assert "stateless/_readonly_root/boot/service.py" in names
    assert "stateless/_readonly_root/layout.py" in names
    assert "stateless/_errors.py" in names
    assert "stateless/_readonly_root/program.py" not in names
    assert "stateless/_module.py" not in names
    assert "stateless/_program.py" not in names


def test_compiled_code_is_used_by_this_python(tmp_path: pathlib.Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(SERVICE.packed)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import stateless._errors as e; print(e.__file__)"
    done = subprocess.run([sys.executable, "-IS", "-c", code, str(packed)], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("stateless/_errors.pyc")


def test_the_same_source_is_the_same_program() -> None:
    again = Program(service.__name__, "/usr/bin/python3 -IS")
    assert again.packed == SERVICE.packed
    assert SERVICE.is_current(again.packed)
    assert SERVICE.instead_of(again.packed) is again.packed
    assert SERVICE.instead_of(None) is SERVICE.packed
    assert SERVICE.instead_of(b"#!/bin/sh\n") is SERVICE.packed


def test_another_python_is_no_change_and_other_source_is() -> None:
    def repack(change: dict[str, bytes]) -> bytes:
        stream = io.BytesIO(b"#!/usr/bin/python3 -IS\n")
        stream.seek(0, io.SEEK_END)
        with zipfile.ZipFile(io.BytesIO(SERVICE.packed)) as old, zipfile.ZipFile(stream, "w") as new:
            for name in old.namelist():
                new.writestr(name, change.get(name, old.read(name)))
        return stream.getvalue()

    assert SERVICE.is_current(repack({"stateless/_errors.pyc": b"of another one"}))
    assert not SERVICE.is_current(repack({"stateless/_errors.py": b"x = 1\n"}))
    assert not SERVICE.is_current(b"#!/bin/sh\n")
    assert not SERVICE.is_current(SERVICE.packed[:1000])


def test_a_machine_that_is_to_be_installed_leaves_its_disks_alone() -> None:
    for line in ("ro stateless.install quiet", "ro stateless.install=/dev/vda", "stateless.install=auto"):
        assert service.is_installing(line)
    for line in ("", "ro stateless.serial=1", "stateless.installed=1", "a=stateless.install"):
        assert not service.is_installing(line)
