"""How fast: a bulk transfer over TCP by iperf3(1)."""

from __future__ import annotations

from isoscope.benchmarks.network.answers import number, parse
from isoscope.core.errors import WorkloadFailed

NAME = "iperf3"

#: What the server says once it listens.
READY = b"Server listening"

#: What one that tells says of the first connection. It is written out with the first interval, and not before.
BEGUN = b"Accepted connection"
_SHORTEST = "0.1"  #: seconds; iperf3 takes no shorter interval

#: The same for every kernel that takes part, be it the host's or a guest's, whatever their defaults are: the one that
#: each has and that every user may choose (tcp(7), tcp_allowed_congestion_control).
CONGESTION = "reno"

_CONNECT_MS = 5000
_LAST_WORDS = 200  #: characters of what it says that an error repeats

#: Bridged packets pass the rules for forwarded ones where br_netfilter is loaded, as Docker does.
_FIREWALL = (
    "does a firewall of this host drop what goes over the bridge? See nft list ruleset, "
    "sysctl net.bridge.bridge-nf-call-iptables"
)
STATUSES = (0, 1)  #: with --json, what went wrong is in the answer


def server(address: str, port: int, *, tells: bool) -> tuple[str, ...]:
    """A server for one test. It says nothing about intervals, unless it `tells` with the first that it has begun."""
    interval = _SHORTEST if tells else "0"
    return (NAME, "-s", "--one-off", "--forceflush", "-i", interval, "-B", address, "-p", str(port))


def client(address: str, port: int, *, seconds: int, streams: int, reverse: bool) -> tuple[str, ...]:
    """A client that sends, or with `reverse` receives."""
    words = (NAME, "-c", address, "-p", str(port), "-J", "-t", str(seconds), "-P", str(streams), "-C", CONGESTION)
    return (*words, "--connect-timeout", str(_CONNECT_MS), *(["-R"] if reverse else []))


def transfer(output: bytes, *, reverse: bool) -> tuple[float, float]:
    """Bytes and seconds, from what a client printed. Raises WorkloadFailed.

    The receiver's bytes, since what was sent may not have arrived; the client's seconds, since the other end may be a
    guest, whose clock is its own.
    """
    answer = parse(NAME, output)
    if isinstance(answer, dict) and "error" in answer:
        raise failure(str(answer["error"]))
    ours = "sum_received" if reverse else "sum_sent"
    return number(NAME, answer, "end", "sum_received", "bytes"), number(NAME, answer, "end", ours, "seconds")


def failure(told: str) -> WorkloadFailed:
    """The error for what iperf3 says went wrong."""
    told = told.removeprefix("error - ")[:_LAST_WORDS]
    dropped = any(words in told for words in ("timed out", "No route", "unreachable"))
    return WorkloadFailed(f"{NAME} failed: {told}", hint=_FIREWALL if dropped else "the other end may have died")
