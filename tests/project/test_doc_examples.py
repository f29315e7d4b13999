"""Python in the docs runs, or is a piece of the example that is tested elsewhere; what is neither can be compiled."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/isoscope-example"

#: Pages whose blocks are carried out one after another, as a reader would.
CARRIED_OUT = ("docs/tutorial/from-python.md",)

#: Pages that walk through the example.
WALKS = ("docs/how-to/write-a-backend.md", "docs/how-to/write-a-benchmark.md")

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    return [textwrap.dedent(block) for block in _BLOCK.findall((ROOT / page).read_text())]


@pytest.mark.parametrize("page", CARRIED_OUT)
@pytest.mark.root
def test_a_page_runs(page: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a comparison leaves its folder in the working directory
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(ROOT / page)
    examples = list(document.examples())
    assert len(examples) == len(blocks(page)) > 5
    for example in examples:
        example.evaluate()


class _Plain(ast.NodeTransformer):
    """Leaves out what only type checkers and readers of the file ask for: annotations and docstrings."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        assert node.value is not None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node


def plain(text: str) -> list[str]:
    """The statements, one a line, however they were broken."""
    tree = ast.fix_missing_locations(_Plain().visit(ast.parse(text)))
    return [line.strip() for line in ast.unparse(tree).splitlines() if line.strip()]


@pytest.mark.parametrize("page", WALKS)
def test_a_walk_shows_the_example_as_it_is(page: str) -> None:
    """Each statement of its blocks stands in the example, save for what is cut with `...`."""
    code = {line for path in EXAMPLE.rglob("*.py") for line in plain(path.read_text())}
    shown = [line for block in blocks(page) for line in plain(block) if "..." not in line]
    assert len(shown) > 15
    strange = [line for line in shown if line not in code]
    assert not strange, f"{page} shows what the example does not have:\n" + "\n".join(strange)


def test_all_other_python_can_be_compiled(tracked: list[Path]) -> None:
    for path in (str(path) for path in tracked if path.suffix == ".md"):
        if path not in {*CARRIED_OUT, *WALKS, "docs/reference/hooks.md"}:
            for block in blocks(path):
                compile(block, path, "exec")
