# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB on BIOS: entries that a fixed grub.cfg puts into its menu, and a trial that it counts in its environment block.

The variables: ``good``, the name of the entry that is booted when there is no trial; ``trial`` and ``left``, the one
that is booted first, and how often yet. A variable that is changed is saved before anything is booted.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import _files
from . import environment
from .boot_partition import ENTRIES, INITRD, KERNEL, TRIAL, BootPartition
from .entries import Entry, parse

#: Where grub-install(8) puts what it loads, and where it looks for the others.
DIRECTORY = "grub"
#: More tries than anybody wants; GRUB cannot subtract.
MAX_TRIES = 9

_COUNT = "\n".join(
    f'  {"if" if left == MAX_TRIES else "elif"} [ "$left" = {left} ]; then set left={left - 1}; set try=1'
    for left in range(MAX_TRIES, 0, -1)
)
#: A number that is none, or 0, tries nothing; what cannot be saved is not tried. The good entry is the first of the
#: menu: what GRUB 2.06 falls back on, if another cannot be loaded, it knows by number alone.
CONFIG = f"""\
# Written by stateless install, and never changed: what is booted is said by grubenv, and by the files in {ENTRIES}.
insmod part_gpt
insmod fat
insmod regexp
insmod loadenv
set timeout=2
load_env
set entries=($root)/{ENTRIES}
set try=
set trying=
export trying
set entry=$good
if [ -n "$trial" -a -f "$entries/$trial.cfg" ]; then
{_COUNT}
  fi
  if [ -n "$try" ]; then
    if save_env left; then set entry=$trial; set trying=$trial; fi
  fi
fi
if [ -n "$good" -a -f "$entries/$good.cfg" ]; then
  source $entries/$good.cfg
fi
for file in $entries/stateless-*.cfg; do
  if [ "$file" != "$entries/$good.cfg" ]; then source $file; fi
done
set default=$entry
set fallback=0
"""
_PLAIN = re.compile(r"[A-Za-z0-9_=.,:/@%+-]+")


class Grub(BootPartition):
    """The boot partition of a machine with BIOS."""

    suffix = ".cfg"
    keyword = "linux"

    def entries(self) -> list[Entry]:
        return sorted(entry for entry in self._all(self._variables()) if entry.left != -1)

    def arm(self, entry: Entry, arguments: str) -> None:
        self._write(self.file(entry), self._text(entry, arguments))
        variables = self._variables() or self._guessed(entry)
        self._save({**variables, "trial": entry.name, "left": str(min(entry.left or 0, MAX_TRIES))})

    def bless(self, entry: Entry) -> None:
        if entry.is_good:
            return
        # one write: it is the trial until then, and the good one from then on
        self._save({"good": entry.name, "trial": "", "left": ""})

    def remove(self, entry: Entry) -> None:
        variables = self._variables()
        if variables is not None and variables.get("trial") == entry.name:
            self._save({**variables, "trial": "", "left": ""})
        _files.remove(self.file(entry))

    def file(self, entry: Entry) -> str:
        return os.path.join(self.where, ENTRIES, entry.name + self.suffix)

    def _all(self, variables: t.Mapping[str, str] | None) -> t.Iterator[Entry]:
        """Every file's entry; one that was never armed has -1 tries."""
        found = [parse(os.path.basename(path)[: -len(self.suffix)]) for path in self._paths()]
        entries = [entry for entry in found if entry is not None]
        if variables is None:
            # GRUB boots one of them, whatever it is
            yield from entries
            return
        good = parse(variables.get("good", ""))
        for entry in entries:
            if entry.name == variables.get("trial"):
                left = variables.get("left", "")
                yield Entry(entry.generation, *entry.image, int(left) if left.isdigit() else 0)
            elif good is not None and entry.generation <= good.generation:
                yield entry
            else:
                yield Entry(entry.generation, *entry.image, -1)

    def _variables(self) -> dict[str, str] | None:
        return environment.read(os.path.join(self.where, DIRECTORY, "grubenv"))

    def _guessed(self, besides: Entry) -> dict[str, str]:
        """The variables, if they cannot be read: the newest entry was good."""
        others = [entry for entry in self._all(None) if entry.name != besides.name]
        return {"good": max(others).name} if others else {}

    def _save(self, variables: t.Mapping[str, str]) -> None:
        environment.write(os.path.join(self.where, DIRECTORY, "grubenv"), variables)

    def _text(self, entry: Entry, arguments: str) -> str:
        directory = self.directory(entry.image)
        words = ["$mark" if word == TRIAL else _quoted(word) for word in arguments.split()]
        return (
            f"menuentry '{entry.protosystem} {entry.serial}' --id {entry.name} {{\n"
            "  set mark=\n"
            f'  if [ "$trying" = {entry.name} ]; then set mark={TRIAL}; fi\n'
            f"  linux /{directory}/{KERNEL} {' '.join(words)}\n"
            f"  initrd /{directory}/{INITRD}\n"
            "}\n"
        )


def _quoted(word: str) -> str:
    """A kernel argument, which has no quotes, as GRUB's script takes it for itself."""
    return word if _PLAIN.fullmatch(word) else f"'{word}'"
