"""What `Lab.run` returns: how one workload ended, what it said, and what it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoscope.core.display import Displayed
from isoscope.core.instance import Exit, Stats
from isoscope.core.timeline import Timeline
from isoscope.core.units import format_duration
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Result(Displayed):
    """A workload that has ended, and whose instance is gone."""

    workload: Workload  #: under the variant's terms, and with the command that was run
    variant: Variant
    exit: Exit
    pieces: tuple[tuple[str, bytes], ...]  #: stream (`stdout` or `stderr`) and bytes, in the order in which they came
    timeline: Timeline  #: up to `deleted`
    proof: Mapping[str, str]  #: what the instance showed itself to be
    stats: Stats  #: what it has used in all

    @property
    def exit_status(self) -> int:
        """The status that a shell would report."""
        return self.exit.exit_status

    @property
    def output(self) -> str:
        """Everything it wrote, both streams as they came. What is not UTF-8 is replaced; `pieces` has the bytes."""
        return _text(self.pieces)

    @property
    def stdout(self) -> str:
        """What it wrote to its standard output."""
        return _text(piece for piece in self.pieces if piece[0] == "stdout")

    @property
    def stderr(self) -> str:
        """What it wrote to its standard error."""
        return _text(piece for piece in self.pieces if piece[0] == "stderr")

    def frame(self) -> pd.DataFrame:
        """The phases of `startup.ready`, one a row: `variant`, `phase`, `start_ns` since the start, and `ns`."""
        import pandas as pd

        phases = pd.DataFrame({"phase": self.timeline.phases().keys(), "ns": self.timeline.phases().values()})
        phases.insert(0, "variant", str(self.variant))
        phases.insert(2, "start_ns", phases["ns"].cumsum() - phases["ns"])
        return phases.astype({"start_ns": "int64", "ns": "int64"})

    def __repr__(self) -> str:
        ready = self.timeline.span("start", "ready")
        took = "" if ready is None else f", ready in {format_duration(ready)}"
        return f"Result({str(self.variant)!r}, exit status {self.exit_status}{took}, output {self.output!r})"


def _text(pieces: Iterable[tuple[str, bytes]]) -> str:
    return b"".join(data for _, data in pieces).decode(errors="replace")
