"""The programs and libraries that virtual machines take."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

from isoscope.core.host.child import Answer, ask
from isoscope.core.host.facts import Feature, Libvirt, Qemu
from isoscope.core.host.outcome import DEADLINE_S
from isoscope.core.host.scratch import scratch
from isoscope.core.patience import patience

#: Where distributions put an emulator that is not meant to be on PATH.
_ELSEWHERE = ("/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm")


def qemu(search: str | None = None) -> Qemu:
    """The emulator of this host's architecture, looked for in `search` or PATH, and what it says of itself."""
    name = f"qemu-system-{platform.machine()}"
    found = shutil.which(name, path=search)
    if not found and search is None:
        found = next(filter(None, map(shutil.which, _ELSEWHERE)), None)
    if not found:
        return Qemu(None, reason=f"{name} is not installed", remedy="apt-get install qemu-system-x86")
    try:
        said = subprocess.run(
            [found, "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=patience(DEADLINE_S),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        return Qemu(Path(found), reason=f"{found} --version: {error}", remedy=_reinstall("qemu-system-x86"))
    version = re.search(r"version (\S+)", said.stdout)
    if said.returncode or not version:
        reason = f"{found} --version ended with status {said.returncode}: {said.stderr.strip()[:200]}"
        return Qemu(Path(found), reason=reason, remedy=_reinstall("qemu-system-x86"))
    return Qemu(Path(found), version[1])


def _reinstall(package: str) -> str:
    return f"apt-get install --reinstall {package}"


def libvirt(home: Path) -> Libvirt:
    """Libvirt's Python module, its library, and its embedded driver, opened on a scratch directory. Never raises."""
    try:
        with scratch(home) as directory:
            return judge_libvirt(ask("libvirt", str(directory), deadline_s=DEADLINE_S, site=True))
    except OSError as error:
        untried = Feature(
            False, f"{home} cannot be written: {error.strerror}", "set ISOSCOPE_HOME to a directory of yours"
        )
        return Libvirt(untried, embedded=untried)


def judge_libvirt(answer: Answer) -> Libvirt:
    """What an attempt tells."""
    said = answer.said
    if "unimportable" in said:
        remedy = "apt-get install libvirt-dev pkg-config gcc python3-dev && pip install 'isoscope[vm]'"
        missing = Feature(False, str(said["unimportable"]), remedy)
        return Libvirt(missing, embedded=Feature(False, "the Python module libvirt cannot be imported", remedy))
    if "version" not in said:
        silent = Feature(False, str(said.get("error") or answer.trouble))
        return Libvirt(silent, embedded=silent)
    return Libvirt(Feature(True), said["version"], _embedded(answer))


def _embedded(answer: Answer) -> Feature:
    said = answer.said
    if said.get("opened"):
        return Feature(True)
    failure = str(said.get("failure") or said.get("error") or answer.trouble)
    if "no connection driver" in failure:
        return Feature(False, failure, "apt-get install libvirt-daemon-driver-qemu")
    if "Failed to parse user" in failure:
        # The driver looks for the user that Debian runs QEMU as before it reads any configuration. The package that
        # makes that user, libvirt-daemon-system, brings an init system and daemons along.
        return Feature(False, failure, "useradd --system --user-group --shell /usr/sbin/nologin libvirt-qemu")
    return Feature(False, failure)
