"""How long a comparison goes on: so many blocks, until intervals are narrow enough, within a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from isoscope.core.comparison import Comparison
from isoscope.core.errors import InputError

#: Blocks when nobody says how many: plainly, under `--quick`, and at most where a precision decides.
BLOCKS, QUICK, MOST_BLOCKS = 10, 3, 100

#: Blocks without which no interval is given; `isoscope.benchmarks.results.statistics` says why.
LEAST_BLOCKS = 9

#: Growth of the number of blocks from one look at the intervals to the next. Looks are few, because each takes a second
#: of CPU time beside the trials and gives chance another go; a run so makes up to a fifth more blocks than it had to.
_GROWTH = 1.2

_PERCENT = re.compile(r"(\d{1,2}(?:\.\d{1,4})?)\s*%|(0?\.\d{1,6})", re.ASCII)


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    blocks: int  #: at most
    precision: float | None = None  #: relative half-width of every headline interval at which it is enough
    budget: float | None = None  #: seconds

    @classmethod
    def of(cls, comparison: Comparison) -> Extent:
        """What a comparison asks for, or the defaults. Raises InputError for what contradicts itself."""
        blocks, precision, budget = comparison.blocks, comparison.precision, comparison.budget
        if blocks is None:
            blocks = QUICK if comparison.quick else MOST_BLOCKS if precision is not None else BLOCKS
        if blocks < 1:
            raise InputError(f"{blocks} blocks are none", hint="measure at least one, better ten")
        if precision is not None and not 0 < precision < 1:
            raise InputError(f"a precision of {precision:g} is out of range", hint="give a share of 1, such as 0.05")
        if precision is not None and blocks < LEAST_BLOCKS:
            raise InputError(
                f"{blocks} blocks have no intervals whose precision could be judged",
                hint=f"allow at least {LEAST_BLOCKS} (-n), or leave the precision out",
            )
        if budget is not None and not 0 < budget < float("inf"):
            raise InputError(f"a budget of {budget:g} s is no time", hint="give seconds, such as 600")
        return cls(blocks, precision, budget)


def parse_precision(text: str) -> float:
    """The share in `5%` or `0.05`. Raises InputError for anything else, for zero, and for 100 % or more."""
    match = _PERCENT.fullmatch(text.strip())
    share = (float(match[1]) / 100 if match[1] else float(match[2])) if match else 0.0
    if not share:
        raise InputError(f"{text!r} is not a precision", hint="write a percentage, as in 5%")
    return share


def looks(most: int) -> Iterator[int]:
    """Numbers of blocks after which the intervals are looked at."""
    count = LEAST_BLOCKS
    while count < most:
        yield count
        count = ceil(count * _GROWTH)
