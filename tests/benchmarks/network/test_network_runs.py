"""The benchmark on real instances: loopback, veth and virtio; and what goes wrong on the way."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run, Trial, Value
from isoscope.benchmarks.network import iperf3, pingpong
from isoscope.benchmarks.network.benchmark import Network
from isoscope.benchmarks.network.ends import BETWEEN, PATHS, TO_HOST, TO_INSTANCE, paths
from isoscope.benchmarks.network.tool import Tool
from isoscope.core import Lab, Variant, Workload
from isoscope.core.errors import CommandNotFound, InputError, InstanceFailed, Unsupported, WorkloadFailed

pytestmark = pytest.mark.root

OPTIONS = {"duration": 1, "streams": (1,), "size": 100, "paths": PATHS}


@dataclass
class Measured:
    """What a trial gave: values by metric and path, and the files that were kept."""

    values: dict[tuple[str, str], Value] = field(default_factory=dict)
    all: list[Value] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)

    def of(self, metric: str, path: str) -> float:
        found = self.values[f"network.{metric}", path]
        assert found.value is not None, found.reason
        return found.value


@pytest.fixture
def measure(lab: Lab) -> Callable[..., Measured]:
    """One trial of a variant."""

    def run(
        variant: str,
        workload: Workload | None = None,
        step: Callable[[str], None] = lambda text: None,
        **options: Any,
    ) -> Measured:
        measured = Measured()
        trial = Trial(
            lab=lab,
            variant=Variant.parse(variant),
            workload=workload or lab.workload("network"),
            block=1,
            warmup=False,
            timeout=60,
            options={**OPTIONS, **options},
            shield=nullcontext,
            step=step,
            keep=measured.kept.__setitem__,
        )
        for value in Network().measure(trial):
            measured.values[value.metric.name, str(value.labels["path"])] = value
            measured.all.append(value)
        assert list(lab.registry) == []
        return measured

    return run


def costs_something(measured: Measured, metric: str, path: str) -> bool:
    """Whether a cost was found; a host that is too busy to look in time says so instead."""
    found = measured.values[f"network.{metric}", path]
    return found.value > 0 if found.value is not None else "before the processors had been watched" in found.reason


def labels(measured: Measured, path: str) -> Mapping[str, Any]:
    return measured.values["network.throughput", path].labels


def test_a_container_is_reached_over_its_veth_in_both_directions_and_by_another(
    measure: Callable[..., Measured],
) -> None:
    found = measure("container")
    for path in PATHS:
        assert found.of("throughput", path) > 1e6
        assert costs_something(found, "cpu_per_byte", path)
        assert labels(found, path)["link"] == "veth"
        assert labels(found, path)["network"] == "bridge"
        assert labels(found, path)["clock"] == "the host's"
        assert "streams" not in labels(found, path), "the only number tells no series from another"
        assert 100 < found.of("bytes_per_packet", path) < 65536
        assert found.of("packets", path) > 1000
        assert ("network.bytes_per_exit", path) not in found.values
    for path in (TO_INSTANCE, BETWEEN):
        assert found.of("packets_per_transaction", path) >= 2
        assert found.of("latency.p50", path) <= found.of("latency.p99", path) <= found.of("latency.p99.9", path)
        # one at a time: a second is filled by what they take on average, and half of them take the median at least
        assert found.of("latency.p50", path) * found.of("transactions", path) / 2 < 1.1e9
        assert costs_something(found, "cpu_per_transaction", path)
    assert ("network.latency.p50", TO_HOST) not in found.values
    sent = json.loads(found.kept["throughput-host-to-instance.json"])
    assert sent["start"]["test_start"]["reverse"] == 0
    assert sent["end"]["sender_tcp_congestion"] == sent["end"]["receiver_tcp_congestion"] == "reno"
    assert json.loads(found.kept["throughput-instance-to-host.json"])["start"]["test_start"]["reverse"] == 1
    assert "latency-instance-to-instance.json" in found.kept
    counters = json.loads(found.kept["latency-instance-to-instance-counters.json"])
    assert counters["packets"] >= 2 * found.of("transactions", BETWEEN) * 0.9
    assert counters["a_second"] is None or counters["a_second"]["interrupts"]


def test_two_virtual_machines_over_the_bridge(measure: Callable[..., Measured]) -> None:
    found = measure("vm:accelerator=tcg", paths=(BETWEEN,))
    assert found.of("throughput", BETWEEN) > 1e5
    assert found.of("latency.p50", BETWEEN) > 1e4
    assert costs_something(found, "cpu_per_byte", BETWEEN)
    assert labels(found, BETWEEN)["accelerator"] == "tcg"
    assert labels(found, BETWEEN)["link"] == "tun"
    assert labels(found, BETWEEN)["vhost"] == "off"
    assert labels(found, BETWEEN)["clock"] == "the guest's"
    assert labels(found, BETWEEN)["network_driver"] == "virtio_net"
    assert found.of("bytes_per_packet", BETWEEN) > 100
    exits = found.values["network.bytes_per_exit", BETWEEN]
    assert exits.value is None
    assert "without KVM" in exits.reason or "before the processors had been watched" in exits.reason


@pytest.mark.parametrize("variant", ["process", "container:network=host"])
def test_the_hosts_own_network_is_loopback_and_says_so(measure: Callable[..., Measured], variant: str) -> None:
    found = measure(variant, paths=(BETWEEN,))
    assert labels(found, BETWEEN)["link"] == "loopback"
    assert labels(found, BETWEEN)["network"] == "host"
    assert found.of("throughput", BETWEEN) > 1e6


def test_several_numbers_of_streams_are_series_of_their_own(measure: Callable[..., Measured]) -> None:
    found = measure("container", paths=(TO_HOST,), streams=(1, 3))
    assert {value.labels["streams"] for value in found.all if value.metric.name == "network.throughput"} == {1, 3}
    for streams in (1, 3):
        sent = json.loads(found.kept[f"throughput-{streams}-instance-to-host.json"])
        assert sent["start"]["test_start"]["num_streams"] == len(sent["start"]["connected"]) == streams
    assert found.of("packets", TO_HOST) > 1000


def test_where_no_device_of_the_host_shows_the_first_packet_the_tools_tell(
    measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As between two functions of one card, which only a host with such a card has."""
    from isoscope.benchmarks.network import ends, exchange

    real = ends._ends
    monkeypatch.setattr(ends, "_ends", lambda *places, **names: replace(real(*places, **names), seen=False))
    monkeypatch.setattr(exchange, "connections", None)
    found = measure("container", paths=(BETWEEN,))
    assert costs_something(found, "cpu_per_byte", BETWEEN)
    assert costs_something(found, "cpu_per_transaction", BETWEEN)
    assert found.of("throughput", BETWEEN) > 1e6
    assert found.of("latency.p50", BETWEEN) <= found.of("latency.p99", BETWEEN)


