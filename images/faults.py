"""What the operating system reports, in the words of `isoscope.core.errors`."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from isoscope.core.errors import HostError

_FULL = {errno.ENOSPC, errno.EDQUOT}


def host_error(doing: str, error: OSError) -> HostError:
    """The HostError for an OSError met while doing something to the state directory."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return HostError(
            f"{doing}: {reason}", hint="free some space, for example with `isoscope image rm`, or set ISOSCOPE_HOME"
        )
    where = f" ({error.filename})" if error.filename else ""
    return HostError(f"{doing}: {reason}{where}", hint="look at the state directory's owner, permissions and disk")


@contextmanager
def host_errors(doing: str) -> Iterator[None]:
    """Turn an OSError of the block into a HostError that says what was being done."""
    try:
        yield
    except OSError as error:
        raise host_error(doing, error) from error
