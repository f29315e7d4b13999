"""Calls of pyroute2 in a thread of their own.

Its sockets run an event loop in each call. A thread that runs one already, as that of a Jupyter kernel does, may not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def apart(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run the function in a new thread, which has the namespaces of the one that calls (clone(2)), and wait for it."""

    @functools.wraps(function)
    def elsewhere(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(function, *args, **kwargs).result()

    return elsewhere
