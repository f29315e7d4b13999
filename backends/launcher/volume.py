"""A volume: a directory of the instance's own on the file system of the state directory, with no overlay over it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from isoscope.core.errors import InputError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option

#: Where the instance sees it.
TARGET = "/data"

OPTION = Option(
    "storage",
    f"what {TARGET} is: root has it in the overlay like everything else, volume makes it a directory of the host that "
    "goes with the instance",
    ("root", "volume"),
    "root",
)


def wanted(launch: Launch) -> bool:
    """Whether the instance has one."""
    return launch.options.get(OPTION.name) == "volume"


def directory(record: Record) -> Path:
    """Where it is on the host: in the instance's own directory, and so removed with it."""
    return record.directory / "volume"


def check(launch: Launch) -> None:
    """Check that nothing else is to be shown there. Raises InputError."""
    if wanted(launch) and any(mount.target == PurePosixPath(TARGET) for mount in launch.workload.mounts):
        raise InputError(f"{TARGET} is where the volume is shown", hint="choose another target for -v")


def make(launch: Launch) -> None:
    """Make it, writable for every user of the image. Raises OSError."""
    if wanted(launch):
        directory(launch.record).mkdir()
        directory(launch.record).chmod(0o1777)


def backing(launch: Launch, upper: Path, path: str) -> Path:
    """The file of the host that holds a file of an instance: in its volume, or else in the overlay's upper layer."""
    inside = PurePosixPath(path)
    if wanted(launch) and inside.is_relative_to(TARGET):
        return directory(launch.record) / inside.relative_to(TARGET)
    return upper / inside.relative_to("/")


def proof(launch: Launch) -> dict[str, str]:
    """What stands beside each figure."""
    return {"storage": f"overlay, volume on {TARGET}" if wanted(launch) else "overlay"}
