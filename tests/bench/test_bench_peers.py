"""What the harness adds to a peer's own command.

Our start and the same command line by hand, turn by turn, are on record as a ratio. The bound is on the CPU time that
this process takes more than by hand until the first output: a peer's start takes between ten and three hundred
milliseconds and strays by a tenth of that, so that no difference between clocks would show a single one.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic_ns, process_time_ns

import pytest
from isobench.duel import Duel
from isoscope.core import Exit, Lab, Workload
from isoscope.testing import engine
from isoscope.testing.fixtures import state_directory

pytestmark = pytest.mark.root

PATIENCE = 60
COMMAND = ("echo", "up")

#: Milliseconds of CPU that the harness may take in a trial's clock, beside what starting and hearing a command takes.
MOST = 1.0

#: Not systemd-nspawn: by hand, it would make cgroups below the test's own.
PEERS = {
    "bubblewrap": ("bwrap", 60),
    "lxc": ("lxc-start", 40),
    "oci:runtime=runc": ("runc", 60),
    "oci:runtime=runsc": ("runsc", 30),
    "podman": ("podman", 30),
}


def ours(lab: Lab, variant: str, cpu: list[int]) -> int:
    """Nanoseconds from `start()` until the first byte of output is seen; our CPU time until then goes to `cpu`."""
    with lab.create(Workload(command=COMMAND), variant) as instance:
        began = process_time_ns()
        instance.start()
        instance.wait_ready(PATIENCE)
        cpu.append(process_time_ns() - began)
        assert instance.wait(PATIENCE) == Exit(code=0)
        ready = instance.timeline.span("start", "ready")
    assert ready is not None
    return ready


def by_hand(lab: Lab, variant: str, cpu: list[int]) -> int:
    """The same command line on the same preparations, by posix_spawn(3) and a blocking read of its output."""
    with lab.create(Workload(command=COMMAND), variant) as instance:
        line = instance._peer()
        read, write = os.pipe()
        # In its cgroup, where those that are told to stay in it would else make theirs below the test's own.
        with instance._means.spawner._inside(instance._entered()):
            began, used = monotonic_ns(), process_time_ns()
            actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
            actions += [(os.POSIX_SPAWN_DUP2, write, number) for number in (1, 2)]
            actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in line.keep]
            pid = os.posix_spawn(line.words[0], line.words, line.environment, file_actions=actions, setsid=True)
        assert os.read(read, 1) == b"u"
        took = monotonic_ns() - began
        cpu.append(process_time_ns() - used)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
    return took


def by_sockets(path: Path, lab: Lab, variant: str, cpu: list[int]) -> int:
    """The same requests to the same engine, by plain sockets and blocking reads."""
    with lab.create(Workload(command=COMMAND), variant) as instance:
        body = json.dumps(dict(instance._site.body)).encode()
        name = f"/containers/{instance.record.mark}"
        began, used = monotonic_ns(), process_time_ns()
        with _connected(path) as asked, _connected(path) as output:
            assert _ask(asked, f"POST /containers/create?name={instance.record.mark}", body).startswith(b"HTTP/1.1 201")
            head = _ask(output, f"POST {name}/attach?stream=1&stdout=1&stderr=1", upgrade=True)
            assert head.startswith(b"HTTP/1.1 101")
            assert _ask(asked, f"POST {name}/start").startswith(b"HTTP/1.1 204")
            assert output.recv(1)
            took = monotonic_ns() - began
            cpu.append(process_time_ns() - used)
            while output.recv(1 << 16):
                pass
            assert _ask(asked, f"DELETE {name}?force=1").startswith(b"HTTP/1.1 204")
    return took


def _connected(path: Path) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(path))
    return connected


def _ask(connected: socket.socket, what: str, body: bytes = b"", *, upgrade: bool = False) -> bytes:
    """The whole answer to a request."""
    more = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
    fields = f"Host: docker\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}"
    connected.sendall(f"{what} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connected.recv(1 << 16)
    head, _, rest = answer.partition(b"\r\n\r\n")
    lengths = [int(line.partition(b":")[2]) for line in head.splitlines() if line.lower().startswith(b"content-length")]
    while lengths and len(rest) < lengths[0]:
        rest += connected.recv(1 << 16)
    return answer


def check(
    duel: Duel,
    lab: Lab,
    variant: str,
    by_hand: Callable[[Lab, str, list[int]], int],
    *,
    name: str,
    to: str,
    rounds: int,
) -> None:
    """Measure both, and hold what the harness takes more to the bound."""
    cpu, least = list[int](), list[int]()
    duel(
        f"start of {name}",
        lambda: ours(lab, variant, cpu),
        lambda: by_hand(lab, variant, least),
        to=to,
        rounds=rounds,
    )
    added = (statistics.median(cpu) - statistics.median(least)) / 1e6
    duel.limit(f"harness of {name}", added, MOST, "ms of CPU")


@pytest.mark.parametrize("variant", PEERS)
def test_the_harness_adds_little_to_a_peer(duel: Duel, lab: Lab, variant: str) -> None:
    program, rounds = PEERS[variant]
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}: make peers installs it")
    check(duel, lab, variant, by_hand, name=variant, to="the same command by hand", rounds=rounds)


@pytest.fixture
def engine_socket() -> Iterator[Path]:
    """Of an engine of the test's own."""
    if not engine.can_run():
        pytest.skip("there is no dockerd: make peers installs it")
    with state_directory() as directory, engine.running_engine(directory) as running:
        yield running.socket


def test_the_harness_adds_little_to_an_engine(duel: Duel, engine_socket: Path, lab: Lab) -> None:
    check(
        duel, lab, f"docker:host=unix://{engine_socket}", partial(by_sockets, engine_socket),
        name="docker", to="the same requests by plain sockets", rounds=30,
    )  # fmt: skip