@pytest.mark.parametrize("tool", ["iperf3", "fio"])
def test_a_tool_that_tells_does_so_as_the_test_begins(lab: Lab, tool: str) -> None:
    port, minute = 30000, 60
    if tool == "iperf3":
        ready, begun, server_tells = iperf3.READY, iperf3.BEGUN, True
        server = iperf3.server("127.0.0.1", port, tells=True)
        client = iperf3.client("127.0.0.1", port, seconds=minute, streams=1, reverse=False)
    else:
        ready, begun, server_tells = pingpong.READY, pingpong.BEGUN, False
        server = pingpong.server(port, size=100)
        client = pingpong.client("127.0.0.1", port, seconds=minute, size=100, tells=True)
    with lab.start(lab.workload("network"), "container") as instance, Tool(instance, server) as serving:
        serving.await_output(ready, 20)
        with Tool(instance, client) as asking:
            assert asking.await_end_or((serving if server_tells else asking).word(begun), minute / 2)


def test_without_a_network_there_is_nothing_to_measure(measure: Callable[..., Measured]) -> None:
    with pytest.raises(Unsupported, match="no network over which"):
        measure("container:network=none")


def test_an_image_without_the_tools(measure: Callable[..., Measured], lab: Lab) -> None:
    with pytest.raises(CommandNotFound, match="iperf3"):
        measure("container", replace(lab.workload("network"), image="base"))


def test_a_port_that_is_taken(measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr("isoscope.benchmarks.network.benchmark.free_port", lambda: taken.getsockname()[1])
        with pytest.raises(WorkloadFailed, match="iperf3") as failed:
            measure("process")
    assert "Address already in use" in failed.value.hint


def test_a_server_that_dies_in_the_midst(measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch) -> None:
    from isoscope.benchmarks.network.cpu import Sample

    taken = Sample.take
    samples: list[Sample] = []

    def take(ends: Any) -> Sample:
        samples.append(taken(ends))
        if len(samples) == 3:  # two before the test, and this one in its midst
            ends[1].kill(9)
        return samples[-1]

    monkeypatch.setattr(Sample, "take", take)
    with pytest.raises((WorkloadFailed, InstanceFailed)):
        measure("container", paths=(TO_INSTANCE,))
    assert len(samples) == 3


def test_a_bridge_that_does_not_let_instances_reach_each_other(measure: Callable[..., Measured], lab: Lab) -> None:
    def isolate(text: str) -> None:
        if text == f"{BETWEEN}: throughput":
            for record in lab.registry:
                if lease := record.resources.get("network"):
                    command = ["bridge", "link", "set", "dev", lease["interface"], "isolated", "on"]
                    subprocess.run(command, check=True)

    with pytest.raises(WorkloadFailed, match="unable to connect") as failed:
        measure("container", step=isolate, paths=(BETWEEN,))
    assert "firewall" in failed.value.hint


def test_one_comparison_of_all_that_there_is_to_compare(lab: Lab, tmp_path: Path) -> None:
    run = lab.compare(
        backends=["process", "container", "container:network=none"],
        benchmarks=["network:paths=host-to-instance,duration=1"],
        blocks=1,
        directory=tmp_path / "run",
    )
    assert isinstance(run, Run)
    made = run.trials[~run.trials["warmup"] & (run.trials["metric"] == "network.throughput")]
    assert dict(zip(made["variant"], made["status"], strict=True)) == {
        "process": "ok",
        "container": "ok",
        "container:network=none": "unavailable",
    }
    cautions = Network().cautions(run)
    assert any("process both ends" in said and "loopback" in said for said in cautions)
    assert any("MTU is not the same" in said for said in cautions)
    drawn = {figure.name: figure for figure in Network().figures(run)}
    assert {"network-throughput", "network-latency-host-to-instance", "network-cpu-per-byte"} <= drawn.keys()
    assert "p99.9" in drawn["network-latency-host-to-instance"].alternative
    for kept in (tmp_path / "run" / "raw" / "network").iterdir():
        kept.unlink()
    without = {figure.name for figure in Network().figures(run)}
    assert without == drawn.keys()  # of the percentiles alone


@pytest.mark.parametrize("text", ["", "everything", "host-to-instance+host-to-instance", "all+instance-to-host"])
def test_paths_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        paths(text)


def test_paths_by_name() -> None:
    assert paths("all") == PATHS
    assert paths("instance-to-host+host-to-instance") == (TO_HOST, TO_INSTANCE)
