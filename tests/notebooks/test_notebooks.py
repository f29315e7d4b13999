"""Every notebook runs from its first cell to its last on this machine, and is what its text says."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.py"))
BUILD = "run `make notebooks`"

#: What a notebook may import of ours: the packages whose names are the public API.
PUBLIC = (
    "isoscope.core",
    "isoscope.core.errors",
    "isoscope.benchmarks",
    "isoscope.benchmarks.advise",
    "isoscope.benchmarks.capacity",
    "isoscope.benchmarks.reproduce",
)

every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def built(source: Path) -> Any:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def test_there_are_notebooks_numbered_without_a_gap() -> None:
    assert [int(source.name[:2]) for source in SOURCES] == list(range(1, len(SOURCES) + 1))
    assert sorted((ROOT / "notebooks").glob("*.ipynb")) == [source.with_suffix(".ipynb") for source in SOURCES]


@every_notebook
def test_text_and_notebook_agree(source: Path) -> None:
    def cells(notebook: Any) -> list[tuple[Any, ...]]:
        return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]

    notebook = built(source)
    nbformat.validate(notebook)
    assert cells(notebook) == cells(jupytext.read(source)), BUILD


@every_notebook
def test_it_reads_well_unrun(source: Path) -> None:
    """Outputs are shipped, those of a run from top to bottom, with nothing of the machine that made them."""
    notebook = built(source)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), BUILD
    assert any(cell.outputs for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    text = source.with_suffix(".ipynb").read_text()
    assert str(ROOT) not in text
    assert not re.search("(?<!/var)/tmp/", text), "/var/tmp may be an instance's"
    assert "not run here" not in printed(notebook)


@every_notebook
def test_it_says_what_for_and_ends_with_exercises_that_are_solved(source: Path) -> None:
    notebook = built(source)
    first, *_ = notebook.cells
    assert first.source.startswith("# ")
    assert "After this notebook you can" in first.source
    headings = [line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("## ")]
    assert headings[-1] == "## Exercises"
    solutions = [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", ())]
    assert len(solutions) >= 2
    assert all(cell.metadata.jupyter.source_hidden for cell in solutions)
    assert all("check" in cell.source for cell in solutions), "an exercise's solution is checked by a cell"


@every_notebook
def test_it_uses_nothing_but_the_public_api(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isoscope"):
            assert node.module in PUBLIC
            offered = importlib.import_module(node.module)
            public = getattr(offered, "__all__", vars(offered))
            assert {alias.name for alias in node.names} <= set(public)
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.startswith("isoscope")]
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr.startswith("__"), f"line {node.lineno}: private"


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
@pytest.mark.timeout(600)  # alone, the first builds the image and the disk that other tests have built
@every_notebook
def test_it_runs_and_skips_nothing(source: Path, stocked_home: Path, tmp_path: Path) -> None:
    """Each within three minutes, by itself, in a kernel of its own; nothing is left on the host."""
    command = [sys.executable, ROOT / "tools/notebooks.py", "--output", tmp_path, source.stem]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(tmp_path / f"{source.stem}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "not run here" not in printed(notebook)


def printed(notebook: Any) -> str:
    """All text that its cells gave."""
    return json.dumps([cell.get("outputs", []) for cell in notebook.cells])
