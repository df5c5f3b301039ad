# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's service as one file: a zip of this library that Python runs (zipapp).

The sources are this very library's, wherever it was loaded from: a collection, or what Ansible sent to the host.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import io
import marshal
import zipfile

from .boot import service

#: No variables of the environment, no user's directory, nothing beyond the standard library.
_SHEBANG = b"#!/usr/bin/python3 -IS\n"
#: The library's name inside.
_PACKAGE = "stateless"
_MAIN = f"import sys\n\nfrom {_PACKAGE}._readonly_root.boot.service import main\n\nsys.exit(main())\n"
#: A zip has no time before this, and this one has no time at all.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def sources() -> dict[str, str]:
    """The files of the program by name: the service, and what it imports of this library, and so on."""
    library = service.__name__.rsplit(".", 3)[0]
    found: dict[str, str] = {"__main__.py": _MAIN}
    waiting = [service.__name__]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        text = _source(name)
        if text is None:
            continue
        found[_file(name, library)] = text
        waiting += _imports(name, text)
    for package in ("", "_readonly_root/", "_readonly_root/boot/"):
        found[f"{_PACKAGE}/{package}__init__.py"] = ""
    return found


def _source(module: str) -> str | None:
    """The source of *module*; ``None`` if there is no such module, but perhaps a name in one."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    loader = spec.loader if spec is not None else None
    if loader is None or spec is None or spec.submodule_search_locations is not None:
        return None
    text = loader.get_source(module)  # type: ignore[attr-defined]
    return text if isinstance(text, str) else None


def _file(module: str, library: str) -> str:
    return _PACKAGE + module[len(library) :].replace(".", "/") + ".py"


def _imports(module: str, text: str) -> list[str]:
    """What *module* may import relatively: modules, and names that may be modules."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(module.split(".")[: -node.level] + ([node.module] if node.module else []))
            found += [base, *(f"{base}.{name.name}" for name in node.names)]
    return found


@functools.cache
def pack() -> bytes:
    """The program.

    Compiled code is beside the source, for the Python that runs this; another one takes the source. That saves a tenth
    of a second of every boot.
    """
    stream = io.BytesIO()
    stream.write(_SHEBANG)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted(sources().items()):
            archive.writestr(_member(name), text)
            archive.writestr(_member(name + "c"), _compiled(name, text))
    return stream.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system = 3
    member.external_attr = 0o100644 << 16
    return member


def _compiled(name: str, text: str) -> bytes:
    """A .pyc that is taken as it is (PEP 552, unchecked)."""
    source = text.encode()
    code = compile(source, name, "exec", dont_inherit=True)
    return b"".join(
        [
            importlib.util.MAGIC_NUMBER,
            (1).to_bytes(4, "little"),
            importlib.util.source_hash(source),
            marshal.dumps(code),
        ]
    )


def is_current(program: bytes) -> bool:
    """Whether *program* is made of the sources that this library has, compiled by whichever Python."""
    if not program.startswith(_SHEBANG):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(program)) as archive:
            inside = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return False
    return inside == sources()
