"""What the host's counters and devices tell."""

from __future__ import annotations

import select
import socket
from pathlib import Path

import pytest
from isoscope.benchmarks.network import link
from isoscope.benchmarks.network.cpu import Sample, host_busy

_SECOND = 1_000_000_000


def test_busy_is_what_was_neither_idle_nor_stolen(tmp_path: Path) -> None:
    before, later = tmp_path / "before", tmp_path / "later"
    before.write_text("cpu 9 9 9 100 10 0 0 0 0 0\ncpu0 0\ncpu1 0\nintr 5\n")
    later.write_text("cpu 9 9 9 130 20 9 9 5 0 0\ncpu0 0\ncpu1 0\nintr 5\n")
    (at, busy, processors), (at_later, busy_later, _) = host_busy(before), host_busy(later)
    assert processors == 2
    ticks = 30 + 10 + 5
    assert busy_later - busy == 2 * (at_later - at) - ticks * _SECOND // 100


def test_usage_is_in_processors() -> None:
    before = Sample(0, 0, 4, 0, 100)
    later = Sample(2 * _SECOND, 3 * _SECOND, 4, 1 * _SECOND, 100 + _SECOND // 2)
    used = before.until(later)
    assert (used.host, used.host_share, used.ends) == (1.5, 0.375, 0.5)
    assert before.until(Sample(_SECOND, _SECOND, 4, _SECOND, None)).ends is None


def test_the_loopback_device_tells_what_it_is() -> None:
    facts = link.facts("lo")
    assert facts["link"] == "loopback"
    assert facts["mtu"] == int(Path("/sys/class/net/lo/mtu").read_text())
    assert "tso" in str(facts["offloads"])
    assert link.facts("no-such-dev") == {}


@pytest.mark.root
def test_the_first_packet_to_a_port_is_seen_and_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as asked, socket.create_server(("127.0.0.1", 0)) as other:
        port = asked.getsockname()[1]
        with link.connections("lo", port) as watching:
            with socket.create_connection(other.getsockname()) as client:
                client.sendall(b"x")
            assert not select.select([watching], [], [], 0)[0]
            with socket.create_connection(asked.getsockname()) as client:
                assert select.select([watching], [], [], 5)[0]
                while select.select([watching], [], [], 0)[0]:
                    first = watching.recv(2048)
                    assert first[9] == socket.IPPROTO_TCP
                client.sendall(b"data of a connection that stands")
                assert not select.select([watching], [], [], 0)[0]
