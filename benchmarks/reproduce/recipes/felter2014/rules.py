"""Rules of scaling that several items of felter2014 share."""

from __future__ import annotations

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Setting

#: Rows over both sockets, on any host: what we run has one thread.
TWO_SOCKETS = (
    "all threads of two sockets with memory interleaved over both; here one thread, with the memory next to it"
)


def repetitions(study: str) -> Setting:
    """Blocks in place of the study's repetitions."""
    return Setting(
        "repetitions",
        study,
        "every system once in each block, in random order, and native twice",
        "blocks give the interval, and the second native shows the noise",
    )


def threads(study: str) -> Setting:
    """One thread in place of all."""
    return Setting(
        "threads",
        study,
        "1",
        "our program has one: how systems stand to each other is compared, not how threads share a socket",
    )


def virtual_cpus(here: Here, study: str) -> Setting:
    """As many virtual CPUs as in the study, where that is affordable."""
    return Setting(
        "virtual CPUs",
        study,
        str(vcpus(here)),
        "as many as the host has; under TCG, whose rows decide nothing, one, for that is cheapest",
    )


def vcpus(here: Here) -> int:
    """Virtual CPUs of a VM that has the whole host."""
    return here.cpus if here.kvm else 1
