"""The figure of the way of a packet says in words, too, what each of its columns shows."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]
FIGURE = ROOT / "docs/images/packet.svg"
_SVG = "{http://www.w3.org/2000/svg}"


def test_it_says_in_words_what_it_shows() -> None:
    root = ET.parse(FIGURE).getroot()
    described = {root.findtext(f"{_SVG}title"), root.findtext(f"{_SVG}desc")}
    assert None not in described
    headings = [text.text for text in root.iter(f"{_SVG}text") if text.get("class") == "heading"]
    words = root.findtext(f"{_SVG}desc") or ""
    assert len(headings) == 5
    assert all(f"\n{heading.split()[0]}, " in words for heading in headings if heading)
