"""The page on the Python API names everything that is public."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from isoscope import benchmarks, core
from isoscope.benchmarks import Run
from isoscope.core import Instance, Lab, Result


def public(thing: type) -> set[str]:
    return {name for name in [*vars(thing), *getattr(thing, "__annotations__", {})] if not name.startswith("_")}


@pytest.mark.parametrize(
    "names",
    [set(core.__all__), set(benchmarks.__all__), public(Lab), public(Result), public(Run) - {"load", "write"}],
    ids=["core", "benchmarks", "Lab", "Result", "Run"],
)
def test_the_page_names_everything(names: set[str], root: Path) -> None:
    words = set(re.findall(r"\w+", (root / "docs/reference/python-api.md").read_text()))
    assert names <= words, f"docs/reference/python-api.md lacks {sorted(names - words)}"


def test_the_page_names_every_verb(root: Path) -> None:
    words = set(re.findall(r"\w+", (root / "docs/reference/python-api.md").read_text()))
    for_backends = {"phases", "saw_output", "saw_exit", "resize", "backing"}
    assert public(Instance) - for_backends <= words
