"""What can be set from outside is in the register, `isoscope.core.settings`, and so on its page; nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from isoscope.core import Lab, Workload, settings

REGISTER = Path("core/settings.py")
ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}
_OURS = re.compile(r"\b_?ISOSCOPE_[A-Z_]+\b")
KNOWN = {variable.name for variable in (*settings.VARIABLES, *settings.OTHERS)} | set(settings.INTERNAL)


def variables(tree: ast.AST) -> Iterator[str]:
    """What a module asks of its environment, where it names it, and what it passes on under a name of ours."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="get", value=ast.Attribute(attr="environ")), args=[name, *_]):
                yield from _named(name)
            case ast.Call(func=ast.Attribute(attr="getenv"), args=[name, *_]):
                yield from _named(name)
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=name):
                yield from _named(name)
            case ast.Constant(value=str(text)):
                yield from _OURS.findall(text)


def _named(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)


def test_every_environment_variable_is_in_the_register(root: Path, tracked: list[Path]) -> None:
    unknown = []
    for path in (p for p in tracked if p.parts[0] in _PACKAGES and p != REGISTER):
        if path.suffix == ".py":
            found = set(variables(ast.parse((root / path).read_text())))
        elif path.suffix == ".sh":
            found = set(_OURS.findall((root / path).read_text()))
        elif path.suffix in {".c", ".h"}:
            found = set(re.findall(r"\bgetenv\(\"([A-Z_]+)\"", (root / path).read_text()))
        else:
            continue
        unknown += [f"{path}: {name}" for name in sorted(found - KNOWN)]
    assert not unknown, "in core/settings.py, add:\n" + "\n".join(unknown)


@pytest.mark.parametrize(
    "code", ["os.environ['X']", "os.environ.get('X', '')", "os.getenv('X')", "text = 'set ISOSCOPE_X to 1'"]
)
def test_a_variable_is_found_however_it_is_asked_for(code: str) -> None:
    assert {name.removeprefix("ISOSCOPE_") for name in variables(ast.parse(code))} == {"X"}


def test_every_variable_of_the_register_is_heeded(root: Path, tracked: list[Path]) -> None:
    """Ours by the register's own name, helpers' by their text; those of libraries are theirs."""
    code = "\n".join((root / p).read_text() for p in tracked if p.parts[0] in _PACKAGES and p.suffix in {".py", ".sh"})
    register = {key: value.name for key, value in vars(settings).items() if isinstance(value, settings.Variable)}
    assert set(register.values()) == {variable.name for variable in settings.VARIABLES}
    assert not [name for key, name in register.items() if f"settings.{key}." not in code]
    assert not [name for name in settings.INTERNAL if code.count(name) < 2]


@pytest.mark.parametrize("backend", ["process", "container"])
@pytest.mark.root
def test_what_lies_in_a_state_directory_is_in_the_register(lab: Lab, backend: str) -> None:
    with lab.start(Workload(image="base", command=("sleep", "60")), backend=backend):
        found = {path.name for path in lab.home.iterdir()}
    assert found <= set(settings.STATE)
    assert {"cache", "images", "instances"} <= found


def test_every_folder_that_the_code_makes_in_a_state_directory_is_in_the_register(
    root: Path, tracked: list[Path]
) -> None:
    names = set()
    for path in (p for p in tracked if p.parts[0] in _PACKAGES - {"testing"} and p.suffix == ".py"):
        names |= set(re.findall(r"\bhome / \"([\w.]+)\"", (root / path).read_text()))
    assert names >= {"cache", "instances", "network"}  # that they are found at all
    assert names <= set(settings.STATE)
