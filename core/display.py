"""How objects of the public API look in a notebook: plugins draw them, so that the core imports nothing that draws."""

from __future__ import annotations

import logging
import sys
from typing import Any


class Displayed:
    """An object that a notebook shows as plugins draw it (hook `isoscope_display`), and by its `repr` where none does.

    See "Rich display" in IPython's documentation (https://ipython.readthedocs.io/en/stable/config/integrating.html).
    """

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from isoscope.core.plugins import plugin_manager

        return plugin_manager().hook.isoscope_display(shown=self) or {}


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose output a browser shows."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def show_log() -> None:
    """In a notebook, show below the cell that runs what takes its time, such as the build of an image.

    Whoever has set up the log already is left to it.
    """
    log = logging.getLogger("isoscope")
    if in_notebook() and not log.handlers:
        log.setLevel(logging.INFO)
        log.addHandler(logging.StreamHandler(sys.stdout))
