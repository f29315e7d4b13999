"""A run of any length: a short one is made, and its trials then stand in it again and again, with some noise."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoscope.benchmarks.results.files import write_json
from isoscope.benchmarks.results.run import ENVIRONMENT, MANIFEST
from isoscope.benchmarks.results.trials import FILE
from isoscope.core import Lab

BACKENDS = ("process", "container", "vm")


def long_run(lab: Lab, into: Path, rows: int) -> Path:
    """The folder, in `into`, of a run of about so many rows, complete and without failures."""
    short = lab.compare("hello", backends=BACKENDS, blocks=1, directory=into / "short")
    trials: dict[str, list[dict[str, Any]]] = {}
    for line in (short.directory / FILE).read_text().splitlines():
        row = json.loads(line)
        if not row["warmup"]:
            trials.setdefault(row["variant"], []).append(row)
    terms = replace(short.terms, blocks=rows // sum(map(len, trials.values())))
    directory = into / "long"
    directory.mkdir()
    write_json(directory / MANIFEST, terms.as_dict())
    shutil.copy(short.directory / ENVIRONMENT, directory)
    noise = random.Random(1)
    with (directory / FILE).open("w") as file:
        for order, cell in enumerate(terms.cells()):
            where = {"block": cell.block, "trial": cell.trial, "order": order, "warmup": cell.warmup}
            for row in trials[cell.variant]:
                value = row["value"] * noise.lognormvariate(0, 0.2)
                file.write(json.dumps({**row, **where, "value": value}, separators=(",", ":")) + "\n")
    return directory
