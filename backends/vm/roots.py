"""The embedded driver's directory: its sockets, pid files and logs.

libvirt opens its embedded driver once in a process and keeps it to the end, whatever state directories the process
works with meanwhile. So there is one root for each process, outside of every state directory, in the place that hier(7)
has for sockets and pid files; that place is short, too, as sockets want it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from isoscope.backends.vm.process import QemuProcess, find
from isoscope.core.errors import HostError
from isoscope.core.registry import process_start_time

#: Where QEMU runs as whoever started Isoscope, there is nobody to protect its files from: no other owner, no security
#: labels, no mount namespace and no cgroups of libvirt's. Its seccomp sandbox stays on.
_QEMU_CONF = """\
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""
_AS_ROOT = 'user = "+0"\ngroup = "+0"\n'

CAPABILITIES = "cache/qemu/capabilities"  #: what libvirt knows of each QEMU, below a root
_PID_FILES = "run/qemu"


def parent() -> Path:
    """Where the roots of all of this user's processes are."""
    if os.geteuid() == 0:
        return Path("/run/isoscope")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"isoscope-{os.geteuid()}"


def path() -> Path:
    """This process's root."""
    return parent() / f"{os.getpid()}-{process_start_time(os.getpid())}"


def pid_file(root: Path, domain: str) -> Path:
    """Where libvirt writes the pid of a domain's QEMU, before QEMU runs."""
    return root / _PID_FILES / f"{domain}.pid"


def pid_files(domain: str) -> str:
    """The pattern of all pid files of a domain, those of the daemons that serve its mounts included.

    Theirs have the beginning of the domain's name between its number and theirs: virDomainDefGetShortName in libvirt's
    src/conf/domain_conf.c.
    """
    return f"*{domain[:20]}*.pid"


def make() -> Path:
    """Make this process's root. Raises HostError."""
    root = path()
    try:
        for _ in range(3):  # somebody else may be removing an empty parent
            with suppress(FileNotFoundError):
                parent().mkdir(mode=0o700, exist_ok=True)
                root.mkdir(mode=0o700, exist_ok=True)
                break
        if parent().stat().st_uid != os.geteuid():
            raise HostError(f"{parent()} belongs to another user", hint="set XDG_RUNTIME_DIR to a directory of yours")
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc" / "qemu.conf").write_text(_QEMU_CONF + (_AS_ROOT if os.geteuid() == 0 else ""))
    except OSError as error:
        raise HostError(f"cannot make {root}: {error.strerror}", hint="libvirt's sockets live there") from error
    return root


def remove(root: Path) -> None:
    """Remove a root, and the parent with the last of them. Idempotent."""
    shutil.rmtree(root, ignore_errors=True)
    with suppress(OSError):
        parent().rmdir()


def sweep() -> list[str]:
    """Remove the roots of dead processes whose VMs are gone, too. Returns a line for each."""
    lines = []
    for root in sorted(parent().glob("*-*")):
        pid, _, start_time = root.name.partition("-")
        if not (pid.isdigit() and start_time.isdigit()) or process_start_time(int(pid)) == int(start_time):
            continue
        # A VM that still runs can be found by its pid file alone: its owner's `gc` will need it.
        found = running(root)
        for process in found:
            process.close()
        if not found:
            remove(root)
            lines.append(f"removed libvirt's directory {root}")
    return lines


def running(root: Path) -> list[QemuProcess]:
    """The QEMUs that were started below a root and run, for the caller to close."""
    found = (find(path, path.stem) for path in (root / _PID_FILES).glob("*.pid"))
    return [process for process in found if process is not None]
