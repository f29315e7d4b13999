"""The pages of docs/reproductions are what their data say: no figure of them was typed by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from isoscope.benchmarks.reproduce import page
from isoscope.benchmarks.results.run import Run

from .conftest import plan_of
from .fake_reproduction import as_published, make

ROOT = Path(__file__).resolve().parents[3]
FIO = "felter2014/fio"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reproductions", ROOT / "tools/reproductions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_up_to_date(tool: ModuleType) -> None:
    written = {path.name: path.read_text() for path in tool.DIRECTORY.glob("*.md")}
    assert written == tool.pages(tool.stored()), "run tools/reproductions.py"


def test_a_run_becomes_a_page(tool: ModuleType, tmp_path: Path) -> None:
    run = make(tmp_path / "run", FIO, plan_of(FIO), as_published(FIO), accelerator="tcg")
    found = page.write(Run.load(run))
    tool.take(run, tmp_path / "docs")
    [stored] = tool.stored(tmp_path / "docs")
    assert stored == found
    written = tool.pages([stored])
    text = written["felter2014-fio.md"]
    assert found.verdict in text.splitlines()[0]
    assert "isoscope reproduce felter2014/fio -n 10 --seed 7" in text
    assert "kvm-virtio (tcg)" in text
    assert found.verdict in written["index.md"]
    assert (tmp_path / "docs/felter2014-fio.svg").exists()


def test_a_run_without_a_verdict_is_not_taken(tool: ModuleType, tmp_path: Path) -> None:
    run = make(tmp_path / "run", FIO, plan_of(FIO), as_published(FIO), blocks=3)
    trials = run / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text("".join(lines[: len(lines) // 2]))
    page.write(Run.load(run))
    with pytest.raises(SystemExit, match="not complete"):
        tool.take(run, tmp_path / "docs")
