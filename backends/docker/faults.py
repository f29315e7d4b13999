"""What an engine answers, or that it does not, in the words of `isoscope.core.errors`."""

from __future__ import annotations

import shutil

from isoscope.core.backend import Lack
from isoscope.core.errors import BackendUnavailable, InstanceFailed

SDK = Lack("Docker's Python SDK is not installed", "pip install 'isoscope[peers]', or pip install 'docker>=7'")

#: dockerd(8) lies where only root's PATH leads.
_PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Refused(InstanceFailed):
    """The engine answered, and the answer was no; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Docker's engine refuses: {message}", hint="its own log says more")
        self.status, self.reason = status, message


class Gone(BackendUnavailable):
    """The engine cannot be reached, or has stopped to answer."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"no Docker engine answers at {address}: {why}", hint=remedy(address, why))


def remedy(address: str, why: str = "") -> str:
    """What gets an engine that answers there."""
    if "ermission denied" in why:
        return "run isoscope as root, or as a member of the group that owns the socket, usually docker"
    if not address.startswith("unix://"):
        return "is it up, and is DOCKER_HOST, or the option host=, what it listens on?"
    if shutil.which("dockerd", path=_PROGRAMS) is None:
        return "apt install docker.io, or name an engine elsewhere by DOCKER_HOST or the option host="
    return f"start it: dockerd -H {address} & (or: systemctl start docker); or name another by DOCKER_HOST or host="
