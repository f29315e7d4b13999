"""What a reader of the figures of `network` must know first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.network import link
from isoscope.benchmarks.network.cpu import QUIET
from isoscope.benchmarks.network.metrics import BACKGROUND

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


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
    mtus = {variant: sorted(facts["mtu"]) for variant, facts in seen.items()}
    if len({tuple(several) for several in mtus.values()}) > 1:
        each = ", ".join(f"{variant} {'/'.join(map(str, several))}" for variant, several in mtus.items())
        said.append(f"The MTU is not the same for all variants ({each} bytes): a bigger one costs less for each byte.")
    if guests := [variant for variant, facts in seen.items() if "the guest's" in facts["clock"]]:
        said.append(
            f"Between two instances of {_and(guests)} the client is a guest: seconds and latencies are by its own "
            "clock, of which the host saw no more than that it does not run fast."
        )
    background = rows.loc[rows["metric"] == BACKGROUND.name, "value"]
    if len(background) and (share := float(background.median())) > QUIET:
        said.append(
            f"Before the tests {share:.0%} of the host's processors were busy already: throughput is lower and tails "
            "are longer than on a quiet host, and what the whole host spends on them could not be told."
        )
    return said


def _seen(rows: Any) -> dict[str, dict[str, set[Any]]]:
    """What each variant's values were labelled with."""
    seen: dict[str, dict[str, set[Any]]] = {}
    for variant, labels in zip(rows["variant"], rows["labels"], strict=True):
        facts = seen.setdefault(variant, {name: set() for name in ("link", "mtu", "clock")})
        for name, values in facts.items():
            if name in labels:
                values.add(labels[name])
    return seen


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
