"""The container backend against a C program that does the least, and against runc, turn by turn."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path
from time import monotonic_ns

import pytest
from isoscope.core import Exit, Lab, Workload

pytestmark = pytest.mark.root

PATIENCE = 60
ROUNDS = 150
WARM_UPS = 5
COMMAND = "/bin/true"

#: How much longer than the C program a start and an end may take together, p50 against p50.
MOST = 3.0


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program."""
    program = tmp_path_factory.mktemp("bare") / "bare_container"
    source = Path(__file__).with_name("bare_container.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-static", "-o", program, source], check=True)
    return program


def ours(lab: Lab) -> int:
    """Nanoseconds from `start()` to the end of `delete()`."""
    instance = lab.create(Workload(command=(COMMAND,)), "container")
    instance.start()
    assert instance.wait(PATIENCE) == Exit(code=0)
    instance.delete()
    total = instance.timeline.span("start", "deleted")
    assert total is not None
    return total


def by_c(program: Path, lower: Path, directory: Path) -> int:
    """Nanoseconds, as the C program counts them. It makes its directories before, as `Backend.create` does."""
    directory.mkdir()
    done = subprocess.run([program, lower, directory, COMMAND], stdout=subprocess.PIPE, text=True, check=True)
    directory.rmdir()
    return int(done.stdout)


def make_bundle(bundle: Path, lower: Path) -> Path:
    """A bundle of runc's own default configuration, on the image's layer, read-only as that has it."""
    bundle.mkdir()
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {"args": [COMMAND], "terminal": False}
    config["root"] = {"path": str(lower), "readonly": True}
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


def by_runc(bundle: Path, number: int) -> int:
    """Nanoseconds of `runc run`, which creates, starts, waits and deletes."""
    start = monotonic_ns()
    subprocess.run(["runc", "run", f"isoscope-bench-{number}"], cwd=bundle, check=True, stdin=subprocess.DEVNULL)
    return monotonic_ns() - start


def p50(values: list[int]) -> float:
    return statistics.median(values[WARM_UPS:] or values)


def test_container_total(benchmark, lab: Lab, bare: Path, tmp_path: Path, capsys) -> None:
    lower = lab.images.rootfs("base").layers[-1].resolve()  # runc takes no path with a link in it
    bundle = make_bundle(tmp_path / "bundle", lower)
    spans: dict[str, list[int]] = {"ours": [], "c": [], "runc": []}

    def one_round() -> None:
        number = len(spans["ours"])
        spans["ours"].append(ours(lab))
        spans["c"].append(by_c(bare, lower, lab.home / "bare"))
        if number % 5 == 0:
            spans["runc"].append(by_runc(bundle, number))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    medians = {name: p50(values) for name, values in spans.items()}
    ratios = {"ratio_to_c": medians["ours"] / medians["c"], "ratio_to_runc": medians["ours"] / medians["runc"]}
    benchmark.extra_info.update({f"{name}_p50_ms": value / 1e6 for name, value in medians.items()} | ratios)
    with capsys.disabled():
        print(  # noqa: T201 -- a benchmark is for reading
            f"\ncontainer: p50 of startup.total {medians['ours'] / 1e6:.2f} ms, C program {medians['c'] / 1e6:.2f} ms, "
            f"ratio {ratios['ratio_to_c']:.2f} (at most {MOST}); runc {medians['runc'] / 1e6:.2f} ms, "
            f"ratio {ratios['ratio_to_runc']:.2f} (less than 1)"
        )
    if benchmark.enabled:
        assert ratios["ratio_to_c"] <= MOST
        assert ratios["ratio_to_runc"] < 1
