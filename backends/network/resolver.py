"""The name servers that an instance behind address translation can reach."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

#: systemd-resolved.service(8): the first names a stub on the host's loopback, the second the servers behind it.
_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def name_servers(files: tuple[str, ...] = _FILES) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """IPv4 name servers and search domains, from the first file of resolv.conf(5) that names a server within reach.

    A server on the host's loopback is out of an instance's reach, and so is one that has only an IPv6 address.
    """
    for file in files:
        servers, search = _read(Path(file))
        if servers:
            return servers, search
    return (), ()


def _read(file: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:  # a host without a resolver has no such file
        return (), ()
    words = [line.split() for line in lines]
    servers = tuple(rest[0] for keyword, *rest in filter(None, words) if keyword == "nameserver" and _usable(rest))
    search = [tuple(rest) for keyword, *rest in filter(None, words) if keyword in ("search", "domain")]
    return servers, search[-1] if search else ()


def _usable(values: list[str]) -> bool:
    try:
        server = IPv4Address(values[0])
    except (AddressValueError, IndexError):
        return False
    return not server.is_loopback and not server.is_unspecified
