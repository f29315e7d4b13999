"""Reading what tools print: it comes out of an instance, so it may be anything."""

from __future__ import annotations

import json
import math
from typing import Any

from isoscope.core.errors import WorkloadFailed


def parse(tool: str, output: bytes) -> Any:
    """The JSON in a tool's output, behind whatever lines it printed before. Raises WorkloadFailed."""
    text = output.decode("utf-8", "replace")
    try:
        return json.loads(text[max(0, text.find("{")) :])
    except (ValueError, RecursionError) as error:
        raise WorkloadFailed(f"{tool} did not print JSON: {text[:80]!r}", hint="is it that program?") from error


def number(tool: str, answer: Any, *path: str | int) -> float:
    """A positive number in an answer. Raises WorkloadFailed when there is none at that place."""
    for step in path:
        try:
            answer = answer[step]
        except (KeyError, IndexError, TypeError):
            answer = None
    if isinstance(answer, bool) or not isinstance(answer, int | float) or not 0 < answer < math.inf:
        raise WorkloadFailed(f"{tool} measured nothing: {'.'.join(map(str, path))} is {answer!r}")
    return float(answer)
