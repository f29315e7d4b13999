"""felter2014/randomaccess: what nested page tables add to a miss of the TLB."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.felter2014 import rules
from isoscope.core.units import format_size

_TIMES = 4  #: the table is so many times the last cache, up to a power of two
_LEAST = 128 << 20
_MEMORY_SHARE = 8
_KERNEL = 192 << 20


class RandomAccess(Recipe):
    """Random updates of a table that outgrows caches and TLB."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "randomaccess"
    summary: ClassVar[str] = "random memory updates: container and VM, against native"
    needs: ClassVar[Needs] = Needs(memory=_LEAST + _KERNEL, root=True, images=("bench",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        table = _table(here)
        memory = (table + _KERNEL) >> 20
        return Plan(
            clock="the program's own, inside the system, there and here: updates a second",
            systems=(
                System("native", "process", "a plain process, as there"),
                System("docker", "container", "our container in place of Docker 1.0's"),
                System("kvm", f"vm:memory={memory}M", "QEMU 1.5 there"),
            ),
            baseline="native",
            benchmarks=(f"randomaccess:table={table >> 20}M,repetitions={1 if quick else 3}",),
            matches=(
                Match(
                    "HPCC RandomAccess, 2 sockets, n=10",
                    "updates",
                    "randomaccess",
                    "randomaccess.updates",
                    factor=1e-9,
                    obstacle=f"{rules.TWO_SOCKETS}. The study's program gathers all threads again after every 128 "
                    "updates, which over two sockets is most of what it times",
                    short="2 sockets",
                ),
                Match(
                    "HPCC RandomAccess, 1 socket",
                    "updates",
                    "randomaccess",
                    "randomaccess.updates",
                    factor=1e-9,
                    short="1 socket",
                ),
            ),
            settings=(
                Setting(
                    "table",
                    "32 GiB",
                    format_size(table),
                    f"{_TIMES} times the last cache, at least {format_size(_LEAST)}, at most an eighth of the memory "
                    "that is available, and down to a power of two: beyond the caches and the TLB, as there",
                ),
                Setting(
                    "updates",
                    "1,000,000,000",
                    f"a quarter as many as the table has words, in each of {1 if quick else 3} passes",
                    "enough for seconds; it is a rate that is compared",
                ),
                rules.threads("32 on two sockets, or 16 on one"),
                rules.repetitions("ten runs on two sockets"),
            ),
            trial_seconds=(5 if here.kvm else 14) * max(1.0, table / (256 << 20)),
        )


def _table(here: Here) -> int:
    """Bytes of the table: a power of two."""
    wanted = max(_LEAST, min(_TIMES * here.cache, here.available // _MEMORY_SHARE))
    return 1 << wanted.bit_length() - 1
