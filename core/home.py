"""The state directory: everything that Isoscope keeps between two commands."""

from __future__ import annotations

import os
from pathlib import Path

from isoscope.core import settings
from isoscope.core.errors import HostError

#: Unix sockets below the state directory must fit the 107 bytes of unix(7).
LONGEST_HOME = 60


def state_directory() -> Path:
    """`$ISOSCOPE_HOME`, else `/var/lib/isoscope` for root, else `$XDG_STATE_HOME/isoscope`. Made when missing.

    Raises HostError when it cannot be made, or is too long for a Unix socket's path.
    """
    if chosen := settings.HOME.read():
        home = Path(chosen).absolute()
    elif os.geteuid() == 0:
        home = Path("/var/lib/isoscope")
    else:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "isoscope"
    if len(os.fsencode(home)) > LONGEST_HOME:
        raise HostError(
            f"the state directory {home} has a path longer than {LONGEST_HOME} bytes",
            hint="sockets below it would not fit unix(7): set ISOSCOPE_HOME to a shorter path",
        )
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as error:
        raise HostError(
            f"cannot make the state directory {home}: {error.strerror}", hint="set ISOSCOPE_HOME to another"
        ) from error
    return home
