"""What a reader is told first."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from isoscope.benchmarks.disk.cautions import cautions
from isoscope.core import Variant

GIB = 1 << 30


def told(*rows, size="1G", memory=GIB // 2, filesystem="ext4"):
    """The cautions of a run with rows of (variant, metric, value, labels)."""
    frame = pd.DataFrame(
        [
            {
                "benchmark": "disk",
                "warmup": False,
                "status": "ok",
                "variant": variant,
                "metric": metric,
                "value": value,
                "labels": {"phase": "x", **labels},
            }
            for variant, metric, value, labels in rows
        ],
        columns=["benchmark", "warmup", "status", "variant", "metric", "value", "labels"],
    )
    return cautions(
        SimpleNamespace(
            trials=frame,
            environment={"home_filesystem": filesystem, "host": {"memory": {"total": memory}}},
            terms=SimpleNamespace(subject=lambda _: SimpleNamespace(options={"size": size}), variant=Variant.parse),
        )
    )


def flush(value, **labels):
    return ("vm", "disk.flush", value, {"write_ns": 10_000.0, "native_ns": 90_000.0, "unflushed": 0.0, **labels})


PLAIN = ("container", "disk.iops", 1.0, {"cached": "", "kernel_memory": GIB // 2})


def test_nothing_is_said_of_a_sound_run():
    assert told(PLAIN, flush(300_000.0)) == []
    assert told() == []


def test_a_file_that_fits_into_memory():
    (said,) = told(PLAIN, size="512M", memory=GIB)
    assert "512 MiB" in said
    assert "host's memory (1 GiB)" in said


def test_a_file_that_fits_into_the_guests_memory():
    row = ("vm", "disk.iops", 1.0, {"kernel_memory": 2 * GIB})
    (said,) = told(row)
    assert said == "vm: the test file is smaller than the guest's memory (2 GiB), too."
    assert told(("vm", "disk.iops", 1.0, {"kernel_memory": GIB // 4})) == []


def test_a_state_directory_in_memory():
    assert "figures of memory" in told(PLAIN, filesystem="tmpfs")[0]


@pytest.mark.parametrize(("variant", "default"), [("vm", True), ("vm:cache=writeback", False)])
def test_a_cache_of_the_host_under_a_guest(variant, default):
    (said,) = told((variant, "disk.iops", 1.0, {"cache": "writeback"}))
    assert said.startswith(f"{variant}: cache=writeback")
    assert ("the default" in said) is default
    assert "cache=none,aio=native" in said
    assert told((variant, "disk.iops", 1.0, {"cache": "none"})) == []


def test_caches_that_were_not_dropped():
    (said,) = told(PLAIN, ("vm", "disk.iops", 1.0, {"cached": "only root may"}))
    assert said == "vm: caches may have been warm before some phases: only root may."


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (flush(300_000.0, unflushed=0.98), "98% of what it had flushed"),
        (flush(9_000.0), "the write before it 10 µs"),
        (flush(40_000.0), "the host's own 90 µs"),
    ],
)
def test_a_flush_that_costs_nothing(row, why):
    (said,) = told(row)
    assert said.startswith("vm: a flush costs nothing here: writes may be lost.")
    assert why in said


def test_one_odd_trial_does_not_condemn_a_variant():
    odd = flush(300_000.0, unflushed=1.0)
    assert told(flush(300_000.0), odd, flush(310_000.0)) == []


def test_a_host_that_cannot_tell_what_is_dirty_is_judged_by_the_clock():
    row = flush(300_000.0)
    del row[3]["unflushed"]
    assert told(row) == []


def test_warm_ups_and_failures_are_left_out():
    failed = pd.DataFrame(
        [
            {
                "benchmark": "disk",
                "warmup": True,
                "status": "ok",
                "variant": "vm",
                "labels": {"phase": "x", "cached": "no"},
            }
        ]
    )
    run = SimpleNamespace(trials=failed, environment={}, terms=None)
    assert cautions(run) == []
