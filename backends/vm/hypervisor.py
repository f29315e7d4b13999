"""Connections to libvirt: the embedded driver of this process, or a daemon."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from isoscope.backends.vm import events, roots
from isoscope.backends.vm.faults import libvirt_errors
from isoscope.backends.vm.unfinished import PREFIX
from isoscope.core.errors import BackendUnavailable, IsoscopeError
from isoscope.core.instance import Stats
from isoscope.core.patience import patience

EMULATOR = "qemu-system-x86_64"
_MACHINE = "q35"

#: Seconds that libvirt may take to notice that a QEMU has ended.
_PATIENCE = 5.0


class Hypervisor:
    """One libvirt connection, shared by all instances of a backend. Thread-safe."""

    def __init__(self, uri: str, root: Path | None) -> None:
        self.uri = uri
        self.root = root  #: of the embedded driver; None for a daemon
        self._stopped = threading.Event()  #: set whenever libvirt has dealt with the end of a domain
        self._ended: set[str] = set()  #: the domains with whose end it has dealt
        self._ends = threading.Condition()
        with libvirt_errors(f"cannot open {uri}", error=BackendUnavailable, hint=_opening_hint(root)):
            self._connection = _open(uri, root)
            if root is not None:
                self._watch()

    def machine(self, accelerator: str) -> str:
        """The versioned name of the machine type, such as `pc-q35-7.2`.

        The first call on a host takes seconds: libvirt asks QEMU for everything that it can do, and remembers.
        """
        from lxml import etree

        kind = "kvm" if accelerator == "kvm" else "qemu"
        with libvirt_errors("QEMU cannot be used", error=BackendUnavailable, hint="apt-get install qemu-system-x86"):
            described = self._connection.getDomainCapabilities(emulator(), "x86_64", _MACHINE, kind, 0)
        return etree.fromstring(described.encode()).findtext("machine") or _MACHINE

    def versions(self) -> dict[str, str]:
        """Versions of libvirt and of QEMU."""
        with libvirt_errors("libvirt does not tell its version"):
            return {
                "libvirt": _version(self._connection.getLibVersion()),
                "qemu": _version(self._connection.getVersion()),
            }

    def start(self, xml: str) -> Any:
        """Start a transient domain. With a daemon, it ends when this process does. Raises InstanceFailed."""
        import libvirt

        flags = 0 if self.root else libvirt.VIR_DOMAIN_START_AUTODESTROY  # the embedded driver does not know it
        with libvirt_errors("libvirt cannot start the virtual machine"):
            return self._connection.createXML(xml, flags)

    def _watch(self) -> None:
        import libvirt

        def changed(_connection: object, domain: Any, event: int, _detail: int, _opaque: object) -> None:
            if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
                self._stopped.set()
                with self._ends:
                    self._ended.add(domain.name())
                    self._ends.notify_all()

        self._connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, changed, None)

    def settle_one(self, name: str) -> None:
        """Wait until libvirt has dealt with the end of one QEMU that was started here and has ended.

        It gives back the devices that it handed out then, on a thread of its own; at most `_PATIENCE` seconds.
        """
        if self.root is None:  # a daemon was asked to end it, and has dealt with all before it answered
            return
        with self._ends:
            self._ends.wait_for(lambda: name in self._ended, patience(_PATIENCE))
            self._ended.discard(name)

    def settle(self) -> None:
        """Wait until libvirt has dealt with the end of every QEMU that has ended; at most `_PATIENCE` seconds.

        It finds out on a thread of its own, and then writes to its files, or makes them again. What it still holds
        for running is asked for under the lock that it holds meanwhile.
        """
        deadline = monotonic() + _PATIENCE
        while True:
            self._stopped.clear()
            with libvirt_errors("libvirt does not tell which virtual machines run"):
                if not self._connection.numOfDomains():
                    return
            if not self._stopped.wait(max(0, deadline - monotonic())):
                return

    def destroy(self, name: str) -> None:
        """End a domain through libvirt. What has gone already is no error."""
        import libvirt

        with libvirt_errors("libvirt cannot end the virtual machine"):
            try:
                self._connection.lookupByName(name).destroy()
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise

    def stats(self, domain: Any) -> Stats:
        """What libvirt knows that a domain has used."""
        with libvirt_errors("libvirt does not tell what the virtual machine uses"):
            resident = domain.memoryStats().get("rss")
            return Stats(cpu_ns=domain.info()[4], memory=resident and resident * 1024)

    def close(self) -> None:
        """Close the connection."""
        with libvirt_errors("libvirt cannot close its connection"):
            self._connection.close()


class _Embedded:
    """The embedded driver of this process.

    libvirt can open it in one place, a few times, and has trouble to let go of it: so it stays open to the end. Its
    files go when nobody needs them, and come back with the next user.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._hypervisor: Hypervisor | None = None
        self._directories: list[Path] = []
        self._capabilities: dict[str, bytes] = {}

    def acquire(self, cache: Path) -> Hypervisor:
        """Open it, or bring its files back. `cache` has what libvirt knows of each QEMU, from process to process."""
        with self._lock:
            if self._users == 0:
                self._make_files(cache)
            if self._hypervisor is None:
                self._hypervisor = self._opened(roots.path())
            self._users += 1
            return self._hypervisor

    def _opened(self, root: Path) -> Hypervisor:
        atexit.register(self._leave, root)
        try:
            hypervisor = Hypervisor(f"qemu:///embed?root={root}", root)
        except BaseException:
            roots.remove(root)
            raise
        # It is never finalized: as an interpreter ends, libvirt's module may go before its last connection.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(hypervisor))
        return hypervisor

    def release(self) -> None:
        """The inverse of `acquire`: with the last user, the files go."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._settle()
                self._remove_files()

    def _leave(self, root: Path) -> None:
        """Leave nothing behind when a process ends that has not closed what it used; a forked child does nothing."""
        if root == roots.path():
            self._settle()
            roots.remove(root)

    def _settle(self) -> None:
        """End the VMs that still run, as they would by themselves when nobody holds their control channel any more.

        Without their pid files, which are about to go, nobody could find them.
        """
        for process in roots.running(roots.path()):
            process.kill()
            process.close()
        if self._hypervisor is not None:
            with suppress(IsoscopeError):  # a driver that is out of order keeps nobody from putting its files away
                self._hypervisor.settle()

    def _make_files(self, cache: Path) -> None:
        root = roots.make()
        for directory in self._directories:  # the driver made them when it was opened, and counts on them
            directory.mkdir(parents=True, exist_ok=True)
        capabilities = root / roots.CAPABILITIES
        shutil.copytree(cache, capabilities, dirs_exist_ok=True)
        for name, known in self._capabilities.items():
            (capabilities / name).write_bytes(known)

    def _remove_files(self) -> None:
        root = roots.path()
        self._directories = [path for path in root.rglob("*") if path.is_dir()]
        self._capabilities = {path.name: path.read_bytes() for path in (root / roots.CAPABILITIES).glob("*.xml")}
        roots.remove(root)


_embedded = _Embedded()


def connect(home: Path, uri: str | None) -> Hypervisor:
    """A connection to a daemon, or without a URI to this process's embedded driver. Raises BackendUnavailable."""
    events.start()
    if uri:
        return Hypervisor(uri, None)
    return _embedded.acquire(_capability_cache(home))


