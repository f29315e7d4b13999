"""The record of every instance, on disk before the instance is made, so that a killed process leaves a trail for `gc`.

`HOME/instances/ID/record.json` says who owns the instance (a process, by pid and start time) and what was, or was
about to be, made for it. Names are claimed by a link in `HOME/names/`, which the kernel makes atomically.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import time
from typing import Any

from isoscope.core.errors import HostError, InputError, NameTaken, NotFound

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Owner:
    """A process that cannot be mistaken for a later one with the same pid: proc_pid_stat(5) field 22, and the boot."""

    pid: int
    start_time: int  #: clock ticks after boot
    boot_id: str

    @classmethod
    def current(cls) -> Owner:
        """The calling process."""
        start_time = process_start_time(os.getpid())
        assert start_time is not None
        return cls(os.getpid(), start_time, _boot_id())

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.boot_id == _boot_id() and process_start_time(self.pid) == self.start_time


def process_start_time(pid: int) -> int | None:
    """Start time of a process in clock ticks after boot; None when there is none, or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass
class Record:
    """One instance as the registry knows it; `directory` is its own and goes with it."""

    id: str
    name: str
    variant: str
    workload: dict[str, Any]
    image: str
    directory: Path
    owner: Owner
    created_at: str
    #: What the backend made or is about to make: plain data that its `reclaim` understands.
    resources: dict[str, Any] = field(default_factory=dict)
    #: What is known of its life, for reading only: `started_at`, and at the end `timeline` and `proof`.
    facts: dict[str, Any] = field(default_factory=dict)
    #: How the workload ended (`Exit.as_dict`), once it has and its resources are released.
    exit: dict[str, Any] | None = None

    @property
    def mark(self) -> str:
        """The name that everything made for this instance carries on the host: `isoscope-ID`."""
        return f"isoscope-{self.id}"

    @property
    def log(self) -> Path:
        """The instance's log; see `isoscope.core.output`."""
        return self.directory / "log"

    @property
    def socket(self) -> Path:
        """The control socket of the process that holds the instance, where there is one."""
        return self.directory / "control"

    def claim(self, **resources: Any) -> None:
        """Write down what is about to be made. To be called before it is made."""
        self.resources.update(resources)
        self.save()

    def save(self) -> None:
        """Replace the record on disk in one step. Raises HostError when the disk is full."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("directory", "owner")}
        data["owner"] = vars(self.owner)
        partial = self.directory / "record.json.new"
        try:
            partial.write_text(json.dumps(data))
            partial.rename(self.directory / "record.json")
        except OSError as error:
            raise HostError(
                f"cannot record instance {self.name!r}: {error.strerror}", hint="free some space"
            ) from error

    def forget(self) -> None:
        """Remove the record, its name and its directory. Idempotent."""
        link = self.directory.parent.parent / "names" / self.name
        if link.is_symlink() and os.readlink(link) == f"../instances/{self.id}":
            link.unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)


class Registry:
    """All records of one state directory."""

    def __init__(self, home: Path) -> None:
        self._instances = home / "instances"
        self._names = home / "names"

    def create(self, *, name: str, variant: str, workload: dict[str, Any], image: str) -> Record:
        """Claim an id and a name (the id, when `name` is empty) for the calling process.

        Raises NameTaken, InputError for a name of other characters, HostError when the disk cannot take it.
        """
        if name and not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is not a name", hint="use letters, digits, '_', '.' and '-', at most 63")
        new_id = secrets.token_hex(6)
        name = name or new_id
        directory = self._instances / new_id
        record = Record(
            id=new_id,
            name=name,
            variant=variant,
            workload=workload,
            image=image,
            directory=directory,
            owner=Owner.current(),
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        try:
            directory.mkdir(parents=True, mode=0o700)
            record.save()
            self._claim_name(name, new_id)
        except (NameTaken, HostError):
            shutil.rmtree(directory)
            raise
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise HostError(
                f"cannot make {directory}: {error.strerror}", hint="set ISOSCOPE_HOME to a directory you can write to"
            ) from error
        return record

    def _claim_name(self, name: str, new_id: str) -> None:
        self._names.mkdir(exist_ok=True)
        link = self._names / name
        for _ in range(2):
            try:
                link.symlink_to(f"../instances/{new_id}")
                return
            except FileExistsError:
                if (link / "record.json").exists():
                    break
                link.unlink(missing_ok=True)  # the one who held it has gone
        raise NameTaken(f"the name {name!r} is taken", hint=f"choose another, or remove it: isoscope rm -f {name}")

    def __iter__(self) -> Iterator[Record]:
        """Every readable record, oldest first."""
        found = (self._load(path) for path in self._instances.glob("*/record.json"))
        return iter(sorted((r for r in found if r is not None), key=lambda record: (record.created_at, record.id)))

    def find(self, name: str) -> Record:
        """The record of that name, id, or unambiguous beginning of an id. Raises NotFound."""
        if _NAME.fullmatch(name) and (record := self._load(self._names / name / "record.json")) is not None:
            return record
        matches = [record for record in self if name and record.id.startswith(name)]
        if len(matches) != 1:
            trouble = "is not an instance" if not matches else f"could be any of {len(matches)} instances"
            raise NotFound(f"{name!r} {trouble}", hint="isoscope ps lists them")
        return matches[0]

    def sweep(self) -> list[str]:
        """Remove instance directories without a readable record and names without an instance.

        A directory younger than a minute may be one in the making, and is left alone.
        """
        lines = []
        for directory in self._instances.glob("*"):
            if self._load(directory / "record.json") is None and time() - directory.lstat().st_mtime > 60:
                shutil.rmtree(directory, ignore_errors=True)
                lines.append(f"removed unfinished record {directory.name}")
        for link in self._names.glob("*"):
            if not link.exists():
                link.unlink(missing_ok=True)
        return lines

    def _load(self, path: Path) -> Record | None:
        try:
            data = json.loads(path.read_text())
            data["owner"] = Owner(**data["owner"])
            return Record(directory=self._instances / data["id"], **data)
        except (OSError, ValueError, KeyError, TypeError):  # removed meanwhile, or cut short by a full disk
            return None
