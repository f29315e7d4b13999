from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks.harness import environment
from isoscope.core import Lab
from isoscope.core.registry import Owner


def moment(**changed: Any) -> dict[str, Any]:
    quiet = {
        "busy": 0.01,
        "instances": 0,
        "leftovers": 0,
        "machines": 0,
        "containers": 0,
        "cpu_ticks": {"total": 1000, "steal": 10, "idle": 900},
    }
    return quiet | changed


def test_a_quiet_host_is_not_remarked_upon() -> None:
    assert environment.dirt(moment()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"busy": 0.6}, "the host is busy: others use 60% of its CPUs"),
        ({"instances": 2}, "2 other instance(s)"),
        ({"machines": 3}, "3 virtual machine(s) of others"),
        ({"containers": 4}, "4 other PID namespace(s)"),
        ({"leftovers": 1}, "isoscope gc removes them"),
    ],
)
def test_a_dirty_host_is_told(changed: dict[str, Any], words: str) -> None:
    [sentence] = environment.dirt(moment(**changed))
    assert words in sentence


def test_cpu_time_that_was_taken_away_is_told() -> None:
    after = moment(cpu_ticks={"total": 2000, "steal": 110})
    assert environment.stolen(moment(), after) == 0.1
    assert environment.theft(0.1) == ["the hypervisor took away 10.0% of the CPU time during the trials"]
    assert environment.theft(0.001) == []
    assert environment.stolen(moment(), moment()) is None
    assert environment.theft(None) == []


def test_work_of_others_is_seen(fake_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LOOK", 0.5)
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as spinner:
        spinner.stdout.readline()
        busy = environment.moment(fake_lab)["busy"]
        spinner.kill()
    assert busy > 0.8 / (os.cpu_count() or 1)


def test_instances_of_the_living_and_of_the_dead_are_counted_apart(fake_lab: Lab, home: Path) -> None:
    live = fake_lab.registry.create(name="", variant="vm", workload={}, image="")
    dead = fake_lab.registry.create(name="", variant="vm", workload={}, image="")
    dead.owner = Owner(pid=1, start_time=1, boot_id="another")
    dead.save()
    now = environment.moment(fake_lab)
    assert (now["instances"], now["leftovers"]) == (1, 1)
    live.forget()
    dead.forget()