def remember(home: Path, hypervisor: Hypervisor) -> None:
    """Keep what the embedded driver has learnt of QEMU for the next process: learning it takes seconds."""
    if hypervisor.root is None:
        return
    cache = _capability_cache(home)
    for path in (hypervisor.root / roots.CAPABILITIES).glob("*.xml"):
        known = cache / path.name
        if known.exists() and known.read_bytes() == path.read_bytes():
            continue
        with tempfile.NamedTemporaryFile(dir=cache, prefix=PREFIX, delete=False) as copy:
            copy.write(path.read_bytes())
        os.replace(copy.name, known)


def disconnect(hypervisor: Hypervisor) -> None:
    """The inverse of `connect`."""
    if hypervisor.root is None:
        hypervisor.close()
    else:
        _embedded.release()


def emulator() -> str:
    """The path of QEMU. Raises BackendUnavailable."""
    path = shutil.which(EMULATOR)
    if path is None:
        raise BackendUnavailable(f"{EMULATOR} is not installed", hint="apt-get install qemu-system-x86 qemu-utils")
    return path


def _capability_cache(home: Path) -> Path:
    cache = home / "cache" / "libvirt"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _open(uri: str, root: Path | None) -> Any:
    import libvirt

    # Without a transport, a process that has the embedded driver is its own daemon, and never asks the host's.
    scheme, colon, rest = uri.partition(":")
    return libvirt.open(uri if root or "+" in scheme else f"{scheme}+unix{colon}{rest}")


def _version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def _opening_hint(root: Path | None) -> str:
    return "isoscope doctor" if root else "check --connect or ISOSCOPE_LIBVIRT_URI, and that the daemon runs"
