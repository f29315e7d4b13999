"""Whether a peer works here, found out by having it make what it makes, for a command that does not exist."""

from __future__ import annotations

import os
import secrets
import select
import signal
from time import monotonic

from isoscope.backends.launcher.cgroups import FOLDER, Cgroup, Tree
from isoscope.backends.peer.spawn import Spawner, Start
from isoscope.core.patience import patience
from isoscope.core.registry import process_start_time

#: A command that no image has: that it is missed is the last thing that a peer finds out.
NO_COMMAND = "/isoscope-no-such-command"

_DEADLINE = 5.0  # seconds


def mark(peer: str) -> str:
    """A name for the cgroups of one trial, which says who tries."""
    return f"isoscope-{peer}-{os.getpid()}-{secrets.token_hex(4)}"


def sweep(tree: Tree, peer: str) -> list[str]:
    """Remove the cgroups of trials that were killed. Returns a line for each."""
    left = {path.name for folder in set(tree.folders.values()) for path in folder.glob(f"isoscope-{peer}-*")}
    dead = [name for name in left if process_start_time(int(name.split("-")[2])) is None]
    for name in dead:
        Cgroup(dict(tree.of_runtime(name).directories)).end()
    return [f"removed cgroup {FOLDER}/{name}" for name in sorted(dead)]


def said(spawner: Spawner, start: Start, cgroup: Cgroup | None) -> str:
    """What a peer says on standard error until it ends, or is killed when it does not. Raises HostError."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        pidfd = spawner.spawn(start, {"stdin": null, "stdout": null, "stderr": theirs}, cgroup=cgroup)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
        os.close(null)
    try:
        return _listen(ours, pidfd).decode("utf-8", "replace")
    finally:
        os.close(ours)
        os.close(pidfd)


def _listen(pipe: int, pidfd: int) -> bytes:
    os.set_blocking(pipe, False)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    text, deadline, ended = b"", monotonic() + patience(_DEADLINE), False
    while not ended:
        ready = dict(poll.poll(max(0.0, deadline - monotonic()) * 1000))
        if not ready:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        ended = pidfd in ready or not ready
        try:
            while data := os.read(pipe, 1 << 16):
                text += data
            poll.unregister(pipe) if pipe in ready else None
        except BlockingIOError:
            continue
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    return text
