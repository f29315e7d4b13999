"""IPv4 forwarding: turned on while a bridge of ours stands, and put back as it was when the last one goes.

Forwarding belongs to the network namespace, not to a state directory, so what was there before is kept in /run, which
forgets at the same moment as the kernel does: at the next boot.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from isoscope.backends.network.lock import locked
from isoscope.backends.network.names import is_bridge
from isoscope.backends.network.nat import foreign_tables
from isoscope.backends.network.netlink import refused

#: Also the lock that networks of different state directories hold while they build and take down.
HOST_DIRECTORY = Path("/run/isoscope")

_IPV4 = Path("/proc/sys/net/ipv4")
_SWITCH = _IPV4 / "ip_forward"
_SO_NETNS_COOKIE = 71  # asm-generic/socket.h; unlike an inode number it never names a later namespace


def is_on() -> bool:
    """Whether this network namespace forwards IPv4 packets."""
    return _SWITCH.read_text().strip() == "1"


def turn_on() -> None:
    """Forward IPv4 packets. Writes down first what `restore` will need. The caller holds the host's lock.

    Raises HostError when the kernel does not let us.
    """
    if is_on():
        return
    memory = _memory()
    if not memory.exists():  # else we were killed on the way, and what stands there is older and true
        partial = memory.with_suffix(".new")
        partial.write_text(json.dumps({"settings": _settings(), "tables": foreign_tables()}))
        partial.rename(memory)
    _write(_SWITCH, "1")


def restore(own_bridge: str) -> list[str]:
    """Put back what `turn_on` changed, unless another bridge of ours, or somebody else, has come to rely on it.

    The caller holds the host's lock. Returns a line when there was something to put back.
    """
    memory = _memory()
    others = [name for _, name in socket.if_nameindex() if is_bridge(name) and name != own_bridge]
    if others or not memory.exists():
        return []
    before = json.loads(memory.read_text())
    newcomers = [table for table in foreign_tables() if table not in before["tables"]]
    if newcomers:
        memory.unlink()
        return [f"left IPv4 forwarding on: nftables table {newcomers[0]!r}, not ours, has appeared since"]
    for path, value in before["settings"].items():
        if Path(path).exists():  # a device may have gone meanwhile
            _write(Path(path), value)
    memory.unlink()
    return ["restored IPv4 forwarding"]


def host_lock() -> Any:
    """The lock between the networks of all state directories, as a context manager."""
    return locked(HOST_DIRECTORY)


def _settings() -> dict[str, str]:
    """Settings by path, in the order in which they must be written back.

    The switch comes first, for it overwrites the others: Documentation/networking/ip-sysctl.rst, "its change resets
    all configuration parameters to their default state".
    """
    paths = [_SWITCH, _IPV4 / "conf/all/accept_redirects"]
    paths += [path for path in sorted(_IPV4.glob("conf/*/forwarding")) if path.parent.name != "all"]
    return {str(path): path.read_text().strip() for path in paths}


def _memory() -> Path:
    with socket.socket(socket.AF_UNIX) as any_socket:
        cookie = int.from_bytes(any_socket.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
    return HOST_DIRECTORY / f"forwarding-{cookie:x}.json"


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value)
    except OSError as error:
        raise refused(f"write {value} to {os.fspath(path)}", error) from error
