"""What the launcher does once for itself as it starts, because every child inherits it and so is spared the calls."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_done: set[Callable[[], None]] = set()


def attempt(*work: Callable[[], None]) -> None:
    """Do what can be done; what takes a privilege that is missing here, each child does in its user namespace."""
    for function in work:
        try:
            function()
        except PermissionError:
            continue
        _done.add(function)


def done(work: Callable[[], None]) -> bool:
    """Whether it has been done, in this process or in the one that it was forked from."""
    return work in _done
