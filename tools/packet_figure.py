"""Draws `docs/images/packet.svg`: the way of a packet, by kind of network; a test fails while it is not up to date.

.venv/bin/python tools/packet_figure.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from drawing import LINE, Box, arrow, drawing, lines

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

WIDTH, GUTTER, COLUMN = 880, 76, 160


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
class Way:
    """A line by which packets go, with what it costs."""

    points: tuple[tuple[float, float], ...]
    cost: str = ""
    at: float = 0.5  #: of the last stretch: where the cost stands
    signal: bool = False  #: carries no packets but interrupts

    def draw(self) -> Iterator[str]:
        yield arrow(self.points, "signal" if self.signal else "way")
        if self.cost:
            (x0, y0), (x1, y1) = self.points[-2:]
            yield from _cost(x0 + (x1 - x0) * self.at, y0 + (y1 - y0) * self.at, self.cost)


def _cost(x: float, y: float, word: str) -> Iterator[str]:
    width = 7 * len(word) + 12
    look = {"exit": "exit", "interrupt": "exit", "DMA": "dma"}.get(word, "copy")
    yield f'<rect class="cost {look}" x="{x - width / 2:g}" y="{y - 8:g}" width="{width}" height="16" rx="8"/>'
    yield f'<text class="small {look}-word" x="{x:g}" y="{y + 4:g}">{escape(word)}</text>'


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


def figure() -> str:
    """The whole drawing."""
    return drawing(WIDTH, HEIGHT, TITLE, DESCRIPTION, _figure())


def _figure() -> Iterator[str]:
    for band in BANDS.values():
        yield f'<rect class="band" x="0" y="{band.top}" width="{WIDTH}" height="{band.height}" rx="6"/>'
        top = band.top + band.height / 2 + 4 - LINE * (len(band.words) - 1) / 2
        yield from lines(GUTTER / 2, top, band.words, "level")
    for number, (heading, variant) in enumerate(HEADINGS, start=1):
        yield from lines(_middle(number), 24, (heading,), "heading")
        yield from lines(_middle(number), 44, (variant,) if variant else (), "variant")
    parts = list(_parts())
    for kind in (Way, Box):  # boxes above the lines
        for part in parts:
            if isinstance(part, kind):
                yield from part.draw()
    yield from _legend(686)


def _legend(y: float) -> Iterator[str]:
    yield from lines(
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
