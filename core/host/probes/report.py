"""How a probe speaks: one JSON object a line, each adding to the ones before, so that a kill loses nothing said."""

from __future__ import annotations

import json
import os
import signal
from importlib import import_module
from typing import Any

from isoscope.core.host.probes import libc


def run(probe: str, arguments: list[str]) -> None:
    """Run a probe's `main`; what it raises is said, too."""
    libc.die_with_parent()
    signal.alarm(int(os.environ["FORLORN_S"]))  # should the process that set its deadline be gone
    try:
        module = import_module(f"isoscope.core.host.probes.{probe}")
        say()  # the deadline counts from here
        module.main(arguments)
    except Exception as error:
        say(error=f"{type(error).__name__}: {error}")
        os._exit(1)


def say(**facts: Any) -> None:
    """Add to the answer."""
    os.write(1, json.dumps(facts).encode() + b"\n")


def attempt(name: str, action: Any, *arguments: Any) -> bool:
    """Do something and say under `name` whether it worked: null, or the failed call with its errno."""
    try:
        action(*arguments)
    except OSError as error:
        say(**{name: {"call": error.filename or "", "errno": error.errno, "text": error.strerror}})
        return False
    say(**{name: None})
    return True
