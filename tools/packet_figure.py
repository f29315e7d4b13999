"""Draws `docs/images/packet.svg`: the way of a packet, by kind of network; a test fails while it is not up to date.

.venv/bin/python tools/packet_figure.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "packet.svg"

TITLE = "The way of a packet out of an instance, for five kinds of network"
DESCRIPTION = """\
Five columns, each read from the top, where the workload's program runs, to the place where all ways meet.
1, a process: program, the host's TCP/IP, the device lo. One copy.
2, a container on the bridge: program, TCP/IP of the container's own network namespace, a pair of veth, the bridge.
One copy.
3, a container with a virtual function: program, TCP/IP of its own namespace, the driver of the virtual function, both
in the host's kernel; then the IOMMU, which lets the host's own devices through, the virtual function, the switch in
the card. One copy, and a DMA by the card; the card interrupts the host.
4, a virtual machine with virtio: program, the guest's TCP/IP, virtio_net and its queues in guest memory; from there by
an exit to QEMU, or with vhost to a thread of the host's kernel; then the tap and the bridge. A copy in the guest, and
another between guest memory and the tap; QEMU copies once more what comes in.
5, a virtual machine with a virtual function: program, the guest's TCP/IP, the driver of the virtual function in the
guest; past QEMU and the host's kernel to the IOMMU, which translates, the virtual function, the switch in the card.
One copy, and a DMA by the card. Interrupts alone go through the host's kernel, by VFIO and KVM, and mean an exit."""

WIDTH, GUTTER, COLUMN, BOX = 880, 76, 160, 142
_LINE = 15  #: of text, in the units of the drawing, like all lengths here


@dataclass(frozen=True)
class Band:
    """A level that packets pass, from `top` on."""

    top: int
    height: int
    words: tuple[str, ...]


BANDS = {
    "program": Band(62, 48, ("program",)),
    "guest": Band(118, 116, ("guest's", "kernel")),
    "qemu": Band(242, 58, ("host's", "user space")),
    "host": Band(308, 172, ("host's", "kernel")),
    "hardware": Band(488, 172, ("hardware",)),
}
HEIGHT = 732

HEADINGS = (
    ("1  process", ""),
    ("2  container", "network=bridge"),
    ("3  container", "network=vf"),
    ("4  vm", "network=bridge"),
    ("5  vm", "network=vf"),
)


@dataclass(frozen=True)
class Box:
    """Something that handles packets. `x` is its middle."""

    x: float
    y: float
    look: str  #: `own` of the instance, `host`, `card`, or `meet` where all ways meet
    words: tuple[str, ...]
    width: float = BOX

    @property
    def height(self) -> float:
        return _LINE * len(self.words) + 9

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def draw(self) -> Iterator[str]:
        yield (
            f'<rect class="box {self.look}" x="{self.x - self.width / 2:g}" y="{self.y:g}" width="{self.width:g}" '
            f'height="{self.height:g}" rx="4"/>'
        )
        yield from _lines(self.x, self.y + 16, self.words, "word")


@dataclass(frozen=True)
class Way:
    """A line by which packets go, with what it costs."""

    points: tuple[tuple[float, float], ...]
    cost: str = ""
    at: float = 0.5  #: of the last stretch: where the cost stands
    signal: bool = False  #: carries no packets but interrupts

    def draw(self) -> Iterator[str]:
        points = " ".join(f"{x:g},{y:g}" for x, y in self.points)
        kind = "signal" if self.signal else "way"
        yield f'<polyline class="{kind}" points="{points}" marker-end="url(#{kind}-end)"/>'
        if self.cost:
            (x0, y0), (x1, y1) = self.points[-2:]
            yield from _cost(x0 + (x1 - x0) * self.at, y0 + (y1 - y0) * self.at, self.cost)


def _cost(x: float, y: float, word: str) -> Iterator[str]:
    width = 7 * len(word) + 12
    look = {"exit": "exit", "interrupt": "exit", "DMA": "dma"}.get(word, "copy")
    yield f'<rect class="cost {look}" x="{x - width / 2:g}" y="{y - 8:g}" width="{width}" height="16" rx="8"/>'
    yield f'<text class="small {look}-word" x="{x:g}" y="{y + 4:g}">{escape(word)}</text>'


def _lines(x: float, y: float, words: Sequence[str], look: str) -> Iterator[str]:
    for number, line in enumerate(words):
        yield f'<text class="{look}" x="{x:g}" y="{y + number * _LINE:g}">{escape(line)}</text>'


def _down(*boxes: Box, cost: str = "") -> Iterator[Box | Way]:
    """Boxes below each other, with the ways between them; the first of these has the cost."""
    yield from boxes
    for upper, lower in pairwise(boxes):
        at = 1 - 24 / (lower.y - upper.bottom)  # where the border is that is passed, just above the lower one
        yield Way(((upper.x, upper.bottom), (lower.x, lower.y)), cost if upper is boxes[0] else "", at)


def _middle(number: int) -> float:
    return GUTTER + COLUMN * (number - 0.5)


def _parts() -> Iterator[Box | Way]:
    yield from _process(_middle(1))
    yield from _bridged_container(_middle(2))
    yield from _container_with_vf(_middle(3))
    yield from _virtio(_middle(4))
    yield from _machine_with_vf(_middle(5))


