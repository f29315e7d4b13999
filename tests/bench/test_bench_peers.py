"""What the harness adds to a peer's own command: our start, and the same command line by hand, turn by turn."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic_ns

import pytest
from isobench.duel import Duel
from isobench.rounds import Rounds
from isoscope.core import Exit, Lab, Workload
from isoscope.testing import engine

pytestmark = pytest.mark.root

PATIENCE = 60
COMMAND = ("echo", "up")

#: Milliseconds that the harness may add to a trial, from the start to the first output.
MOST = 1.0

PEERS = {
    "bubblewrap": ("bwrap", 60),
    "lxc": ("lxc-start", 40),
    "nspawn": ("systemd-nspawn", 40),
    "oci:runtime=runc": ("runc", 60),
    "oci:runtime=runsc": ("runsc", 15),
    "podman": ("podman", 15),
}


def ours(lab: Lab, variant: str) -> int:
    """Nanoseconds from `start()` until the first byte of output is seen."""
    with lab.create(Workload(command=COMMAND), variant) as instance:
        instance.start()
        assert instance.wait(PATIENCE) == Exit(code=0)
        ready = instance.timeline.span("start", "ready")
    assert ready is not None
    return ready


def by_hand(lab: Lab, variant: str) -> int:
    """The same command line on the same preparations, by posix_spawn(3) and a blocking read of its output."""
    with lab.create(Workload(command=COMMAND), variant) as instance:
        line = instance._peer()
        read, write = os.pipe()
        # In its cgroup, where those that are told to stay in it would else make theirs below the test's own.
        with instance._means.spawner._inside(instance._entered()):
            began = monotonic_ns()
            actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
            actions += [(os.POSIX_SPAWN_DUP2, write, number) for number in (1, 2)]
            actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in line.keep]
            pid = os.posix_spawn(line.words[0], line.words, line.environment, file_actions=actions, setsid=True)
        assert os.read(read, 1) == b"u"
        took = monotonic_ns() - began
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
    return took


def by_sockets(lab: Lab, variant: str, path: Path) -> int:
    """The same requests to the same engine, by plain sockets and blocking reads."""
    with lab.create(Workload(command=COMMAND), variant) as instance:
        body = json.dumps(dict(instance._site.body)).encode()
        name = f"/containers/{instance.record.mark}"
        began = monotonic_ns()
        with _connected(path) as asked, _connected(path) as output:
            assert _ask(asked, f"POST /containers/create?name={instance.record.mark}", body).startswith(b"HTTP/1.1 201")
            head = _ask(output, f"POST {name}/attach?stream=1&stdout=1&stderr=1", upgrade=True)
            assert head.startswith(b"HTTP/1.1 101")
            assert _ask(asked, f"POST {name}/start").startswith(b"HTTP/1.1 204")
            assert output.recv(1)
            took = monotonic_ns() - began
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
    duel: Duel, variant: str, rounds: int, ours: Callable[[], int], by_hand: Callable[[], int], *, to: str
) -> None:
    """Measure both, and hold what the harness adds to the bound."""
    found: Rounds = duel(f"start of {variant}", ours, by_hand, to=to, rounds=rounds, warmups=2)
    added = statistics.median(one - other for one, other in zip(found.ours, found.yardstick, strict=True)) / 1e6
    duel.limit(f"harness of {variant}", added, MOST, "ms")


@pytest.mark.parametrize("variant", PEERS)
def test_the_harness_adds_little_to_a_peer(duel: Duel, lab: Lab, variant: str) -> None:
    program, rounds = PEERS[variant]
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}: make peers installs it")
    check(
        duel, variant, rounds, lambda: ours(lab, variant), lambda: by_hand(lab, variant), to="the same command by hand"
    )


@pytest.fixture
def engine_socket() -> Iterator[Path]:
    """Of an engine of the test's own."""
    if not engine.can_run():
        pytest.skip("there is no dockerd: make peers installs it")
    with (
        TemporaryDirectory(prefix="isoscope-bench-", dir="/tmp") as directory,
        engine.running_engine(Path(directory)) as running,
    ):
        yield running.socket


def test_the_harness_adds_little_to_an_engine(duel: Duel, lab: Lab, engine_socket: Path) -> None:
    variant = f"docker:host=unix://{engine_socket}"
    check(
        duel, "docker", 30, lambda: ours(lab, variant), lambda: by_sockets(lab, variant, engine_socket),
        to="the same requests by plain sockets",
    )  # fmt: skip
