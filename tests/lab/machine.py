# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts as QEMU virtual machines: the server, and clients that boot from the network."""

from __future__ import annotations

import json
import pathlib
import shutil
import socket
import time
import typing as t

from . import accel, base, network
from .process import LabError, run, spawn
from .state import Host, Lab

_OVMF = "/usr/share/OVMF/OVMF_{}_4M.fd"


#: What disks take per second beyond the burst of :func:`start`: as little as it takes for nothing to end.
_TRICKLE = 64 << 10


def start(lab: Lab, host: Host, burst: int | None = None) -> None:
    """Power it on. Its disks are made the first time, and kept.

    :arg burst: MiB that each disk takes at once, and nearly nothing after: whoever writes more is still writing when
        the power goes, however fast the machine is.
    """
    host.dir.mkdir(parents=True, exist_ok=True)
    host.disk_dir.mkdir(parents=True, exist_ok=True)
    for log in (host.console, host.log):
        log.unlink(missing_ok=True)
    argv = [*_common(lab, host), *(_server(lab, host) if host.kind == "vm" else _client(host)), *_disks(host, burst)]
    host.powered = time.time()
    host.save()
    process = spawn(["nsenter", f"--net=/run/netns/{lab.netns}", "--", *argv], host.record, host.log)
    deadline = time.monotonic() + 15
    while not _greeting(host):
        if not process.alive or time.monotonic() > deadline:
            process.end()
            raise LabError(f"QEMU for {host.name} did not start: {host.log.read_text(errors='replace').strip()}")
        time.sleep(0.05)


def reset(host: Host) -> None:
    """Press the reset button."""
    _qmp(host, "system_reset")
    host.powered = time.time()
    host.save()


def written(host: Host) -> int:
    """Bytes that it has written to its disks since power-on."""
    disks = [one for one in _qmp(host, "query-blockstats") if str(one.get("device", "")).startswith("disk")]
    return sum(int(one["stats"]["wr_bytes"]) for one in disks)


def press(host: Host, key: str) -> None:
    """Press a key of its keyboard, and let it go: by QEMU's name (QKeyCode), such as ``down`` or ``ret``."""
    _qmp(host, "send-key", keys=[{"type": "qcode", "data": key}])


def _common(lab: Lab, host: Host) -> list[str]:
    def kernel() -> pathlib.Path:
        return pathlib.Path(host.base or base.get("kernel", "bookworm")) / "vmlinuz"

    # one processor if its clock counts instructions, which are those of one
    engine = [*accel.COUNTED, "-smp", "1"] if host.icount else [*accel.options(kernel), "-smp", "2"]
    # graphics=off: the BIOS, and so iPXE, talks to the serial port.
    return [
        accel.QEMU, "-name", f"{lab.name}-{host.name}", "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "q35,graphics=off", *engine, "-m", str(host.memory),
        "-device", "virtio-rng-pci",
        "-chardev", f"file,id=console,path={host.console},append=on", "-serial", "chardev:console",
        "-qmp", f"unix:{host.dir}/qmp.sock,server=on,wait=off",
        "-netdev", f"tap,id=net,ifname={network.tap(lab, host)},script=no,downscript=no",
    ]  # fmt: skip


def _server(lab: Lab, host: Host) -> list[str]:
    """Its base under an overlay, and its kernel directly: no boot loader to wait for."""
    disk = host.disk_dir / "root.qcow2"
    if not disk.exists():
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f"{host.base}/disk.raw", disk)
    ip = f"ip={host.address}::{lab.address(1)}:255.255.255.0:{host.name}:eth0:off"
    # ip= is for systemd-network-generator(8), which reads both; the second keeps initramfs-tools, which heeds the last,
    # from waiting three minutes for a network card that its initrd has no driver for.
    append = f"root=/dev/vda rw console=ttyS0 net.ifnames=0 {ip} ip=off mitigations=off panic=-1"
    return [
        "-kernel", f"{host.base}/vmlinuz", "-initrd", f"{host.base}/initrd", "-append", append,
        "-device", f"virtio-net-pci,netdev=net,mac={host.mac},romfile=",
        "-drive", f"if=none,id=root,file={disk},format=qcow2,cache=unsafe,discard=unmap",
        "-device", "virtio-blk-pci,drive=root",
    ]  # fmt: skip


def _client(host: Host) -> list[str]:
    """The network first, or the disk. BIOS: the iPXE in the ROM of QEMU. UEFI: no ROM, so that OVMF uses TFTP."""
    card = f"virtio-net-pci,netdev=net,mac={host.mac},bootindex={9 if host.disk_first else 1}"
    if not host.uefi:
        return ["-device", card]
    settings = host.disk_dir / "efivars.fd"
    if not settings.exists():
        shutil.copy(_OVMF.format("VARS"), settings)
    return [
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_OVMF.format('CODE')}",
        "-drive", f"if=pflash,unit=1,format=raw,file={settings}",
        "-device", f"{card},romfile=",
    ]  # fmt: skip


def _disks(host: Host, burst: int | None) -> list[str]:
    words: list[str] = []
    limit = f",throttling.bps-write={_TRICKLE},throttling.bps-write-max={burst << 20}" if burst else ""
    for number, asked in enumerate(host.disks):
        size, colon, label = asked.partition(":")
        disk = host.disk_dir / f"disk{number}.raw"
        if not disk.exists():
            new = disk.with_suffix(".new")
            run("truncate", f"--size={size}", new)
            if colon:
                run("mkfs.ext4", "-q", "-L", label, "-E", "lazy_itable_init=0,lazy_journal_init=0", new)
            new.rename(disk)
        words += ["-drive", f"if=none,id=disk{number},file={disk},format=raw,cache=unsafe,discard=unmap{limit}"]
        boot = f",bootindex={number + 2}" if host.kind == "client" else ""
        words += ["-device", f"virtio-blk-pci,drive=disk{number},serial=lab-disk{number}{boot}"]
    return words


def _greeting(host: Host) -> bool:
    try:
        _qmp(host, "query-status")
        return True
    except OSError:
        return False


def _qmp(host: Host, command: str, **arguments: t.Any) -> t.Any:
    """Run one command of QEMU's control protocol and return its answer."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(host.dir / "qmp.sock"))
        with peer.makefile("rw") as stream:
            stream.readline()  # its greeting
            for word, given in (("qmp_capabilities", {}), (command, arguments)):
                stream.write(json.dumps({"execute": word, "arguments": given}) + "\n")
                stream.flush()
                answer = json.loads(stream.readline() or "{}")
                while "event" in answer:
                    answer = json.loads(stream.readline() or "{}")
                if "return" not in answer:
                    raise LabError(f"{host.name}: QEMU refused {word}: {answer}")
    return answer["return"]