def _process(x: float) -> Iterator[Box | Way]:
    lo = Box(x, 440, "meet", ("lo",))
    yield from _down(Box(x, 74, "own", ("program",)), Box(x, 322, "host", ("TCP/IP",)), lo, cost="copy")


def _bridged_container(x: float) -> Iterator[Box | Way]:
    stack = Box(x, 322, "own", ("TCP/IP of", "its own namespace"))
    yield from _down(
        Box(x, 74, "own", ("program",)),
        stack,
        Box(x, 386, "host", ("pair of veth",)),
        Box(x, 440, "meet", ("bridge",)),
        cost="copy",
    )


def _card(x: float, iommu: tuple[str, ...]) -> tuple[Box, Box, Box]:
    return (
        Box(x, 500, "card", iommu),
        Box(x, 564, "card", ("virtual function",)),
        Box(x, 618, "meet", ("switch in the card",)),
    )


def _container_with_vf(x: float) -> Iterator[Box | Way]:
    stack = Box(x, 322, "own", ("TCP/IP of", "its own namespace"))
    driver = Box(x, 386, "host", ("driver of the VF",))
    iommu, function, switch = _card(x, ("IOMMU, lets", "through (iommu=pt)"))
    yield from _down(Box(x, 74, "own", ("program",)), stack, driver, cost="copy")
    yield Way(((x - 37, driver.bottom), (x - 37, iommu.y)), "DMA", 0.76)
    yield from _down(iommu, function, switch)
    yield Way(((x + 37, iommu.y), (x + 37, driver.bottom)), "interrupt", signal=True)


def _virtio(x: float) -> Iterator[Box | Way]:
    queues = Box(x, 192, "own", ("virtio_net, queues",))
    qemu = Box(x - 37, 254, "host", ("QEMU", "vhost=off"), 68)
    vhost = Box(x + 37, 316, "host", ("vhost-net", "vhost=on"), 68)
    tap, bridge = Box(x, 396, "host", ("tap",)), Box(x, 440, "meet", ("bridge",))
    program, stack = Box(x, 74, "own", ("program",)), Box(x, 140, "own", ("TCP/IP",))
    yield from _down(program, stack, queues, cost="copy")
    yield from (qemu, vhost, tap, bridge)
    yield Way(((qemu.x, queues.bottom), (qemu.x, qemu.y)), "exit")
    yield Way(((vhost.x, queues.bottom), (vhost.x, vhost.y)), "exit", 0.18)
    yield Way(((qemu.x, qemu.bottom), (qemu.x, tap.y)), "copy", 0.66)
    yield Way(((vhost.x, vhost.bottom), (vhost.x, tap.y)), "copy", 0.4)
    yield Way(((x, tap.bottom), (x, bridge.y)))


def _machine_with_vf(x: float) -> Iterator[Box | Way]:
    program, stack = Box(x, 74, "own", ("program",)), Box(x, 140, "own", ("TCP/IP",))
    driver = Box(x, 192, "own", ("driver of the VF",))
    iommu, function, switch = _card(x, ("IOMMU, translates", "guest addresses"))
    vfio = Box(x + 37, 380, "host", ("VFIO,", "KVM"), 68)
    yield from _down(program, stack, driver, cost="copy")
    yield from _down(iommu, function, switch)
    yield vfio
    yield Way(((x - 37, driver.bottom), (x - 37, iommu.y)), "DMA", 0.93)
    yield Way(((vfio.x, iommu.y), (vfio.x, vfio.bottom)), "interrupt", signal=True)
    yield Way(((vfio.x, vfio.y), (vfio.x, driver.bottom)), "exit", signal=True)


_STYLE = """\
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
  .way { stroke: #e4e6e9 }
  .signal { stroke: #a1a8b0 }
  .head { fill: #e4e6e9 }
  .signal-head { fill: #a1a8b0 }
}"""


def figure() -> str:
    """The whole drawing."""
    return "\n".join(_figure()) + "\n"


def _figure() -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(TITLE)}</title>'
    yield f'<desc id="description">{escape(DESCRIPTION)}</desc>'
    yield f"<style>\n{_STYLE}\n</style>"
    for name, head in (("way", "head"), ("signal", "signal-head")):
        yield (
            f'<marker id="{name}-end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path class="{head}" d="M0,0 L8,4 L0,8 z"/></marker>'
        )
    for band in BANDS.values():
        yield f'<rect class="band" x="0" y="{band.top}" width="{WIDTH}" height="{band.height}" rx="6"/>'
        top = band.top + band.height / 2 + 4 - _LINE * (len(band.words) - 1) / 2
        yield from _lines(GUTTER / 2, top, band.words, "level")
    for number, (heading, variant) in enumerate(HEADINGS, start=1):
        yield from _lines(_middle(number), 24, (heading,), "heading")
        yield from _lines(_middle(number), 44, (variant,) if variant else (), "variant")
    parts = list(_parts())
    for kind in (Way, Box):  # boxes above the lines
        for part in parts:
            if isinstance(part, kind):
                yield from part.draw()
    yield from _legend(686)
    yield "</svg>"


def _legend(y: float) -> Iterator[str]:
    yield from _lines(
        GUTTER,
        y,
        (
            "Drawn is the way out. It ends where all ways meet (thick frame); from there it is the same way back up",
            "to another instance, or up through the host's TCP/IP to a process of the host. QEMU copies what comes in",
            "once more. Dashed lines carry interrupts, not packets.",
        ),
        "note",
    )


if __name__ == "__main__":
    FILE.write_text(figure())
