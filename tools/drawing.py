"""What the figures of the docs have in common: boxes, lines, words, and a drawing that suits light and dark.

Colours are those of Okabe and Ito, which the colour-blind can tell apart; each has a second sign beside it: a dash, a
width, or a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

LINE = 15  #: of text, in the units of the drawing, like all lengths here


@dataclass(frozen=True)
class Box:
    """Something that has a part in it. `x` is its middle."""

    x: float
    y: float
    look: str  #: `own` of the instance, `host`, `shared`, `card`, or `meet` for what stands out
    words: tuple[str, ...]
    width: float = 142
    least: float = 0  #: how high it is at least
    corner: float = 4  #: radius

    @property
    def height(self) -> float:
        return max(self.least, LINE * len(self.words) + 9)

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def draw(self) -> Iterator[str]:
        yield (
            f'<rect class="box {self.look}" x="{self.x - self.width / 2:g}" y="{self.y:g}" width="{self.width:g}" '
            f'height="{self.height:g}" rx="{self.corner:g}"/>'
        )
        spare = (self.height - LINE * len(self.words) - 9) / 2
        yield from lines(self.x, self.y + 16 + spare, self.words, "word")


def lines(x: float, y: float, words: Sequence[str], look: str) -> Iterator[str]:
    """Lines of text below each other; `y` is where the first one stands on."""
    for number, line in enumerate(words):
        yield f'<text class="{look}" x="{x:g}" y="{y + number * LINE:g}">{escape(line)}</text>'


def arrow(points: Sequence[tuple[float, float]], kind: str = "way") -> str:
    """A line that ends in a head; `kind` is `way`, or `signal` for a dashed one."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}" marker-end="url(#{kind}-end)"/>'


STYLE = """\
svg { font-family: system-ui, sans-serif; background: #ffffff }
text { text-anchor: middle; fill: #1c1e21 }
.word { font-size: 12.5px }
.small { font-size: 11px }
.heading { font-size: 14px; font-weight: 600 }
.variant { font-size: 11.5px; font-family: ui-monospace, monospace }
.level { font-size: 12px; fill: #5b6168 }
.note { font-size: 12.5px; text-anchor: start }
.band { fill: #f0f2f5 }
.box { fill: #ffffff; stroke-width: 1.5 }
.own { stroke: #0072b2 }
.host { stroke: #5b6168 }
.card { stroke: #d55e00; stroke-dasharray: 7 2 }
.meet { stroke: #1c1e21; stroke-width: 3 }
.shared { stroke: #5b6168; stroke-dasharray: 4 3 }
.mine { fill: #56b4e9 }
.way { fill: none; stroke: #1c1e21; stroke-width: 1.5 }
.signal { fill: none; stroke: #5b6168; stroke-width: 1.5; stroke-dasharray: 3 3 }
.head { fill: #1c1e21 }
.signal-head { fill: #5b6168 }
.cost { stroke: #1c1e21; stroke-width: 1 }
.copy { fill: #56b4e9 }
.dma { fill: #ffffff }
.exit { fill: #e69f00 }
.copy-word, .exit-word, .dma-word { fill: #000000 }
@media (prefers-color-scheme: dark) {
  svg { background: #15171a }
  text { fill: #e4e6e9 }
  .level { fill: #a1a8b0 }
  .band { fill: #1f2328 }
  .box { fill: #15171a }
  .own { stroke: #56b4e9 }
  .host { stroke: #a1a8b0 }
  .card { stroke: #e69f00 }
  .meet { stroke: #e4e6e9 }
  .shared { stroke: #a1a8b0 }
  .mine { fill: #0072b2 }
  .way { stroke: #e4e6e9 }
  .signal { stroke: #a1a8b0 }
  .head { fill: #e4e6e9 }
  .signal-head { fill: #a1a8b0 }
}"""


def drawing(width: float, height: float, title: str, description: str, parts: Iterable[str]) -> str:
    """The whole file: `description` says in words what is to be seen."""
    return "\n".join(_drawing(width, height, title, description, parts)) + "\n"


def _drawing(width: float, height: float, title: str, description: str, parts: Iterable[str]) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="description">{escape(description)}</desc>'
    yield f"<style>\n{STYLE}\n</style>"
    for name, head in (("way", "head"), ("signal", "signal-head")):
        yield (
            f'<marker id="{name}-end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path class="{head}" d="M0,0 L8,4 L0,8 z"/></marker>'
        )
    yield from parts
    yield "</svg>"
