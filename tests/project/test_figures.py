"""The figures of the docs are what their scripts draw, can be read without seeing them, and suit light and dark."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.stem for path in (ROOT / "tools").glob("*_figure.py"))
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=SCRIPTS)
def script(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_it_is_up_to_date(script: ModuleType) -> None:
    assert script.FILE.read_text() == script.figure(), f"run tools/{script.__name__}.py"


def test_it_is_described_in_words(script: ModuleType) -> None:
    root = ET.fromstring(script.figure())
    assert root.get("role") == "img"
    title, description = root.findtext(f"{_SVG}title"), root.findtext(f"{_SVG}desc")
    assert title
    assert description
    assert len(description) > 2 * len(title)
    assert root.get("aria-labelledby") == "title description"


def test_it_is_shown_with_an_alternative(script: ModuleType, tracked: list[Path]) -> None:
    pages = [(ROOT / path).read_text() for path in tracked if path.suffix == ".md"]
    shown = [alt for text in pages for alt in re.findall(rf"!\[([^\]]*)\]\([^)]*{script.FILE.name}\)", text)]
    assert shown
    assert all(len(alt) > 20 for alt in shown)


def test_all_that_it_draws_lies_within_it(script: ModuleType) -> None:
    root = ET.fromstring(script.figure())
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for part in root.iter(f"{_SVG}rect"):
        x, y = float(part.get("x", "0")), float(part.get("y", "0"))
        assert 0 <= x <= x + float(part.get("width", "0")) <= width
        assert 0 <= y <= y + float(part.get("height", "0")) <= height
    for text in root.iter(f"{_SVG}text"):
        assert 0 <= float(text.get("x", "0")) <= width
        assert 0 < float(text.get("y", "0")) <= height


def test_every_class_that_it_uses_has_a_look(script: ModuleType) -> None:
    drawn = script.figure()
    used = {name for names in re.findall(r'class="([^"]+)"', drawn) for name in names.split()}
    styled = set(re.findall(r"\.([a-z-]+)", drawn.partition("<style>")[2].partition("</style>")[0]))
    assert used <= styled
