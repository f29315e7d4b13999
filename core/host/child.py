"""Asks a question of a child process under a deadline, so that nothing that is tried can hang or change this one."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from isoscope.core.patience import patience

#: Seconds in which a child must have started: a cold Python on a slow host is no evidence of anything.
_START_S = 5.0

#: Seconds after which a probe ends itself, should this process be gone.
_FORLORN_S = 20.0

#: Seconds in which a child that was killed must be gone.
_GRACE_S = 1.0

#: Holds the package `probes`.
_HERE = Path(__file__).parent

#: Runs one module of the package `probes` without importing the packages around it, whose imports cost more than most
#: probes: they are stood in for by empty ones.
_BOOT = """\
import sys, types
from importlib import import_module
for name, path in ("isoscope", []), ("isoscope.core", []), ("isoscope.core.host", [sys.argv[1]]):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = path
import_module("isoscope.core.host.probes.report").run(sys.argv[2], sys.argv[3:])
"""


@dataclass(frozen=True)
class Answer:
    """What a child said before it ended or was killed."""

    said: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""  #: why it did not come to its end; empty when it did
    cpu_s: float = 0.0  #: CPU time that it used, in seconds
    late: bool = False  #: it was killed at the deadline


def ask(probe: str, *arguments: str, deadline_s: float, site: bool = False) -> Answer:
    """Run `probes/PROBE.py` in a child and return what it says within `deadline_s` seconds, stretched by `patience`.

    The time counts from the child's first word, which it says when it has started. `site` lets the child import
    installed packages, which makes it start more slowly.
    """
    isolation = ["-I"] if site else ["-I", "-S"]
    command = [sys.executable, *isolation, "-c", _BOOT, str(_HERE), probe, *arguments]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "FORLORN_S": f"{patience(_FORLORN_S):.0f}"},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Answer(trouble=f"no child process could be started: {error}")
    with process:
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError as error:  # no more descriptors
            process.kill()
            return Answer(trouble=f"the probing process cannot be watched: {error}")
        try:
            return _listen(process, pidfd, patience(deadline_s))
        finally:
            os.close(pidfd)


def _listen(process: subprocess.Popen[bytes], pidfd: int, deadline_s: float) -> Answer:
    assert process.stdout is not None
    text = bytearray()
    stdout = process.stdout.fileno()
    os.set_blocking(stdout, False)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.register(stdout, select.POLLIN)
    deadline, started = monotonic() + patience(_START_S), False
    # The end of the child counts, not that of its output: something it started may hold that open.
    while not (late := monotonic() >= deadline):
        ready = dict(poller.poll(max(0, deadline - monotonic()) * 1000))
        if stdout in ready and not _drain(stdout, text):
            poller.unregister(stdout)
        if text and not started:
            deadline, started = monotonic() + deadline_s, True
        if pidfd in ready:
            break
    if late:
        _kill(pidfd)
    _drain(stdout, text)
    status, cpu_s = _reap(process)
    return Answer(_merged(text), _trouble(status, late), cpu_s, late)


def _kill(pidfd: int) -> None:
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.poll(_GRACE_S * 1000)


def _drain(fd: int, text: bytearray) -> bool:
    """Read what is there; false at the end of the output."""
    try:
        while piece := os.read(fd, 65536):
            text += piece
    except BlockingIOError:
        return True
    return False


def _reap(process: subprocess.Popen[bytes]) -> tuple[int | None, float]:
    """Status and CPU seconds of the ended child; None for one that the kernel does not let go."""
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status) if pid else -signal.SIGKILL
    return (process.returncode if pid else None), usage.ru_utime + usage.ru_stime


def _merged(text: bytearray) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for line in text.splitlines():
        try:
            said.update(json.loads(line))
        except (ValueError, TypeError):  # cut short by the kill
            break
    return said


def _trouble(status: int | None, late: bool) -> str:
    if status is None:
        return "the kernel does not let the probing process end"
    if late:
        return "no answer before the deadline"
    if status < 0:
        return f"the probing process was killed by signal {-status}"
    return f"the probing process ended with status {status}" if status else ""
