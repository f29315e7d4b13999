"""Isoscope's vocabulary and its public API: `from isoscope.core import Lab, Workload`.

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.core.later import later

if TYPE_CHECKING:
    from isoscope.core.capabilities import Capabilities
    from isoscope.core.hookspecs import hookimpl
    from isoscope.core.instance import Exit, Instance, Stats, Status
    from isoscope.core.lab import Lab
    from isoscope.core.plan import Plan
    from isoscope.core.result import Result
    from isoscope.core.timeline import Timeline
    from isoscope.core.variant import Variant
    from isoscope.core.workload import Mount, Network, Resources, Workload

_HOME = {
    "Capabilities": "capabilities",
    "Exit": "instance",
    "Instance": "instance",
    "Lab": "lab",
    "Mount": "workload",
    "Network": "workload",
    "Plan": "plan",
    "Resources": "workload",
    "Result": "result",
    "Stats": "instance",
    "Status": "instance",
    "Timeline": "timeline",
    "Variant": "variant",
    "Workload": "workload",
    "hookimpl": "hookspecs",
}

__all__ = [
    "Capabilities",
    "Exit",
    "Instance",
    "Lab",
    "Mount",
    "Network",
    "Plan",
    "Resources",
    "Result",
    "Stats",
    "Status",
    "Timeline",
    "Variant",
    "Workload",
    "hookimpl",
]

__getattr__ = later(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
