"""The images that we ship: a TOML file each, and `skeleton`, which all of them start from.

To add an image, add `NAME.toml`: `summary`, `packages` and `command`, and where it needs them `programs`,
`environment`, `directories`, `files`, `links` and `leave_out`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from isoscope.core.errors import NotFound

_HERE = Path(__file__).parent
_SKELETON = "skeleton"


@dataclass(frozen=True)
class Recipe:
    """What an image is made of. Paths are relative to the image's root."""

    name: str
    summary: str
    packages: tuple[str, ...]  #: Debian packages; what they depend on comes along, what they recommend does not
    command: tuple[str, ...]
    programs: tuple[str, ...] = ()  #: our own, of `images/programs`, put into /usr/local/bin
    environment: Mapping[str, str] = field(default_factory=dict)
    directories: Mapping[str, int] = field(default_factory=dict)  #: path to mode
    files: Mapping[str, str] = field(default_factory=dict)  #: path to content, mode 644
    links: Mapping[str, str] = field(default_factory=dict)  #: path to target of a symbolic link
    #: Packages that others depend on only to be installed; they are not taken in.
    without: tuple[str, ...] = ()
    #: Patterns (fnmatch) of what the packages have and an image does not need.
    leave_out: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()  #: patterns of what is not to be left out all the same

    def wants(self, path: str) -> bool:
        """Whether a file of a package is taken in."""
        return _any(path, self.keep) or not _any(path, self.leave_out)

    @classmethod
    def named(cls, name: str) -> Self:
        """The recipe of that name, on top of the skeleton. Raises NotFound."""
        if name not in names():
            raise NotFound(f"there is no recipe {name!r}", hint=f"there are: {', '.join(names())}")
        skeleton, own = _read(_SKELETON), _read(name)
        tables = {key: {**skeleton.get(key, {}), **own.pop(key, {})} for key in ("directories", "files", "links")}
        return cls(
            name=name,
            summary=own["summary"],
            packages=tuple(own["packages"]),
            command=tuple(own["command"]),
            programs=tuple(own.get("programs", ())),
            environment={**skeleton["environment"], **own.get("environment", {})},
            without=(*skeleton.get("without", ()), *own.get("without", ())),
            leave_out=(*skeleton["leave_out"], *own.get("leave_out", ())),
            keep=tuple(skeleton["keep"]),
            directories={path: int(mode, 8) for path, mode in tables["directories"].items()},
            files=tables["files"],
            links=tables["links"],
        )


def names() -> tuple[str, ...]:
    """The recipes that there are, sorted."""
    return tuple(sorted(file.stem for file in _HERE.glob("*.toml") if file.stem != _SKELETON))


def _any(path: str, patterns: tuple[str, ...]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _read(name: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads((_HERE / f"{name}.toml").read_text())
