"""What a guest is told about itself before it runs anything; images/guest/init/configure.c reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from isoscope.backends.network.lease import Addressed
from isoscope.backends.vm.protocol import text
from isoscope.backends.vm.shares import Share
from isoscope.core.launch import Launch

_PERIOD_US = 100_000  # of cpu.max, Documentation/admin-guide/cgroup-v2.rst


def guest_terms(launch: Launch, lease: Addressed | None, shares: Sequence[Share]) -> bytes:
    """The payload of CONFIGURE."""
    mounts = (("share", share.terms) for share in shares)
    return text((*_names(launch.record.name, lease), *_limits(launch), *mounts))


def vcpus(cpus: float | None) -> int:
    """Whole virtual CPUs for a number of CPUs' worth of time."""
    return ceil(cpus or 1)


def _names(hostname: str, lease: Addressed | None) -> Iterator[tuple[str, str]]:
    yield "hostname", hostname
    yield "etc_hostname", f"{hostname}\n"
    address = lease.address if lease else "127.0.1.1"  # as Debian does for a host without a permanent address
    yield "etc_hosts", f"127.0.0.1\tlocalhost\n{address}\t{hostname}\n"
    if lease is not None:
        yield "address", f"{lease.address}/{lease.prefix_length}"
        if lease.gateway is not None:
            yield "gateway", lease.gateway
        yield "mtu", str(lease.mtu)
        yield "etc_resolv_conf", lease.resolv_conf()


def _limits(launch: Launch) -> Iterator[tuple[str, str]]:
    resources = launch.workload.resources
    if resources.pids is not None:
        yield "pids", str(resources.pids)
    if resources.cpus is not None and resources.cpus != vcpus(resources.cpus):
        # Virtual CPUs are whole; the fraction is the guest's kernel's to enforce, on everything that runs in it.
        yield "cpu_max", f"{round(resources.cpus * _PERIOD_US)} {_PERIOD_US}"
