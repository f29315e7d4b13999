"""felter2014/mysql: read-only transactions under few clients and under many."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Kind, Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.felter2014 import rules

_STUDY_CPUS = 32  #: hardware threads
_STUDY_ROWS, _STUDY_SECONDS = 2_000_000, 60
_STUDY_THREADS = (10, 50, 90, 170, 290)
_SCALE, _TRANSLATED_SCALE, _QUICK_SCALE = 1 / 20, 1 / 100, 1 / 200
_SECONDS, _QUICK_SECONDS = 3, 1
_SMALLEST = 1 << 30  #: bytes of memory that a server, its clients and a VM take
_DISK = 2 << 30

_NO_WIRE = (
    "the study's clients stood behind 10 GbE and on CPUs of their own; here they take their share of the server's, and "
    "nothing but the host's own network lies between"
)


class MySql(Recipe):
    """sysbench's OLTP test over the number of clients, all outside the system under test."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "mysql"
    summary: ClassVar[str] = "transactions on a database: containers by network and storage, and VM, against native"
    needs: ClassVar[Needs] = Needs(root=True, cpus=2, memory=_SMALLEST, disk=_DISK, images=("mariadb",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        scale = _QUICK_SCALE if quick else _SCALE if here.kvm else _TRANSLATED_SCALE
        rows, seconds = round(_STUDY_ROWS * scale), _QUICK_SECONDS if quick else _SECONDS
        threads = _threads(here)
        asked = "+".join(map(str, threads.values()))
        return Plan(
            clock="the clients', outside the system, there and here: transactions a second",
            systems=(
                System("native", "process:storage=volume", "on the host's network and file system, as there"),
                System(
                    "docker-host-volume",
                    "container:network=host,storage=volume",
                    "our container in place of Docker 1.0's",
                ),
                System(
                    "docker-nat-volume",
                    "container:network=bridge,storage=volume",
                    "our bridge, reached by the container's own address; Docker translated a port of the host's, too",
                    kind=Kind.DIRECTION,
                    why=_NO_WIRE,
                ),
                System(
                    "docker-nat-aufs",
                    "container:network=bridge,storage=root",
                    "overlayfs in place of AUFS, which Linux never took in",
                    kind=Kind.DIRECTION,
                    why=_NO_WIRE,
                ),
                System(
                    "kvm-qcow2",
                    f"vm:network=bridge,cpus={rules.vcpus(here)},memory=1G,format=qcow2,cache=writeback",
                    "virtio with vhost where the host has it, on our bridge; the default cache mode, as there",
                    kind=Kind.DIRECTION,
                    why=_NO_WIRE,
                ),
            ),
            baseline="native",
            benchmarks=(f"oltp:threads={asked},rows={rows},duration={seconds}",),
            matches=tuple(
                Match(
                    f"sysbench 0.4.12 OLTP read-only, {there} threads, 2M rows",
                    "throughput",
                    "oltp",
                    "oltp.transactions",
                    {"threads": number},
                    x=float(there),
                    short=f"{there} threads there, {number} here",
                )
                for there, number in threads.items()
            ),
            settings=(
                Setting(
                    "threads",
                    ", ".join(map(str, threads)),
                    ", ".join(map(str, threads.values())),
                    f"as many for each hardware thread of the server as there, which had {_STUDY_CPUS}; here "
                    f"{here.cpus}, rounded up: from a third of them busy to nine clients for each",
                ),
                Setting(
                    "rows",
                    f"{_STUDY_ROWS}, within a buffer pool of 3 GiB",
                    f"{rows}, within a pool that holds all of them",
                    f"scaled by {scale:g}"
                    + ("" if quick or here.kvm else ", since under TCG they take minutes to fill in")
                    + ": what matters is that they are in memory",
                ),
                Setting(
                    "time",
                    f"{_STUDY_SECONDS} s with each number of threads",
                    f"{seconds} s with each",
                    f"scaled by 1/{_STUDY_SECONDS // seconds}; blocks repeat it, and filling is not timed",
                ),
                Setting(
                    "server",
                    "MySQL 5.5",
                    "the distribution's MariaDB",
                    "what Debian has of it; pool past the page cache (O_DIRECT), no query cache, as there",
                ),
                Setting(
                    "load",
                    "sysbench 0.4.12, --oltp-read-only=on",
                    "sysbench 1.0, oltp_read_only",
                    "the same 14 queries between BEGIN and COMMIT, on rows drawn by the same distribution",
                ),
                Setting(
                    "clients",
                    "on another machine, over 10 GbE",
                    "a process of the same host",
                    "there is one host: clients and server share its CPUs in every system alike",
                ),
                rules.virtual_cpus(here, "32"),
                rules.repetitions("one run"),
            ),
            trial_seconds=len(threads) * (seconds + 0.3) + (6 if here.kvm else 12),
        )


def _threads(here: Here) -> dict[int, int]:
    """Ours for each of the study's numbers of threads, all different: also on one CPU."""
    return {there: -(-there * here.cpus // _STUDY_CPUS) for there in _STUDY_THREADS}
