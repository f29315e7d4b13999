"""A runtime's command line, as runc(8) has it and the others have taken over."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoscope.backends.peer.faults import plain
from isoscope.backends.peer.program import Program
from isoscope.core.errors import InstanceFailed, Timeout
from isoscope.core.patience import patience

#: What a runtime says of the command, and not of anything else: runc, crun, youki, runsc.
ABOUT_COMMAND = re.compile(
    r"exec: \"|exec /|executable file [`'\"]|open executable|finding executable|failed to load |execvp|execve",
)

#: The runtimes that are known by name, with what gets them.
REMEDIES = {
    "runc": "apt install runc",
    "crun": "apt install crun",
    "runsc": "apt install runsc, or see gvisor.dev/docs/user_guide/install",
    "youki": "see github.com/youki-dev/youki, or give its path: runtime=/path/to/youki",
    "kata-runtime": "see github.com/kata-containers/kata-containers, or give its path",
}

_DEADLINE = 30.0  # seconds for a verb other than `run`


@dataclass(frozen=True)
class Runtime:
    """An OCI runtime with the options that every call of it gets."""

    program: Program
    options: tuple[str, ...] = ()
    kernel: str = ""  #: the release of the kernel that it brings; empty where the workload has the host's
    platform: str = ""  #: how that kernel takes system calls

    @property
    def name(self) -> str:
        """As its file is called."""
        return os.path.basename(self.program.path)

    @property
    def own_kernel(self) -> bool:
        """Whether a kernel of its own stands between the workload and the host's."""
        return bool(self.kernel)

    def evidence(self) -> dict[str, str]:
        """What is known of its own kernel."""
        return {"kernel": self.kernel, "accelerator": self.platform} if self.kernel else {}

    def line(self, root: Path, *arguments: str) -> tuple[str, ...]:
        """A command line."""
        return (self.program.path, *self.options, "--root", str(root), *arguments)

    def call(self, root: Path, *arguments: str) -> str:
        """Have it do something, and return what it prints. Raises InstanceFailed or Timeout."""
        name, seconds = self.name, patience(_DEADLINE)
        try:
            done = subprocess.run(
                self.line(root, *arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Timeout(f"{name} {arguments[0]} did not end within {seconds:g} s", hint="kill it by hand") from None
        if done.returncode:
            said = message(done.stderr) or f"it ended with {done.returncode}"
            raise InstanceFailed(f"{name} {arguments[0]} failed: {said}", hint="isoscope doctor says what is missing")
        return done.stdout


def message(said: str) -> str:
    """The last thing that a runtime said, without the decoration of its log."""
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1]
    if quoted := re.search(r'msg="((?:[^"\\]|\\.)*)"', line):
        line = _unquoted(quoted.group(1))
    return plain(line)


def _unquoted(text: str) -> str:
    try:
        loaded: Any = json.loads(f'"{text}"')
    except ValueError:
        return text
    return str(loaded)
