"""The docs say what the code does: pages read off it are up to date, links lead somewhere, and the build is clean."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(reference().PAGES))
def test_a_page_read_off_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs/reference" / name).read_text() == reference().page(name), "run tools/reference.py"


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page's headings have, made as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere(tracked: list[Path]) -> None:
    broken = []
    for page in (path for path in tracked if path.suffix == ".md"):
        for target in LINK.findall(FENCE.sub("", (ROOT / page).read_text())):
            if re.match(r"[a-z]+:", target):
                continue  # tests reach no other host
            path, _, anchor = target.partition("#")
            found = (ROOT / page).parent / path if path else ROOT / page
            if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
                broken.append(f"{page}: {target}")
    assert not broken, "\n".join(broken)


def test_every_file_that_the_docs_name_exists(tracked: list[Path]) -> None:
    """Those written as `code` in prose, from the top of the checkout."""
    tops = {path.parts[0] for path in tracked if len(path.parts) > 1}
    missing = []
    for page in (path for path in tracked if path.suffix == ".md" and path.name != "CHANGELOG.md"):
        names = re.findall(r"`([\w.-]+/[\w./-]*)`", FENCE.sub("", (ROOT / page).read_text()))
        missing += [
            f"{page}: {n}" for n in names if n.split("/")[0] in tops and "_build" not in n and not (ROOT / n).exists()
        ]
    assert not missing, "\n".join(missing)


def test_the_docs_build_without_a_warning(tmp_path: Path) -> None:
    command = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Isoscope" in (tmp_path / "index.html").read_text()
