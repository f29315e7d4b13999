"""Figures: SVG drawn by matplotlib, legible on a light and on a dark page, and the same bytes for the same trials."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

#: Okabe and Ito's colours, which the colour-blind tell apart, those first that stand out on white and on black alike.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
MARKS = "●■▲◆▼✚"  #: the same markers as text, in the same order
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))
HATCHES = ("", "///", "...", "\\\\\\", "xx", "--")

#: Stands for the page's own text colour; no figure has it for anything else.
INK = "#010203"

_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the page's font
    "svg.hashsalt": "isoscope",  # ids are the same each time
    "text.parse_math": False,  # a dollar sign in a stranger's name is a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.color": INK,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}

#: What a figure needs when it stands alone, outside the report.
_ALONE = (
    "<style>svg{color:#1c1e21;background:#fff;font-family:system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){svg{color:#e4e6e9;background:#15171a}}</style>"
)


@dataclass(frozen=True)
class Figure:
    """One plot of a report."""

    name: str  #: of its file in `plots/`
    title: str
    alternative: str  #: what it shows, in words, for whoever cannot see it
    caption: str  #: how to read it
    svg: str  #: an `svg` element

    def alone(self) -> str:
        """The contents of an SVG file."""
        head, _, body = self.svg.partition(">")
        return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>{_ALONE}{body}\n'

    def _repr_html_(self) -> str:
        from isoscope.benchmarks.display.bundle import figures_html

        return figures_html([self])


def plot_style() -> dict[str, Any]:
    """Parameters of matplotlib for plots of one's own that look like the reports': `plt.rcParams.update(plot_style())`.

    Lines differ in colour, stroke and marker, so that nobody has to tell them apart by colour alone.
    """
    from matplotlib.rcsetup import cycler

    ground = dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "#ffffff")
    cycle = cycler(color=COLOURS, linestyle=LINES, marker=MARKERS)
    return {**_STYLE, **ground, "axes.prop_cycle": cycle, "axes.grid": True, "grid.alpha": 0.3}


@contextmanager
def canvas(width: float, height: float) -> Iterator[Canvas]:
    """An empty figure of that many inches in the reports' style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield Canvas(figsize=(width, height), layout="constrained")


def figure(drawn: Canvas, *, name: str, title: str, alternative: str, caption: str) -> Figure:
    """The finished figure. To be called while its canvas is open."""
    alternative = clean(alternative)
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace(INK, "currentColor")
    # ids are unique within a figure; in a report there are several
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<svg\b([^>]*)>", lambda match: _opening(match[1], alternative), svg, count=1)
    return Figure(name, title, alternative, caption, svg)


def _opening(attributes: str, alternative: str) -> str:
    """The opening tag with a text alternative, and without an outline of text that has no fill of its own."""
    return f'<svg role="img" aria-label="{escape(alternative)}" fill="currentColor"{attributes}>'


@dataclass(frozen=True)
class Look:
    """How one of several is told from the others in a plot: never by colour alone."""

    colour: str
    marker: str
    stroke: Any  #: a line style of matplotlib's
    hatch: str

    @property
    def line(self) -> dict[str, Any]:
        """As a line with markers."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.stroke}

    @property
    def point(self) -> dict[str, Any]:
        """As a marker alone."""
        return {"color": self.colour, "marker": self.marker, "linestyle": "none"}

    @property
    def fill(self) -> dict[str, Any]:
        """As an area."""
        return {"facecolor": self.colour, "hatch": self.hatch, "edgecolor": INK, "linewidth": 0.5}


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """A look for each name, in order."""
    shapes = tuple(zip(MARKERS, LINES, HATCHES, strict=True))
    return {name: Look(COLOURS[place % len(COLOURS)], *shapes[shape(place)]) for place, name in enumerate(names)}


def shape(place: int) -> int:
    """Which marker, line and hatch the so-manieth look has: when colours come again, each gets another."""
    lap, colour = divmod(place, len(COLOURS))
    return (colour + lap) % len(MARKERS)


def clean(text: str) -> str:
    """A name as a figure can hold it: XML has no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
