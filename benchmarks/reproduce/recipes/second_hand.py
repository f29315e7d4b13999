"""Comparisons of which second-hand figures alone are known: repeated and shown, and nothing is decided by them."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System


class NoisyNeighbour(Recipe):
    """Sharma et al., Middleware 2016: a victim beside a neighbour that uses the disk."""

    study: ClassVar[str] = "sharma2016"
    item: ClassVar[str] = "noisy-neighbour"
    summary: ClassVar[str] = "a victim of the disk beside a neighbour that uses it: container against VM (second-hand)"
    needs: ClassVar[Needs] = Needs(memory=2 << 30, root=True, images=("neighbours",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        work = 0.25 if quick else 1.0
        return Plan(
            clock="there the latency of the victim's requests; here the time that a fixed amount of its work takes",
            systems=(System("container", "container", "ours"), System("vm", "vm")),
            baseline="container",
            benchmarks=(f"interference:victim=disk,neighbours=disk,limits=on,work={work:g}s",),
            matches=(
                Match(
                    "disk adversary, victim latency relative to alone",
                    "slowdown",
                    "interference",
                    "interference.slowdown",
                    {"limits": "on", "neighbour": "disk"},
                    costs=False,
                    short="beside a disk adversary",
                ),
            ),
            settings=(
                Setting(
                    "load",
                    "not told in what was read",
                    "our own victim and neighbour",
                    "there is nothing to hold it against",
                ),
                Setting(
                    "limits",
                    "not told in what was read",
                    "CPUs, memory and tasks of each",
                    "the disk itself is not limited",
                ),
            ),
            trial_seconds=12 * work + (4 if here.kvm else 12),
        )


class Boot(Recipe):
    """Van Rijn and Rellermeyer, Middleware 2021: the start of a container that prints, by several platforms."""

    study: ClassVar[str] = "vanrijn2021"
    item: ClassVar[str] = "boot"
    summary: ClassVar[str] = "start of a container that prints: Docker, gVisor, LXC, Kata (second-hand)"
    needs: ClassVar[Needs] = Needs(root=True)

    def plan(self, here: Here, *, quick: bool) -> Plan:
        blocks = 10 if quick else 30
        return Plan(
            clock="there from before `docker run` until a string that the entry point prints is seen; here from "
            "Instance.start() to that string's first byte",
            systems=(
                System("docker-runtime-only", "oci:runtime=runc", "runc alone, without a daemon"),
                System("gvisor", "oci:runtime=runsc", "runsc alone; by the daemon there"),
                System("kata", "oci:runtime=kata-runtime", "by the daemon there"),
                System("lxc", "lxc", "its own tools"),
            ),
            baseline="docker-runtime-only",
            benchmarks=("startup",),
            workload="hello",
            blocks=blocks,
            matches=(
                Match(
                    "300 starts, through the daemon; printf as entry point",
                    "mean",
                    "startup",
                    "startup.ready",
                    factor=1e-6,
                    statistic="mean",
                    costs=False,
                    short="start to output",
                ),
            ),
            settings=(
                Setting("starts", "300", f"{blocks}, or as -n says", "enough for an interval"),
                Setting("entry point", "printf", "`echo` of the image `base`", "it prints a line and ends, too"),
            ),
            trial_seconds=0.4,
        )
