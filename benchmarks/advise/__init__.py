"""Container or virtual machine for this workload: requirements exclude, measured costs rank."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoscope.benchmarks.advise.advice import advise

__all__ = ["advise"]


def __getattr__(name: str) -> Any:
    """Loaded when first used: the command line must start without it."""
    if name != "advise":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isoscope.benchmarks.advise.advice import advise

    return advise
