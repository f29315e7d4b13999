"""The steps that starting a workload would take, for reading."""

from __future__ import annotations

from isoscope.core.backend import Step
from isoscope.core.display import Displayed


class Plan(Displayed, tuple[Step, ...]):
    """Steps in their order, each in the words and names of the kernel, or of libvirt. Its text is one line a step."""

    def __str__(self) -> str:
        width = max((len(step.phase) for step in self), default=0)
        lines = []
        for step in self:
            first, *more = step.text.splitlines() or [""]  # a domain's XML has several
            lines += [f"{step.phase:{width}}  {first}", *(f"{'':{width}}  {line}" for line in more)]
        return "\n".join(lines)

    __repr__ = __str__
