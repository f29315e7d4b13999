"""What advice is asked about: a workload, what it does and what it demands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from isoscope.benchmarks.advise.fields import BY_NAME, PROFILE, REQUIREMENTS, of
from isoscope.core.errors import InputError
from isoscope.core.lab import Lab
from isoscope.core.workload import Workload
from isoscope.core.workload_file import ABOUT, WorkloadFile, meant

#: What is taken where nothing is said: others' instances run beside it, and nobody means harm.
ASSUMED = {"trust": "shared"}


@dataclass(frozen=True)
class Subject:
    """A workload with the values of its fields; those of which nothing is said are not there."""

    workload: Workload
    values: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    file: str = ""  #: empty for a registered workload, and for answers to questions

    @classmethod
    def load(cls, lab: Lab, name: str) -> Self:
        """A registered workload, or a file. Raises NotFound and InputError, with the line of a file."""
        if not name.endswith(".toml"):
            return cls(lab.workload(name), name=name)
        file = WorkloadFile.read(name)
        return cls(file.workload(), _values(file), file.workload().name, name)

    @classmethod
    def of(cls, workload: Workload, tables: Mapping[str, Mapping[str, Any]], name: str) -> Self:
        """From plain tables. Raises InputError."""
        values = {}
        for table, fields in tables.items():
            for key, value in fields.items():
                if key not in of(table):
                    raise InputError(f"unknown field {key!r} of {table}", hint=meant(key, of(table)))
                values[key] = BY_NAME[key].read(value)
        return cls(workload, values, name)

    def __getitem__(self, name: str) -> Any:
        """The value of a field, what is assumed for it, or None."""
        return self.values.get(name, ASSUMED.get(name))

    def having(self, **values: Any) -> Self:
        """The same with other values; None takes one away."""
        kept = {name: value for name, value in {**self.values, **values}.items() if value is not None}
        return replace(self, values=kept)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        tables: dict[str, Any] = {PROFILE: {}, REQUIREMENTS: {}}
        for name, value in self.values.items():
            tables[BY_NAME[name].table][name] = value
        assumed = {name: value for name, value in ASSUMED.items() if name not in self.values}
        return {"name": self.name, "file": self.file or None, **tables, "assumed": assumed}


def _values(file: WorkloadFile) -> dict[str, Any]:
    values = {}
    for table in ABOUT:
        fields = file.fields.get(table, {})
        if not isinstance(fields, Mapping):
            raise file.wrong((table,), f"{table} is not a table", f"write [{table}]")
        for key, value in fields.items():
            if key not in of(table):
                raise _stranger(file, table, key)
            try:
                values[key] = BY_NAME[key].read(value)
            except InputError as error:
                raise file.wrong((table, key), f"{table}.{key}: {error.message}", error.hint) from error
    return values


def _stranger(file: WorkloadFile, table: str, key: str) -> InputError:
    """A field that does not exist, or exists in the other table."""
    if key in BY_NAME:
        return file.wrong((table, key), f"{key!r} is no field of {table}", f"it stands in [{BY_NAME[key].table}]")
    return file.unknown((table, key), f"field of {table}", of(table))
