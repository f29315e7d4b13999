"""What stands before every figure, in every form of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.report import html, markdown
from isoscope.benchmarks.results.table import print_summary
from isoscope.benchmarks.results.verdict import verdicts

from .fake_run import make

EMULATED = {"nested": True, "signature": "TCGTCGTCGTCG", "emulated": True}


def on(virtualized: dict[str, Any], directory: Path, *, earlier: bool = False) -> Run:
    """A run under KVM, made on such a host, or gone on with elsewhere."""
    make(directory, blocks=2, accelerator="kvm")
    path = directory / "environment.json"
    environment = json.loads(path.read_text())
    here = {**environment, "host": {**environment["host"], "virtualized": virtualized}}
    path.write_text(json.dumps({**environment, "earlier": [here]} if earlier else here))
    return Run.load(directory)


@pytest.mark.parametrize("earlier", [False, True])
def test_figures_of_an_emulated_host_say_so_before_anything_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], earlier: bool
) -> None:
    run = on(EMULATED, tmp_path / "run", earlier=earlier)
    first = verdicts(run)[0]
    assert "path" in first
    assert "not the speed" in first
    assert "TCGTCGTCGTCG" in first
    page = html.write(run.directory).read_text()
    assert ", on an emulated host</h1>" in page
    assert f'<p class="verdict warning">{first}</p>' in page
    text = markdown.render(run)
    assert text.splitlines()[0].endswith(", on an emulated host")
    assert "> [!WARNING]\n> Emulated host" in text
    print_summary(run)
    assert first in capsys.readouterr().out


@pytest.mark.parametrize(
    "virtualized", [{"nested": True}, {"nested": True, "signature": "KVMKVMKVM", "emulated": False}, None]
)
def test_other_hosts_are_not_said_to_be_emulated(tmp_path: Path, virtualized: dict[str, Any]) -> None:
    run = on(virtualized, tmp_path / "run")
    assert verdicts(run) == ["Accelerator: KVM for vm."]
    assert "mulated host" not in html.write(run.directory).read_text()
