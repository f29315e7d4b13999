"""Reading what the kernel tells in files, without ever failing."""

from __future__ import annotations

from pathlib import Path


def read(path: Path) -> str:
    """The text of a small file without surrounding blanks; empty when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def names_in(directory: Path) -> list[str]:
    """The names in a directory, sorted; none when it cannot be read."""
    try:
        return sorted(path.name for path in directory.iterdir())
    except OSError:
        return []


def target(link: Path) -> str:
    """Last part of what a link points to; empty when there is none."""
    try:
        return link.readlink().name
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The decimal number that is all of a file."""
    text = read(path)
    return int(text) if text.isdecimal() else None


def pairs(text: str, separator: str) -> dict[str, str]:
    """`KEY separator VALUE` lines; the first line with a key counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, between, value = line.partition(separator)
        if between:
            found.setdefault(key.strip(), value.strip())
    return found


def cpuinfo(root: Path) -> dict[str, str]:
    """What /proc/cpuinfo tells of the first processor."""
    return pairs(read(root / "proc/cpuinfo"), ":")
