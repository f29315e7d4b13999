"""Users and groups of an image: the text `USER[:GROUP]` of its configuration against its own passwd(5) and group(5)."""

from __future__ import annotations

import errno
import os


class UnknownUser(OSError):
    """The image has no such user or group."""

    def __init__(self, name: str, file: str) -> None:
        super().__init__(errno.ENOENT, f"{file} has no {name!r}")


def resolve(text: str, passwd: str, group: str) -> tuple[int, int, tuple[int, ...], str]:
    """User id, group id, supplementary groups and home of `USER[:GROUP]`, each a name or a number; "" is root.

    As the OCI image specification has it (config.md, `User`): a user without GROUP takes the group and the
    supplementary groups of its entries. A number needs no entry. Raises UnknownUser.
    """
    user, colon, wanted_group = text.partition(":")
    user = user or "0"
    entry = _find(passwd, user, least=6)
    if entry is None and not user.isdecimal():
        raise UnknownUser(user, "/etc/passwd")
    uid = int(entry[2]) if entry else int(user)
    home = (entry[5] if entry else "") or "/"
    if colon:
        return uid, _group(wanted_group, group), (), home
    gid = int(entry[3]) if entry else 0
    supplementary = tuple(int(line[2]) for line in _lines(group, 4) if entry and entry[0] in line[3].split(","))
    return uid, gid, supplementary, home


def read(path: str) -> str:
    """A small text file, or nothing where there is none: images without users need none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # it may be a FIFO
    except OSError:
        return ""
    try:
        return os.read(fd, 1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _group(name: str, group: str) -> int:
    entry = _find(group, name, least=3)
    if entry is None and not name.isdecimal():
        raise UnknownUser(name, "/etc/group")
    return int(entry[2]) if entry else int(name)


def _find(text: str, name: str, least: int) -> list[str] | None:
    for fields in _lines(text, least):
        if name in (fields[0], fields[2]):
            return fields
    return None


def _lines(text: str, least: int) -> list[list[str]]:
    """The well-formed entries of a file of either format, whose third field is a number."""
    entries = (line.split(":") for line in text.splitlines())
    return [fields for fields in entries if len(fields) >= least and fields[2].isdecimal()]
