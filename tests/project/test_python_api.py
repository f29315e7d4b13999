"""The page on the Python API names everything that is public."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
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


@pytest.mark.parametrize("package", ["advise", "capacity", "reproduce"])
def test_the_page_has_every_parameter_of_what_a_command_does(package: str, root: Path) -> None:
    module = import_module(f"isoscope.benchmarks.{package}")
    functions = [name for name in module.__all__ if inspect.isfunction(getattr(module, name))]
    assert functions
    text = (root / "docs/reference/python-api.md").read_text()
    for name in functions:
        given = re.search(rf"`{module.__name__}\.{name}\((.*?)\)`", text)
        assert given, name
        assert set(inspect.signature(getattr(module, name)).parameters) <= set(re.findall(r"\w+", given[1]))


def test_the_page_names_every_verb(root: Path) -> None:
    words = set(re.findall(r"\w+", (root / "docs/reference/python-api.md").read_text()))
    for_backends = {"phases", "saw_output", "saw_exit", "resize", "backing"}
    assert public(Instance) - for_backends <= words
