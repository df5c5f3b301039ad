# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of this library, with what it imports, as one file that Python runs (zipapp): clients have no Ansible.

The sources are this very library's, wherever it was loaded from: a collection, or what Ansible sent to the host.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import io
import marshal
import zipfile

#: The library's name inside.
_PACKAGE = "stateless"
#: This module's own name within the library.
_OWN = "_program"
#: A zip has no time before this, and this one has no time at all.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Program:
    """A program that calls ``main()`` of *module*, whose result is its exit status.

    :arg module: the full name of a module of this library.
    :arg interpreter: what runs it, with arguments.
    """

    def __init__(self, module: str, interpreter: str) -> None:
        self._module = module
        self._library = __name__[: -len(f".{_OWN}")]
        self._first = f"#!{interpreter}\n".encode()

    @functools.cached_property
    def sources(self) -> dict[str, str]:
        """The files of the program by name: the module, and what it imports of this library, and so on."""
        entry = self._file(self._module)[: -len(".py")].replace("/", ".")
        found = {"__main__.py": f"import sys\n\nfrom {entry} import main\n\nsys.exit(main())\n"}
        waiting = [self._module]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            text = _source(name)
            if text is None:
                continue
            file = self._file(name)
            found[file] = text
            while "/" in file:
                file = file.rpartition("/")[0]
                found[f"{file}/__init__.py"] = ""
            waiting += _imports(name, text)
        return found

    def _file(self, module: str) -> str:
        return _PACKAGE + module[len(self._library) :].replace(".", "/") + ".py"

    @functools.cached_property
    def packed(self) -> bytes:
        """The program.

        Compiled code is beside the source, so that the Python that runs this compiles nothing at a start; another one
        takes the source.
        """
        stream = io.BytesIO()
        stream.write(self._first)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, text in sorted(self.sources.items()):
                archive.writestr(_member(name), text)
                archive.writestr(_member(name + "c"), _compiled(name, text))
        return stream.getvalue()

    def is_current(self, program: bytes) -> bool:
        """Whether *program* is made of the sources that this library has, compiled by whichever Python."""
        if not program.startswith(self._first):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(program)) as archive:
                inside = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
        except (zipfile.BadZipFile, UnicodeDecodeError):
            return False
        return inside == self.sources

    def instead_of(self, held: bytes | None) -> bytes:
        """The program as a file that holds *held* should have it: as it is, if that is current. None: no file."""
        return held if held is not None and self.is_current(held) else self.packed


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


def _imports(module: str, text: str) -> list[str]:
    """What *module* may import relatively, but for what is imported for types alone: modules, and names that may be."""
    found: list[str] = []
    tree = ast.parse(text)
    unread = {id(part) for node in ast.walk(tree) if isinstance(node, ast.If) for part in _for_types(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in unread:
            base = ".".join(module.split(".")[: -node.level] + ([node.module] if node.module else []))
            found += [base, *(f"{base}.{name.name}" for name in node.names)]
    return found


def _for_types(node: ast.If) -> list[ast.stmt]:
    """What is done there if it is ``if t.TYPE_CHECKING:``."""
    return node.body if isinstance(node.test, ast.Attribute) and node.test.attr == "TYPE_CHECKING" else []


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
