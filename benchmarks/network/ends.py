"""Who talks to whom: the paths, and the instances at their ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from isoscope.benchmarks.benchmark import Label, Trial
from isoscope.benchmarks.network import link
from isoscope.benchmarks.network.device import Device, driver
from isoscope.core.errors import CommandNotFound, InputError, Unsupported
from isoscope.core.instance import Instance
from isoscope.core.variant import Variant
from isoscope.core.workload import Network, Resources, Workload, parse_network

#: The other end of the paths that begin or end on the host: a plain process of it, from the same image.
HOST = Variant("process")

TO_INSTANCE, TO_HOST, BETWEEN = "host-to-instance", "instance-to-host", "instance-to-instance"
PATHS = (TO_INSTANCE, TO_HOST, BETWEEN)


def paths(text: str) -> tuple[str, ...]:
    """Read `all`, or paths with `+` between them. Raises InputError."""
    chosen = PATHS if text == "all" else tuple(text.split("+"))
    for path in chosen:
        if path not in PATHS or chosen.count(path) > 1:
            raise InputError(
                f"{text!r} are not paths of the benchmark", hint=f"write all, or some of {' + '.join(PATHS)}"
            )
    return chosen


@dataclass(frozen=True)
class Ends:
    """The instances of one path. The server is the instance that is measured, in either direction."""

    path: str
    client: Instance
    server: Instance
    address: str  #: of the server, as the client reaches it
    device: str  #: of the host, which leads to the server
    seen: bool  #: whether every packet between them passes that device, and not within a card alone
    labels: dict[str, Label]
    counts_packets: bool = False  #: whether the server shows a network device of its own
    no_packets: str = ""  #: why not; empty where it has none

    @property
    def reverse(self) -> bool:
        """Whether the server sends."""
        return self.path == TO_HOST

    @property
    def both(self) -> Sequence[Instance]:
        """Client and server."""
        return self.client, self.server


@contextmanager
def ends_of(trial: Trial, wanted: Sequence[str]) -> Iterator[list[Ends]]:
    """The ends of each path, all instances running. Raises Unsupported, and whatever a start raises."""
    workload = _connected(trial)
    with ExitStack() as stack:
        made = [stack.enter_context(trial.instance(workload))]
        clients = {}
        if BETWEEN in wanted:
            made.append(stack.enter_context(trial.instance(workload)))
            clients[BETWEEN] = made[-1]
        if {TO_INSTANCE, TO_HOST} & {*wanted}:
            plain = replace(workload, network=Network.HOST, resources=Resources())
            made.append(stack.enter_context(trial.instance(plain, HOST)))
            clients[TO_INSTANCE] = clients[TO_HOST] = made[-1]
        _start(made, trial.timeout)
        server = made[0]
        own_kernel = trial.lab.capabilities(trial.variant).own_kernel
        device = _own_device(server, trial.timeout)
        yield [_ends(path, clients[path], server, device, guest=own_kernel and path == BETWEEN) for path in wanted]


def _connected(trial: Trial) -> Workload:
    """The workload on the bridge where the backend has one, else on the host's network; or as the variant says."""
    offered = trial.lab.capabilities(trial.variant).networks
    named = trial.variant.options.get("network")
    if named is not None:
        network = parse_network(named)
    else:
        network = next((one for one in (Network.BRIDGE, Network.HOST) if one in offered), Network.NONE)
    if network is Network.NONE:
        raise Unsupported(
            f"{trial.variant} has no network over which its instances can be reached",
            hint="leave out network=none" if named else "it needs network bridge or host",
        )
    return replace(trial.workload, network=network)


def _start(instances: Sequence[Instance], timeout: float) -> None:
    """Start all at once: nothing is measured yet, and two virtual machines boot beside each other."""

    def start(instance: Instance) -> None:
        instance.start()
        instance.wait_ready(timeout)

    with ThreadPoolExecutor(len(instances)) as threads:
        for done in [threads.submit(start, instance) for instance in instances]:
            done.result()


@dataclass(frozen=True)
class _Shown:
    """What an instance shows of its own device."""

    labels: dict[str, Label] = field(default_factory=dict)  #: which hardware it is, where it is any
    counts: bool = False
    why_not: str = ""


def _own_device(server: Instance, timeout: float) -> _Shown:
    """Raises WorkloadFailed when it is not the device that the instance was given."""
    connection = server.connection()
    if connection is None:
        return _Shown()  # it shares the host's
    try:
        device, name = Device.read(server, timeout), driver(server, timeout)
    except (Unsupported, CommandNotFound) as error:
        return _Shown(why_not=f"{error.message}: what its device counts is not known")
    device.check(connection.mac)
    return _Shown({"network_driver": name, "network_mac": device.mac} if name else {}, counts=True)


def _ends(path: str, client: Instance, server: Instance, own: _Shown, *, guest: bool) -> Ends:
    connection = server.connection()
    network = server.workload.network
    if connection is not None:
        address, device = connection.address, connection.device
    elif network is Network.HOST:
        address, device = "127.0.0.1", link.LOOPBACK
    else:
        raise Unsupported(f"how an instance on network {network.value!r} is reached is not known")
    labels: dict[str, Label] = {
        **server.proof(),
        **own.labels,
        **link.facts(device),
        "network": network.value,
        "path": path,
        "clock": "the guest's" if guest else "the host's",
    }
    # What passes between two functions of one card does so in the card, and no device of the host's sees it.
    seen = path != BETWEEN or network is not Network.VF
    return Ends(path, client, server, address, device, seen, labels, own.counts, own.why_not)


def free_port() -> int:
    """A TCP port that nobody listens on here. In an instance's own network namespace nobody listens on any."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as any_socket:
        any_socket.bind(("", 0))
        port: int = any_socket.getsockname()[1]
        return port
