"""The backend `null`: runs nothing, and so measures what the harness itself costs."""

from __future__ import annotations

from typing import ClassVar

from isoscope.core.backend import Backend, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.instance import Exit, Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.workload import Network


class NullInstance(Instance):
    """Ready as soon as it is started, and ended with status 0 at once."""

    phases = ("exec", "ready")

    def _start(self) -> None:
        self.timeline.mark("exec")
        self.saw_exit(Exit(code=0))

    def _kill(self, signal_number: int) -> None:
        """Nothing runs."""

    def _delete(self) -> None:
        """Nothing was made."""

    def proof(self) -> dict[str, str]:
        return {"runs": "nothing"}


class NullBackend(Backend):
    """Accepts every workload and runs none of it."""

    name: ClassVar[str] = "null"
    summary: ClassVar[str] = "runs nothing: the cost of the harness itself"
    by_default: ClassVar[bool] = False
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset(Network),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        runs_image=False,
    )

    def plan(self, launch: Launch) -> list[Step]:
        return [Step("exec", "do nothing")]

    def create(self, launch: Launch) -> Instance:
        return NullInstance(launch)

    def reclaim(self, record: Record) -> None:
        """Nothing was made."""
