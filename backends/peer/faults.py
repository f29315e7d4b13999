"""What a peer says when it cannot do what it was asked, turned into errors of ours."""

from __future__ import annotations

import re

from isoscope.backends.peer.program import first_line
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, InstanceFailed, IsoscopeError

_LONGEST = 300  # characters of what a peer says that stand in an error

_NOT_FOUND = re.compile(r"no such file or directory|not found|does not exist|ENOENT", re.IGNORECASE)
_NOT_EXECUTABLE = re.compile(r"permission denied|exec format error|is a directory|EACCES|ENOEXEC", re.IGNORECASE)


def explain(peer: str, said: str, command: str, *, about_command: re.Pattern[str], status: str) -> IsoscopeError:
    """The error behind what a peer said on standard error before it ended without executing the command.

    `about_command` matches where it speaks of executing the command, and not of anything else that was missing;
    `status` says in words how it ended.
    """
    if found := about_command.search(said):
        line = said[found.start() :].splitlines()[0]
        if _NOT_EXECUTABLE.search(line):
            return CommandNotExecutable(command, _reason(line))
        if _NOT_FOUND.search(line):
            return CommandNotFound(command)
    told = plain(said) or f"it said nothing, and {status}"
    return InstanceFailed(f"{peer} failed: {told}", hint="isoscope doctor says what this host lacks")


def plain(said: str) -> str:
    """The first line that a peer said, of a length to be read."""
    line = first_line(said)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _reason(line: str) -> str:
    """The last part of a message of the form `what: what: reason`."""
    return line.rstrip("\n\"'").rpartition(": ")[2] or line
