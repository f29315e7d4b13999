"""What a reader of the figures must know first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
from isoscope.benchmarks.network.cautions import cautions

VF = {"network": "vf", "link": "igb", "mtu": 1500, "network_driver": "igbvf", "network_mac": "02:00:00:00:00:01"}


def said(*rows: tuple[str, str, float, dict[str, Any]]) -> str:
    """The cautions of a run with such values: variant, metric, value and labels."""
    names = ("variant", "metric", "value", "labels")
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows])
    frame = frame.assign(benchmark="network", status="ok", warmup=False)
    return "\n".join(cautions(cast("Any", SimpleNamespace(trials=frame))))


def test_a_function_of_a_card_shows_itself_and_no_cable_is_promised() -> None:
    told = said(
        ("vm:network=vf", "network.packets", 40000.0, VF),
        ("vm:network=vf", "network.packets", 2000.0, VF),
        ("container", "network.packets", 7.0, {"network": "bridge", "link": "veth", "mtu": 1500}),
    )
    assert "vm:network=vf has a virtual function of a card: in the instance it shows the driver igbvf" in told
    assert "the address 02:00:00:00:00:01, which the host had set, and counted 42,000 packets" in told
    assert "The host's end of vm:network=vf is the card itself" in told
    assert "no cable" in told


def test_what_a_function_does_not_show_is_not_claimed() -> None:
    told = said(("other:network=vf", "network.throughput", 1.0, {"network": "vf", "link": "igb", "mtu": 1500}))
    assert "shows the driver" not in told
    assert "no cable" in told


def test_nothing_is_said_of_functions_where_there_are_none() -> None:
    assert "card" not in said(("container", "network.packets", 7.0, {"network": "bridge", "link": "veth", "mtu": 1500}))
