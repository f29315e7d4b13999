"""What is read out of the tools' answers, and what is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from isoscope.benchmarks.network import iperf3, pingpong
from isoscope.benchmarks.network.answers import number, parse
from isoscope.benchmarks.network.exchange import Outcome
from isoscope.core.errors import WorkloadFailed


def iperf(sent_seconds: float = 2.0, received_seconds: float = 4.0) -> bytes:
    """A client's answer with the fields that are read: 1000 bytes were sent, 800 arrived."""
    end = {
        "sum_sent": {"bytes": 1000, "seconds": sent_seconds},
        "sum_received": {"bytes": 800, "seconds": received_seconds},
    }
    return json.dumps({"start": {}, "end": end}).encode()


def fio(runtime_ms: int = 1000, **clat: Any) -> bytes:
    """A client's answer behind a warning, as fio prints it: 5000 transactions."""
    percentile = {"50.000000": 100, "90.000000": 200, "99.000000": 300, "99.900000": 400}
    write = {"runtime": runtime_ms, "total_ios": 5000, "clat_ns": {"percentile": percentile, **clat}}
    return b"fio: this is a warning\n" + json.dumps({"jobs": [{"write": write}]}).encode()


def test_throughput_is_what_arrived_in_the_clients_seconds() -> None:
    assert iperf3.transfer(iperf(), reverse=False) == (800, 2.0)
    assert iperf3.transfer(iperf(), reverse=True) == (800, 4.0)


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("error - unable to connect to server: Connection timed out", "firewall"),
        ("error - unable to connect to server: No route to host", "firewall"),
        ("error - control socket has closed unexpectedly", "died"),
    ],
)
def test_what_iperf3_complains_of_is_an_error_with_a_hint(told: str, hint: str) -> None:
    with pytest.raises(WorkloadFailed, match=told.removeprefix("error - ")) as failed:
        iperf3.transfer(json.dumps({"error": told}).encode(), reverse=False)
    assert hint in failed.value.hint


def test_latency_by_percentile_and_rate() -> None:
    found = pingpong.latency(fio(), seconds=1)
    assert found.percentiles == {"50": 100, "90": 200, "99": 300, "99.9": 400}
    assert found.transactions == 5000
    assert found.lasted == 1


def test_a_test_that_was_cut_off_is_none() -> None:
    with pytest.raises(WorkloadFailed, match=r"cut off after 0\.8 of 1 s"):
        pingpong.latency(fio(runtime_ms=800), seconds=1)


def test_the_histogram_behind_the_percentiles() -> None:
    assert pingpong.histogram(fio(bins={"100": 4000, "1000": 1000})) == {100.0: 4000, 1000.0: 1000}
    for bins in ({"x": 1}, {"1": "x"}, [1], None):
        with pytest.raises(WorkloadFailed):
            pingpong.histogram(fio(bins=bins))


@pytest.mark.parametrize("output", [b"", b"no JSON", b"{", b"\xff\xfe", b"[" * 100_000], ids=range(5))
def test_what_is_no_json_is_a_failure_of_the_workload(output: bytes) -> None:
    with pytest.raises(WorkloadFailed, match="did not print JSON"):
        parse("tool", output)


@pytest.mark.parametrize(
    "value", [None, "5", True, 0, -1, float("inf"), float("nan"), [5], {}], ids=[str(place) for place in range(9)]
)
def test_only_a_positive_number_is_one(value: object) -> None:
    with pytest.raises(WorkloadFailed, match="measured nothing"):
        number("tool", {"jobs": [{"rate": value}]}, "jobs", 0, "rate")
    for answer in ([], "text", 5, {"jobs": []}, {"jobs": {"0": {}}}):
        with pytest.raises(WorkloadFailed):
            number("tool", answer, "jobs", 0, "rate")


def test_a_client_that_took_longer_than_there_was_time_has_a_wrong_clock() -> None:
    outcome = Outcome(b"", None, lasted=1.0)
    outcome.check(1.0)
    with pytest.raises(WorkloadFailed, match=r"clock runs fast: 1\.5 s were 1 s"):
        outcome.check(1.5)
    Outcome(b"", None, lasted=None).check(1.5)
