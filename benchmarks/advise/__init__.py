"""Container or virtual machine for this workload: requirements exclude, measured costs rank."""

from typing import TYPE_CHECKING

from isoscope.core.later import later

if TYPE_CHECKING:
    from isoscope.benchmarks.advise.advice import advise

__all__ = ["advise"]

#: The command line must start without it.
__getattr__ = later(__name__, {"advise": "advice"})
