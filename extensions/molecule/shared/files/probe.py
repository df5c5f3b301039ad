# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a client: every system call that would change its read-only root; print as JSON those not refused by EROFS."""

from __future__ import annotations

import errno
import json
import os
import stat
import typing as t


def attempts(directory: str, file: str, child: str) -> dict[str, t.Callable[[], t.Any]]:
    """Calls on a directory, a file in it, and an empty directory or file in it that could be moved or removed."""
    new = os.path.join(directory, ".probe")
    mode = stat.S_IMODE(os.stat(file).st_mode)
    return {
        "open O_CREAT": lambda: os.open(new, os.O_CREAT | os.O_WRONLY),
        "open O_CREAT O_EXCL": lambda: os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR),
        "open O_TMPFILE": lambda: os.open(directory, os.O_TMPFILE | os.O_WRONLY),
        "open O_WRONLY": lambda: os.open(file, os.O_WRONLY),
        "open O_RDWR": lambda: os.open(file, os.O_RDWR),
        "open O_APPEND": lambda: os.open(file, os.O_WRONLY | os.O_APPEND),
        "open O_TRUNC": lambda: os.open(file, os.O_WRONLY | os.O_TRUNC),
        "truncate": lambda: os.truncate(file, 0),
        "mkdir": lambda: os.mkdir(new),
        "rmdir": lambda: os.rmdir("/opt"),
        "mknod fifo": lambda: os.mknod(new, stat.S_IFIFO | 0o600),
        "mknod device": lambda: os.mknod(new, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
        "mknod socket": lambda: os.mknod(new, stat.S_IFSOCK | 0o600),
        "symlink": lambda: os.symlink("target", new),
        "link": lambda: os.link(file, os.path.join(os.path.dirname(file), ".probe")),
        "rename": lambda: os.rename(child, new),
        "rename onto": lambda: os.rename(child, file),
        "unlink": lambda: os.unlink(file),
        "chmod": lambda: os.chmod(file, mode),
        "chmod directory": lambda: os.chmod(directory, 0o755),
        "chown": lambda: os.chown(file, 0, 0),
        "lchown": lambda: os.lchown(file, 0, 0),
        "chown directory": lambda: os.chown(directory, 0, 0),
        "utime": lambda: os.utime(file),
        "utime directory": lambda: os.utime(directory, (0, 0)),
        "setxattr": lambda: os.setxattr(file, "user.probe", b"1"),
        "setxattr trusted": lambda: os.setxattr(directory, "trusted.probe", b"1"),
        "removexattr": lambda: os.removexattr(file, "user.probe"),
    }


def main() -> None:
    found = {}
    places = [
        ("/", "/etc/passwd", "/opt"),
        ("/usr", "/usr/bin/env", "/usr/bin/id"),
        ("/etc", "/etc/fstab", "/etc/group"),
        ("/var/lib", "/var/lib/dpkg/status", "/var/lib/dpkg/available"),
    ]
    tried = 0
    for directory, file, child in places:
        for name, call in attempts(directory, file, child).items():
            tried += 1
            try:
                call()
                found[f"{name} in {directory}"] = "done"
            except OSError as error:
                if error.errno != errno.EROFS:
                    found[f"{name} in {directory}"] = errno.errorcode[error.errno or 0]
    print(json.dumps({"tried": tried, "not_refused": found}))


main()
