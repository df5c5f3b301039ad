# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the connection plugin says to the server: the command line that enters, and what an answer means."""

from __future__ import annotations

import functools
import os
import re
import shlex
import typing as t

#: The status of enter.sh, rest.sh and login.sh when the command was not run; the reason follows :data:`_PREFIX`.
_REFUSED = 113
_PREFIX = "stateless.linux.protosystem: "
#: How Ansible starts the job of an async task: the wrapper, a job id, the seconds that it may take.
_ASYNC_TASK = re.compile(r"/async_wrapper\.py \S+ \d+ ")


@functools.lru_cache
def _script(name: str) -> str:
    """The text of a script beside this file, without its comments: it is sent with every command."""
    path = os.path.join(os.path.dirname(__file__), f"{name}.sh")
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    return "\n".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def enter(protosystem: str, user: str, resolv_conf: str, command: str) -> str:
    """The shell command that, run on the server as root, runs *command* inside *protosystem* as *user*.

    :arg resolv_conf: ``auto``, ``server`` or ``tree``, as in the plugin's documentation.
    :arg command: a line for /bin/sh inside. Its status, output and input are those of the whole.
    """
    job = "yes" if _ASYNC_TASK.search(command) else "no"
    argv = ["/bin/sh", "-c", _script("enter"), "enter", _script("rest"), _script("login")]
    return " ".join(shlex.quote(word) for word in [*argv, protosystem, user, resolv_conf, job, command])


def refusal(status: int, stderr: bytes) -> str | None:
    """Why the command was not run; ``None`` if it was."""
    if status != _REFUSED:
        return None
    for line in stderr.decode("utf-8", "replace").splitlines():
        if line.startswith(_PREFIX):
            return line[len(_PREFIX) :]
    return None


def strip_success(success: str | None, stdout: bytes) -> bytes:
    """*stdout* without the line by which a become plugin says that it succeeded (*success*), if it comes first."""
    if not success:
        return stdout
    line = success.encode()
    for end in (b"\n", b"\r\n"):
        if stdout.startswith(line + end):
            return stdout[len(line + end) :]
    return stdout


def write_chunk(quoted_path: str, offset: int) -> str:
    """The command that writes its input to a file from byte *offset* on; at 0 it makes or empties the file.

    Doing it twice does no harm, so that a transport may try again.
    """
    keep = " conv=notrunc" if offset else ""
    return f"dd of={quoted_path} bs=64K iflag=fullblock oflag=seek_bytes seek={offset}{keep} status=none"


def read_chunk(quoted_path: str, offset: int, size: int) -> str:
    """The command that writes at most *size* bytes of a file to its output, from byte *offset* on."""
    return f"dd if={quoted_path} bs=64K iflag=fullblock,skip_bytes,count_bytes skip={offset} count={size} status=none"


def chunks(stream: t.BinaryIO, size: int) -> t.Iterator[tuple[int, bytes]]:
    """The offset and the bytes of each piece of *stream*; one empty piece for an empty stream."""
    offset = 0
    while True:
        chunk = stream.read(size)
        if not chunk and offset:
            return
        yield offset, chunk
        offset += len(chunk)
        if len(chunk) < size:
            return
