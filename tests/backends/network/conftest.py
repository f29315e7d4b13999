"""A host of the test's own: every test runs in a new network namespace, so that nothing it does is seen by others."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isoscope.backends.network import BridgeNetwork
from isoscope.core.registry import Record, Registry

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    """A network namespace that lives as long as its descriptor."""

    def __init__(self) -> None:
        made: list[int] = []

        def make() -> None:
            _check(_libc.unshare(_CLONE_NEWNET))
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        self.fd = made[0]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace."""
        inside = ["nsenter", f"--net=/proc/self/fd/{self.fd}", *command]
        return subprocess.run(inside, pass_fds=[self.fd], capture_output=True, text=True, check=check)

    def pings(self, address: str, patience: int = 20) -> bool:
        """Whether an address answers from here within so many seconds."""
        return self.run("busybox", "ping", "-c", "1", "-W", str(patience), address, check=False).returncode == 0

    def close(self) -> None:
        os.close(self.fd)


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


@contextmanager
def entered(namespace: Namespace) -> Iterator[None]:
    """The calling thread, and whatever it starts, in another network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _check(_libc.setns(namespace.fd, _CLONE_NEWNET))
    try:
        yield
    finally:
        _check(_libc.setns(before, _CLONE_NEWNET))
        os.close(before)


@pytest.fixture
def make_namespace() -> Iterator[type[Namespace]]:
    made = []

    def make() -> Namespace:
        made.append(Namespace())
        return made[-1]

    yield make
    for namespace in made:
        namespace.close()


@pytest.fixture(autouse=True)
def host(make_namespace) -> Iterator[Namespace]:
    """The network namespace that stands for the host; the test is in it."""
    namespace = make_namespace()
    with entered(namespace):
        ip("link", "set", "lo", "up")
        # A new namespace inherits the settings of the first one, where a bridge of somebody else may stand.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        yield namespace


@pytest.fixture
def outside(host: Namespace, make_namespace) -> Namespace:
    """What lies beyond the host: its default route leads there, and it knows no way to anything but the host."""
    namespace = make_namespace()
    end = f"/proc/{os.getpid()}/fd/{namespace.fd}"
    ip("link", "add", "uplink", "mtu", "1400", "type", "veth", "peer", "name", "uplink", "mtu", "1400", "netns", end)
    ip("address", "add", "203.0.113.1/24", "dev", "uplink")
    ip("link", "set", "uplink", "up")
    ip("route", "add", "default", "via", "203.0.113.2")
    namespace.run("ip", "address", "add", "203.0.113.2/24", "dev", "uplink")
    namespace.run("ip", "link", "set", "uplink", "up")
    return namespace


@pytest.fixture
def network(home: Path) -> Iterator[BridgeNetwork]:
    made = BridgeNetwork(home)
    yield made
    made.sweep([])


@pytest.fixture
def record(home: Path):
    """Make a record, as the lab does before it asks a backend for an instance."""

    def make() -> Record:
        return Registry(home).create(name="", variant="fake", workload={}, image="sha256:0")

    yield make
    for made in Registry(home):
        made.forget()
