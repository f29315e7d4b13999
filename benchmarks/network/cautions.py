"""What a reader of the figures of `network` must know first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.network import link
from isoscope.benchmarks.network.cpu import QUIET
from isoscope.benchmarks.network.metrics import BACKGROUND, PACKETS
from isoscope.core.workload import Network

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

_LABELS = ("link", "mtu", "clock", "network", "network_driver", "network_mac")


def cautions(run: Run) -> list[str]:
    """Sentences about what was really measured."""
    frame = run.trials
    rows = frame[(frame["benchmark"] == "network") & (frame["status"] == "ok") & ~frame["warmup"]]
    seen = _seen(rows)
    said = []
    if looped := [variant for variant, facts in seen.items() if link.LOOPBACK_KIND in facts["link"]]:
        said.append(
            f"On every path of {_and(looped)} both ends are processes on the host's own network, and talk over the "
            "loopback device, a short way from socket to socket: a floor for whatever is isolated, and no wire."
        )
    said += _functions(rows, seen)
    mtus = {variant: sorted(facts["mtu"]) for variant, facts in seen.items()}
    if len({tuple(several) for several in mtus.values()}) > 1:
        each = ", ".join(f"{variant} {'/'.join(map(str, several))}" for variant, several in mtus.items())
        said.append(f"The MTU is not the same for all variants ({each} bytes): a bigger one costs less for each byte.")
    if guests := [variant for variant, facts in seen.items() if "the guest's" in facts["clock"]]:
        said.append(
            f"Between two instances of {_and(guests)} the client is a guest: seconds and latencies are by its own "
            "clock, of which the host saw no more than that it does not run much too fast."
        )
    background = rows.loc[rows["metric"] == BACKGROUND.name, "value"]
    if len(background) and (share := float(background.median())) > QUIET:
        said.append(
            f"Before the tests {share:.0%} of the host's processors were busy already: throughput is lower and tails "
            "are longer than on a quiet host, and what the whole host spends on them could not be told."
        )
    return said


def _functions(rows: Any, seen: dict[str, dict[str, set[Any]]]) -> Iterator[str]:
    """What the variants with a slice of a card show themselves to have, and where their packets go."""
    over = [variant for variant, facts in seen.items() if Network.VF.value in facts["network"]]
    for variant in over:
        drivers, addresses = (sorted(seen[variant][name]) for name in ("network_driver", "network_mac"))
        packets = rows.loc[(rows["variant"] == variant) & (rows["metric"] == PACKETS.name), "value"].sum()
        if drivers and addresses and packets:
            yield (
                f"{variant} has a virtual function of a card: in the instance it shows the driver {_and(drivers)} and "
                f"the address {_and(addresses)}, which the host had set, and counted {packets:,.0f} packets in the "
                "tests."
            )
    if over:
        yield (
            f"The host's end of {_and(over)} is the card itself, and between two instances packets go from function to "
            "function: all pass the card's own switch, and no cable."
        )


def _seen(rows: Any) -> dict[str, dict[str, set[Any]]]:
    """What each variant's values were labelled with."""
    seen: dict[str, dict[str, set[Any]]] = {}
    for variant, labels in zip(rows["variant"], rows["labels"], strict=True):
        facts = seen.setdefault(variant, {name: set() for name in _LABELS})
        for name, values in facts.items():
            if name in labels:
                values.add(labels[name])
    return seen


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
