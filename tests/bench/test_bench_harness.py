"""What the harness costs for each trial: a comparison of the backend `null`, which runs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from time import monotonic_ns
from typing import Any

from isobench.duel import Duel
from isobench.rounds import Rounds, typical
from isoscope.core import Lab

TRIALS = 400

#: ms that a trial may cost, from the end of one to the end of the next: the waiting lines in between included.
MOST = 1.0


def by_hand(directory: Path, number: int) -> None:
    """What nobody can do without: a directory and a record for the instance, removed again, and a line of result."""
    place = directory / str(number)
    place.mkdir()
    partial = place / "record.new"
    partial.write_text(json.dumps({"id": number, "owner": os.getpid()}))
    partial.rename(place / "record")
    (place / "record").unlink()
    place.rmdir()
    with (directory / "trials").open("a") as file:
        for metric in range(5):
            print(json.dumps({"metric": metric, "value": number}), file=file, flush=True)


def test_harness(duel: Duel, lab: Lab, tmp_path: Path) -> None:
    found = Rounds()
    scratch = lab.home / "by-hand"
    scratch.mkdir()
    last = 0

    def progress(event: dict[str, Any]) -> None:
        nonlocal last
        if event["event"] not in ("begin", "made"):
            return
        if last:
            found.ours.append(monotonic_ns() - last)
            began = monotonic_ns()
            by_hand(scratch, len(found.yardstick))
            found.yardstick.append(monotonic_ns() - began)
        last = monotonic_ns()

    def compare() -> None:
        lab.compare("hello", backends=["null"], blocks=TRIALS, directory=tmp_path / "run", progress=progress)

    duel.once(compare)
    duel.ratio("harness, a trial", found, to="the same files written by hand")
    duel.limit("harness, a trial", typical(found.ours) / 1e6, MOST, "ms")
