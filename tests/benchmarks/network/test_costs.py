"""What each byte and transaction costs, and why that cannot always be told."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from isoscope.benchmarks.network.activity import Activity
from isoscope.benchmarks.network.costs import Done
from isoscope.benchmarks.network.cpu import Usage
from isoscope.benchmarks.network.ends import Ends
from isoscope.benchmarks.network.events import Rates
from isoscope.benchmarks.network.exchange import Outcome
from isoscope.benchmarks.network.metrics import BYTE, TRANSACTION, Unit
from isoscope.core.instance import Instance

NOBODY = cast("Instance", None)
ENDS = Ends("path", NOBODY, NOBODY, "", "", seen=True, labels={})
SILENCE = Usage(host=0.25, host_share=0.125, ends=0.5)
TIMER = Rates({"LOC:": 100.0})


def costs(
    during: Usage | None,
    background: Usage = SILENCE,
    *,
    unit: Unit = BYTE,
    rates: Rates = TIMER,
    before: Rates = TIMER,
    packets: int | None = None,
    ends: Ends = ENDS,
) -> dict[str, float | str]:
    """What each of two billion a second cost, over four seconds; or why that cannot be told."""
    activity = None if during is None else Activity(during, rates)
    outcome = Outcome(b"", activity, at_most=1.0, packets=packets)
    found = list(Done(unit, 8e9, 2e9, {}).costs(ends, outcome, Activity(background, before)))
    return {one.metric.name.removeprefix("network."): one.reason if one.value is None else one.value for one in found}


def test_what_was_used_beyond_silence_is_the_cost_in_nanoseconds() -> None:
    used = costs(Usage(host=1.25, host_share=0.625, ends=1.0))
    assert (used["cpu_per_byte"], used["host_cpu_per_byte"]) == (0.25, 0.5)


def test_a_busy_host_keeps_to_itself_what_it_spends_but_not_what_the_ends_do() -> None:
    used = costs(Usage(host=2.0, host_share=1.0, ends=1.0), replace(SILENCE, host_share=0.5))
    assert used["cpu_per_byte"] == 0.25
    assert "over 20% of the host's processors were busy" in str(used["host_cpu_per_byte"])


def test_what_cannot_be_told_is_never_nothing() -> None:
    assert "ended before" in str(costs(None)["cpu_per_byte"])
    assert "ended before" in str(costs(None)["bytes_per_interrupt"])
    assert "does not count" in str(costs(Usage(1.0, 0.5, None))["cpu_per_byte"])
    assert "busier before" in str(costs(Usage(1.0, 0.5, 0.5))["cpu_per_byte"])
    assert "busier before" in str(costs(Usage(0.1, 0.05, 1.0))["host_cpu_per_byte"])
    assert "as many came before" in str(costs(SILENCE)["bytes_per_interrupt"])


def test_interrupts_and_exits_beyond_silence() -> None:
    during = Rates({"LOC:": 600.0, "30: card": 1500.0}, {"exits": 4000.0, "io_exits": 1.0})
    before = replace(TIMER, exits={"exits": 2000.0})
    bulk = costs(SILENCE, rates=during, before=before)
    assert (bulk["bytes_per_interrupt"], bulk["bytes_per_exit"]) == (1e6, 1e6)
    asked = costs(SILENCE, rates=during, before=before, unit=TRANSACTION)
    assert (asked["interrupts_per_transaction"], asked["exits_per_transaction"]) == (1e-6, 1e-6)


def test_only_virtual_machines_have_exits() -> None:
    assert "bytes_per_exit" not in costs(SILENCE)
    assert costs(SILENCE, rates=replace(TIMER, no_exits="nobody counts"))["bytes_per_exit"] == "nobody counts"


def test_packets_of_the_whole_test() -> None:
    assert costs(SILENCE, packets=4)["bytes_per_packet"] == pytest.approx(2e9)
    assert costs(SILENCE, packets=4, unit=TRANSACTION)["packets_per_transaction"] == 4 / 8e9
    assert "bytes_per_packet" not in costs(SILENCE), "an end on the host's own network has no device of its own"
    assert costs(SILENCE, ends=replace(ENDS, no_packets="no cat"))["bytes_per_packet"] == "no cat"
