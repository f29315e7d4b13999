"""A real database in a container, filled and asked from the host."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from isoscope.benchmarks import Trial
from isoscope.benchmarks.inside import run_inside
from isoscope.benchmarks.network.tool import Tool
from isoscope.benchmarks.oltp import client, server
from isoscope.benchmarks.oltp.benchmark import Oltp
from isoscope.core import Lab, Variant
from isoscope.core.errors import WorkloadFailed

pytestmark = [pytest.mark.root, pytest.mark.slow]


def test_transactions_are_counted_for_each_number_of_clients(lab: Lab) -> None:
    kept: dict[str, bytes] = {}
    trial = Trial(
        lab=lab,
        variant=Variant.parse("container:storage=volume"),
        workload=lab.workload("mariadb"),
        block=1,
        warmup=False,
        timeout=60,
        options={"threads": (1, 2), "rows": 1000, "duration": 1},
        shield=nullcontext,
        step=lambda _: None,
        keep=kept.__setitem__,
    )
    values = {(one.metric.name, one.labels["threads"]): one for one in Oltp().measure(trial)}
    assert list(lab.registry) == []
    for threads in (1, 2):
        rate, mean, p99 = (
            values[f"oltp.{name}", threads].value or 0.0 for name in ("transactions", "latency.mean", "latency.p99")
        )
        assert rate > 1
        # each client waits for one answer at a time
        assert threads / 4 < rate * mean / 1e9 < threads * 1.1
        assert p99 > mean / 2
    assert values["oltp.transactions", 1].labels["network"] == "bridge"
    assert b"Number of threads: 2" in kept["oltp-2.txt"]


def test_whoever_finds_the_port_is_nobody_but_the_clients_user(lab: Lab) -> None:
    """The server is root, and listens on the host's loopback device where it shares the host's network."""
    port, minute = 3306, 60
    with lab.start(lab.workload("mariadb"), "container") as instance:
        command = server.command("/var/tmp/isoscope.oltp", "127.0.0.1", port, rows=10, connections=5)
        fill = client.fill("127.0.0.1", port, rows=10)
        with Tool(instance, command) as serving:
            serving.await_output(server.READY, minute)
            strangers = ("--mysql-user=root", "--mysql-user=mysql", "--mysql-user=mariadb.sys", "--mysql-db=mysql")
            for word in strangers:  # the last is the clients' user, at the server's own tables
                name = word.partition("=")[0]
                with pytest.raises(WorkloadFailed) as told:
                    run_inside(instance, [word if one.startswith(f"{name}=") else one for one in fill], timeout=minute)
                assert "connection creation failed" in told.value.hint, word
            run_inside(instance, fill, timeout=minute)
