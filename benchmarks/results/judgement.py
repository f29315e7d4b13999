"""What a ratio with its interval says, in a word and a sign: never by colour alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.results.statistics import Interval

#: Words for more and for less of a unit.
_WORDS = {"ns": ("slower", "faster"), "B": ("more", "less"), "B/s": ("faster", "slower"), "1/s": ("faster", "slower")}


@dataclass(frozen=True)
class Judgement:
    """Whether something differs, and which way."""

    better: bool | None  #: None when no difference was shown
    word: str

    @property
    def sign(self) -> str:
        """One character: better, worse, neither, or both."""
        return "≈" if self == NO_DIFFERENCE else {True: "▲", False: "▼", None: "±"}[self.better]


NO_DIFFERENCE = Judgement(None, "no difference shown")


def judge(metric: Metric, interval: Interval, *, floor: float = 0.0) -> Judgement | None:
    """What the interval of a ratio to another says. None when there is no interval: then nothing can be said.

    `floor` is the noise floor as a share, 0.05 for 5 %: a difference of which an A/A comparison finds as much is none.
    """
    low, high = interval.low, interval.high
    if low is None or high is None:
        return None
    if low <= 1 + floor and high >= 1 / (1 + floor):
        return NO_DIFFERENCE
    more = low > 1
    words = _WORDS.get(metric.unit, ("higher", "lower"))
    return Judgement(more == (metric.direction is Direction.HIGHER), words[0] if more else words[1])


def together(found: Sequence[Judgement | None]) -> Judgement | None:
    """What several say: the same word, or how many of them say what. None when any of them can say nothing."""
    judged = [one for one in found if one is not None]
    if not judged or len(judged) < len(found):
        return None
    words = Counter(one.word for one in judged if one.better is not None)
    if not words:
        return NO_DIFFERENCE
    ways = {one.better for one in judged if one.better is not None}
    better = ways.pop() if len(ways) == 1 else None
    if len(words) == 1 and words.total() == len(judged):
        return Judgement(better, judged[0].word)
    return Judgement(better, ", ".join(f"{n} of {len(judged)} {word}" for word, n in words.items()))
