"""The container backend against a C program that does the least, and against runc, turn by turn."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic_ns

import pytest
from isobench.bare import bare_container
from isobench.duel import Duel
from isobench.rounds import typical
from isoscope.core import Exit, Lab, Workload

pytestmark = pytest.mark.root

PATIENCE = 60
ROUNDS = 150
COMMAND = "/bin/true"

#: How much longer than the C program a start and an end may take together.
MOST = 3.0


def ours(lab: Lab) -> int:
    """Nanoseconds from `start()` to the end of `delete()`."""
    instance = lab.create(Workload(command=(COMMAND,)), "container")
    instance.start()
    assert instance.wait(PATIENCE) == Exit(code=0)
    instance.delete()
    total = instance.timeline.span("start", "deleted")
    assert total is not None
    return total


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


def test_container_total(duel: Duel, lab: Lab, compile_c: Callable[[str], Path], tmp_path: Path) -> None:
    program = compile_c("bare_container")
    lower = lab.images.rootfs("base").layers[-1].resolve()  # runc takes no path with a link in it
    bundle = make_bundle(tmp_path / "bundle", lower)
    runc: list[float] = []
    rounds = count()

    def bare() -> int:
        if (number := next(rounds)) % 5 == 0:
            runc.append(by_runc(bundle, number))
        return bare_container(program, lower, lab.home / "bare", COMMAND)

    found = duel("container", lambda: ours(lab), bare, to="the C program", rounds=ROUNDS, warmups=5)
    duel.limit("container", found.ratio, MOST, "times the C program")
    duel.limit("container", typical(found.ours) / typical(runc), 1, "times runc")
