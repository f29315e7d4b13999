"""One emulated host."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from isoscope.backends.vm.files import Files
from isoscope.backends.vm.guest_instance import GuestInstance
from isoscope.backends.vm.process import QemuProcess
from isoscope.backends.vm.protocol import text
from isoscope.backends.vm.task import Command, Task
from isoscope.core import settings
from isoscope.core.errors import InstanceFailed, Timeout
from isoscope.core.instance import Stats
from isoscope.core.launch import Launch
from isoscope.core.rootfs import DEFAULT_PATH
from isoscope.images.guest import FULL_VM
from isoscope.rig.machine import Machine

#: Seconds within which it comes up; 5 s on a quiet host.
_PATIENCE = 180.0

#: By how much deadlines are stretched in there.
_SLOWNESS = "20"

#: The state directory in there.
HOME = "/run/isoscope-home"

_PREPARE = Path(__file__).with_name("prepare.sh")

#: Folders of a state directory that are shown in there; each may be a link.
_SHOWN = ("images", "layers", "cache")

#: How a kernel that is in trouble and goes on says so; include/asm-generic/bug.h, kernel/sched/core.c and others.
_BUG = b"BUG: "

_log = logging.getLogger(__name__)


class RigInstance(GuestInstance):
    """A machine whose root is the host's own, under a layer in its memory."""

    def __init__(self, launch: Launch, home: Path, machine: Machine, files: Files, proof: dict[str, str]) -> None:
        super().__init__(launch, files, proof, patience=_PATIENCE)
        self._home = home
        self._machine = machine
        self._log = launch.record.directory / "qemu.log"
        self._qemu: subprocess.Popen[bytes] | None = None

    def _start(self) -> None:
        deadline = monotonic() + self._patience
        self.record.claim(rig={"pid_file": str(self._files.directory / "pid")})
        self._files.make()
        self._listen()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._qemu = subprocess.Popen(
                [*self._machine.command(), "-pidfile", str(self._files.directory / "pid")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._process = QemuProcess(self._qemu.pid, os.pidfd_open(self._qemu.pid))
        self.launch.pump.add(self._process.fileno(), self._qemu_ended)
        try:
            self._instruct(text(self._terms()), deadline)
            self._await_start(deadline)
        except InstanceFailed as error:
            if self._crash is not None:
                raise self._crash from error
            raise

    def _qemu_ended(self) -> None:
        """On the pump's thread. Once QEMU has connected, its hanging up tells the same, and after all of its output."""
        assert self._process is not None
        self.launch.pump.remove(self._process.fileno())
        if "define" not in self.timeline.moments:
            self._lost("")

    def _terms(self) -> Iterator[tuple[str, str]]:
        yield "hostname", self.record.name
        yield "etc_hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{self.record.name}\n"

    def _prepare(self, deadline: float) -> None:
        """Make a host of the machine, with a script whose words are worth telling only when it fails."""
        assert self._control is not None
        said = bytearray()
        command = Command(self._preparation(), self._environment() | self._settings(), "/", "", None, None)
        task = self._control.open(lambda send: Task(command, send, output=lambda _, data, _at: said.extend(data)))
        task.run()
        try:
            how = task.wait(max(0, deadline - monotonic()))
        except Timeout:
            raise self._late("the emulated host was not prepared") from None
        if how.exit_status:
            words = said.decode(errors="replace").strip() or f"status {how.exit_status}"
            raise InstanceFailed(f"the emulated host cannot be prepared: {words}", hint=self._trouble())

    def _preparation(self) -> tuple[str, ...]:
        kept = dict.fromkeys(str(path) for path in self._kept())
        shares = (word for share in self._machine.shares for word in share.words())
        return ("sh", str(_PREPARE), *kept, "--", *shares)

    def _settings(self) -> dict[str, str]:
        return {
            "ISOSCOPE_RIG_HOME": str(self._home.resolve()),
            "ISOSCOPE_RIG_MODULES": str(self._machine.guest.modules.resolve()),
            "ISOSCOPE_RIG_DRIVERS": " ".join(FULL_VM.later),
        }

    def _kept(self) -> Iterator[Path]:
        """Directories that it needs although they may be where it has file systems of its own."""
        yield from _checkout()
        yield self._home.resolve()
        yield from ((self._home / name).resolve() for name in _SHOWN)
        yield Path(self.launch.working_directory())

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', DEFAULT_PATH)}:/usr/sbin:/sbin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            settings.HOME.name: HOME,
            settings.PATIENCE.name: _SLOWNESS,
            **self.workload.environment,
        }

    def _what_happened(self) -> str:
        words = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        panicked = self._console is not None and self._console.panicked
        return f"QEMU said: {words[-1]}" if words and not panicked else super()._what_happened()

    def _stats(self) -> Stats:
        assert self._process is not None
        return self._process.stats()

    def _switch_off(self) -> None:
        self._ending = True
        if self._process is not None:
            self._process.kill()
        if self._qemu is not None:
            self._qemu.wait()

    def _delete(self) -> None:
        self._switch_off()
        if self._process is not None:
            self.launch.pump.remove(self._process.fileno())
        self._warn_of_bugs()
        part: Any
        for part in self._parts():
            part.close()
        (self._files.directory / "pid").unlink(missing_ok=True)
        self._files.remove()

    def _warn_of_bugs(self) -> None:
        """A kernel in trouble may fail whatever runs on it, or let it pass; one emulated start in 90 has some."""
        try:
            said = self._files.console_log.read_bytes()
        except FileNotFoundError:  # it was never started
            return
        bug = next((line for line in said.splitlines() if _BUG in line), None)
        if bug is not None:
            text = "".join(c for c in bug.decode(errors="replace") if c.isprintable())
            _log.warning("the emulated host's kernel was in trouble, so try again: %s", text)


def _checkout() -> Iterator[Path]:
    """Where this Isoscope and its interpreter are, so that the machine has the very same."""
    yield from (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())
    yield Path(__file__).resolve().parents[1]
