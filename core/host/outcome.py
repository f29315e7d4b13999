"""Turns what a child says of an attempt into a feature that is there, or is not for a reason."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from isoscope.core.host.child import Answer
from isoscope.core.host.facts import Feature

#: Seconds that a child may take which only makes a few system calls.
DEADLINE_S = 1.0

_AGAIN = "try again when the host is less busy: isoscope doctor"
_KERNEL = "use a kernel that has it, such as Debian's linux-image-amd64"


def feature(answer: Answer, *steps: str, remedies: Mapping[int, str] | None = None) -> Feature:
    """Available when every step was done. `remedies` are by errno; what they lack is told in general."""
    for step in steps:
        if step not in answer.said:
            text = str(answer.said.get("error") or answer.trouble or "it was not tried")
            return Feature(False, f"{step}: {text}", _AGAIN if answer.late else "")
        if failure := answer.said[step]:
            return Feature(False, _reason(failure), (remedies or {}).get(failure["errno"]) or _general(failure))
    return Feature(True)


def failed_with(answer: Answer, step: str) -> int | None:
    """The errno with which a step failed."""
    failure = answer.said.get(step)
    return failure["errno"] if failure else None


def _reason(failure: dict[str, Any]) -> str:
    name = errno.errorcode.get(failure["errno"], "")
    text = f"{failure['text']} ({name})" if name else str(failure["text"])
    return f"{failure['call']}: {text}" if failure["call"] else text


def _general(failure: dict[str, Any]) -> str:
    if failure["errno"] in (errno.EPERM, errno.EACCES):
        return "run as root"
    if failure["errno"] in (errno.EINVAL, errno.ENOSYS, errno.ENODEV, errno.EOPNOTSUPP, errno.ENOENT):
        return _KERNEL
    return ""
