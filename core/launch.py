"""Everything that a backend gets in order to make one instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isoscope.core.output import Stdio
from isoscope.core.pump import Pump
from isoscope.core.registry import Record
from isoscope.core.rootfs import DEFAULT_PATH, Rootfs
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload


@dataclass(frozen=True)
class Launch:
    """A workload with its rootfs, the variant's terms already applied, and a record already on disk."""

    record: Record
    workload: Workload  #: its `command` is never empty here
    rootfs: Rootfs
    variant: Variant
    options: Mapping[str, str]  #: every option that the backend declares, chosen or default
    stdio: Stdio
    pump: Pump

    def environment(self) -> dict[str, str]:
        """The image's environment with the workload's on top, and a PATH in any case."""
        return {"PATH": DEFAULT_PATH, **self.rootfs.environment, **self.workload.environment}

    def working_directory(self) -> str:
        """Where the command starts."""
        return self.workload.working_directory or self.rootfs.working_directory or "/"
