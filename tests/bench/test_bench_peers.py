"""What the harness adds to a peer's own command: our start, and the same command line by hand, turn by turn."""

from __future__ import annotations

import os
import shutil
import statistics
from time import monotonic_ns

import pytest
from isobench.duel import Duel
from isobench.rounds import Rounds
from isoscope.core import Exit, Lab, Workload

pytestmark = pytest.mark.root

PATIENCE = 60
COMMAND = ("echo", "up")

#: Milliseconds that the harness may add to a trial, from the start to the first output.
MOST = 1.0

PEERS = {"bubblewrap": ("bwrap", 60), "oci:runtime=runc": ("runc", 60), "oci:runtime=runsc": ("runsc", 15)}


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
        began = monotonic_ns()
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, write, number) for number in (1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in line.keep]
        pid = os.posix_spawn(line.words[0], line.words, line.environment, file_actions=actions)
        assert os.read(read, 1) == b"u"
        took = monotonic_ns() - began
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
    return took


@pytest.mark.parametrize("variant", PEERS)
def test_the_harness_adds_little_to_a_peer(duel: Duel, lab: Lab, variant: str) -> None:
    program, rounds = PEERS[variant]
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}: make peers installs it")
    found: Rounds = duel(
        f"start of {variant}",
        lambda: ours(lab, variant),
        lambda: by_hand(lab, variant),
        to="the same command by hand",
        rounds=rounds,
        warmups=2,
    )
    added = statistics.median(one - other for one, other in zip(found.ours, found.yardstick, strict=True)) / 1e6
    duel.limit(f"harness of {variant}", added, MOST, "ms")
