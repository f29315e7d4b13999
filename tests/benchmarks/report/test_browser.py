"""The page in a real browser: on a screen, on a phone, in the dark, on paper."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks.report import html

from .conftest import Browse, console

pytestmark = pytest.mark.slow

#: Looks at the page that it stands in, and says on the console what it saw.
PROBE = """<script>
addEventListener("load", () => {
  const plots = [...document.querySelectorAll("svg[role=img]")];
  const boxes = [...document.querySelectorAll(".wide")];
  const seen = (one) => one.checkVisibility({contentVisibilityAuto: true, checkVisibilityCSS: true});
  console.log("probe " + JSON.stringify({
    width: innerWidth,
    overflows: document.documentElement.scrollWidth > innerWidth,
    plots: plots.length,
    drawn: plots.filter((svg) => svg.getBoundingClientRect().height > 60).length,
    named: plots.filter((svg) => svg.getAttribute("aria-label")?.length > 40).length,
    scrolled: boxes.filter(seen).filter((box) => box.scrollWidth > box.clientWidth + 1).length,
    reachable: boxes.every((box) => box.tabIndex === 0 && box.getAttribute("aria-label")),
    missing: [...document.images].filter((image) => !image.naturalWidth).length,
    resources: performance.getEntriesByType("resource").length,
    anchors: [...document.querySelectorAll("a[href^='#']")]
      .filter((a) => !document.getElementById(a.hash.slice(1))).length,
    smallest: Math.min(...[...document.querySelectorAll("body *")].filter((e) => e.childNodes.length === 1 &&
      e.firstChild.nodeType === 3 && !e.closest("svg")).map((e) => parseFloat(getComputedStyle(e).fontSize))),
    page: getComputedStyle(document.body).backgroundColor,
  }));
});
</script></body>"""


@pytest.fixture(scope="module", params=["whole_run", "hostile_run"])
def probed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that looks at itself."""
    text = html.write(request.getfixturevalue(request.param)).read_text()
    page = tmp_path_factory.mktemp("page") / "probed.html"
    page.write_text(text.replace("</body>", PROBE))
    return page


def look(browse: Browse, page: Path, *more: str) -> dict[str, Any]:
    """What the probe saw; nothing else may have been said."""
    [line] = console(browse("--dump-dom", *more, page.as_uri()))
    assert line.startswith("probe ")
    found: dict[str, Any] = json.loads(line.removeprefix("probe "))
    return found


def test_a_browser_shows_it_without_a_complaint(browse: Browse, probed: Path) -> None:
    seen = look(browse, probed, "--window-size=1200,900")
    assert seen["plots"] == seen["drawn"] == seen["named"] >= 3
    assert seen["missing"] == seen["resources"] == seen["anchors"] == 0
    assert not seen["overflows"]
    assert seen["reachable"]
    assert seen["smallest"] >= 12


def test_on_a_phone_tables_scroll_in_their_boxes_and_the_page_does_not(
    browse: Browse, probed: Path, tmp_path: Path
) -> None:
    # a window is never narrower than 500 pixels; a frame is
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!DOCTYPE html><iframe src="{probed.as_uri()}" width="360" height="800" style="border:0"></iframe>'
    )
    seen = look(browse, frame)
    assert seen["width"] == 360
    assert not seen["overflows"]
    assert seen["scrolled"] > 3


def test_on_paper_nothing_is_folded_away_or_cut(browse: Browse, whole_run: Path, tmp_path: Path) -> None:
    page = html.write(whole_run)
    paper = tmp_path / "paper.pdf"
    browse("--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert pages > 5
    # the same without what is folded away takes fewer pages: so it is on paper
    shorter = tmp_path / "shorter.html"
    shorter.write_text(re.sub(r"<details.*?</details>", "", page.read_text(), flags=re.DOTALL))
    browse("--no-pdf-header-footer", f"--print-to-pdf={paper}", shorter.as_uri())
    assert 0 < len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) < pages


@pytest.mark.parametrize(("scheme", "number"), [("dark", 0), ("light", 1)])
def test_light_and_dark_are_both_drawn(
    browse: Browse, whole_run: Path, tmp_path: Path, scheme: str, number: int
) -> None:
    from matplotlib.image import imread

    shot = tmp_path / "shot.png"
    scheme_wanted = f"--blink-settings=preferredColorScheme={number}"
    browse(f"--screenshot={shot}", "--window-size=900,1400", scheme_wanted, html.write(whole_run).as_uri())
    pixels = imread(shot)[..., :3]
    assert pixels.std() > 0.05  # something stands out from the page
    assert pixels.mean() < 0.3 if scheme == "dark" else pixels.mean() > 0.7
