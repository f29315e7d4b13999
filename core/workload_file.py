"""A workload's file: TOML, read so that what is wrong in it is told with its line and the name that was meant."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

from isoscope.core.errors import InputError
from isoscope.core.workload import Mount, Resources, Workload

#: Tables that say what a workload is like and not how it is run: `isoscope advise` reads them, all others pass them by.
ABOUT = ("profile", "requirements")

#: Keys of a table, or a place in an array of tables.
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class WorkloadFile:
    """A file with the fields of a workload, and perhaps the tables of `ABOUT`."""

    name: str
    text: str
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, name: str) -> WorkloadFile:
        """Raises InputError when it cannot be read, or is no TOML."""
        try:
            text = Path(name).read_text(encoding="utf-8")
            return cls(name, text, tomllib.loads(text))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"cannot read workload {name!r}: {error}", hint="it must be a TOML file") from error

    def workload(self) -> Workload:
        """The workload. Raises InputError for an unknown field, or a value that cannot be right, with its line."""
        fields = {key: value for key, value in self.fields.items() if key not in ABOUT}
        for place, key, known in _unknown(fields):
            raise self.unknown((*place, key), "workload field", known)
        try:
            return Workload.from_dict({"name": Path(self.name).stem, **fields})
        except InputError as error:
            raise self.wrong(_culprit(fields), error.message, error.hint) from error

    def unknown(self, place: Place, kind: str, known: Iterable[str]) -> InputError:
        """The error of a field that does not exist, with the close name if there is one."""
        return self.wrong(place, f"unknown {kind} {place[-1]!r}", meant(str(place[-1]), known))

    def wrong(self, place: Place, message: str, hint: str) -> InputError:
        """An error at a place of the file; no keys mean that nobody knows where it is."""
        line = line_of(self.text, place) if place else None
        return InputError(f"{self.name}{'' if line is None else f':{line}'}: {message}", hint=hint)


def meant(name: str, known: Iterable[str]) -> str:
    """A hint: the known name that is closest, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"


def line_of(text: str, place: Place) -> int | None:
    """The line, from 1, on which a key of a TOML document stands.

    tomllib tells no lines, and a library that keeps them would be one more to carry for the sake of errors. But every
    beginning of the document that ends between two statements is a document: the key is in the first of them that has
    it, behind the one before. The price is a parse a line, paid by a file that is wrong.
    """
    lines = text.splitlines(keepends=True)
    before = 0
    for end in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:  # in the midst of a value of several lines
            continue
        if _holds(document, place):
            return before + 1
        before = end
    return None


def _holds(document: Any, place: Place) -> bool:
    for key in place:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _unknown(fields: Mapping[str, Any]) -> Iterator[tuple[Place, str, tuple[str, ...]]]:
    """Every field that does not exist, with where it stands and what is known there."""
    tables: list[tuple[Place, Any, type]] = [
        ((), fields, Workload),
        (("resources",), fields.get("resources"), Resources),
    ]
    mounts = fields.get("mounts")
    tables += [(("mounts", n), one, Mount) for n, one in enumerate(mounts if isinstance(mounts, list) else ())]
    for place, table, of in tables:
        known = tuple(field.name for field in dataclass_fields(of))
        if isinstance(table, Mapping):
            yield from ((place, key, (*known, *(ABOUT if of is Workload else ()))) for key in table if key not in known)


def _culprit(fields: Mapping[str, Any]) -> Place:
    """The field that is wrong by itself; none when only several together are."""
    for key, value in fields.items():
        if _is_wrong({key: value}):
            inner = value if isinstance(value, Mapping) and key == "resources" else {}
            return next(((key, name) for name in inner if _is_wrong({key: {name: inner[name]}})), (key,))
    return ()


def _is_wrong(fields: Mapping[str, Any]) -> bool:
    try:
        Workload.from_dict(fields)
    except InputError:
        return True
    return False
