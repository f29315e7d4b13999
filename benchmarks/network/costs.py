"""What each byte or transaction costs: processors' time, interrupts, exits from virtual machines, packets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from isoscope.benchmarks.benchmark import Label, Value
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.network.activity import Activity
from isoscope.benchmarks.network.cpu import QUIET
from isoscope.benchmarks.network.ends import Ends
from isoscope.benchmarks.network.exchange import Outcome
from isoscope.benchmarks.network.metrics import Unit

_CUT_OFF = "the test ended before the processors had been watched"


@dataclass(frozen=True)
class Done:
    """What a test did."""

    unit: Unit
    amount: float  #: units
    rate: float  #: units a second
    labels: Mapping[str, Label]

    def costs(self, ends: Ends, outcome: Outcome, background: Activity) -> Iterator[Value]:
        """What each unit cost, beyond what went on in silence."""
        yield from self._processors(outcome.activity, background)
        yield from self._events(outcome.activity, background)
        if outcome.packets is not None:
            yield self._each(self.unit.packets, outcome.packets / self.amount)
        elif ends.no_packets:
            yield self._without(self.unit.packets, ends.no_packets)

    def _processors(self, during: Activity | None, background: Activity) -> Iterator[Value]:
        ends, host = self.unit.cpu, self.unit.host_cpu
        if during is None:
            yield from (self._without(metric, _CUT_OFF) for metric in (ends, host))
            return
        used, before = during.usage, background.usage
        if used.ends is None or before.ends is None:
            yield self._without(ends, "a backend does not count the CPU time of its instances")
        else:
            yield self._time(ends, used.ends - before.ends)
        if before.host_share > QUIET:
            busy = f"over {QUIET:.0%} of the host's processors were busy before the test"
            yield self._without(host, f"{busy}: what it costs cannot be told from that")
        else:
            yield self._time(host, used.host - before.host)

    def _time(self, metric: Metric, processors: float) -> Value:
        if processors <= 0:
            return self._without(metric, "the processors were busier before the test than in its midst")
        return Value(metric, processors / self.rate * 1e9, self.labels)

    def _events(self, during: Activity | None, background: Activity) -> Iterator[Value]:
        if during is None:
            yield self._without(self.unit.interrupts, _CUT_OFF)
            return
        found, before = during.rates, background.rates
        yield self._beyond(self.unit.interrupts, found.all_interrupts, before.all_interrupts)
        if found.all_exits is not None and before.all_exits is not None:
            yield self._beyond(self.unit.exits, found.all_exits, before.all_exits)
        elif found.no_exits:
            yield self._without(self.unit.exits, found.no_exits)

    def _beyond(self, metric: Metric, during: float, before: float) -> Value:
        if during <= before:
            return self._without(metric, "as many came before the test as in its midst")
        return self._each(metric, (during - before) / self.rate)

    def _each(self, metric: Metric, count: float) -> Value:
        """So many for each unit; or how many units to each, where those are too small for that to be read."""
        return Value(metric, 1 / count if self.unit.inverse else count, self.labels)

    def _without(self, metric: Metric, reason: str) -> Value:
        return Value(metric, None, self.labels, reason)
