"""felter2014/linpack: what a VM computes depends on the processor that it is shown."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.felter2014 import rules


class Linpack(Recipe):
    """A VM with QEMU's default model, with the host's, and with the host's topology and pinning as well."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "linpack"
    summary: ClassVar[str] = "floating point: container, and a VM with three settings of its processor, against native"
    needs: ClassVar[Needs] = Needs(root=True, images=("bench",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        cpus = rules.vcpus(here)
        return Plan(
            clock="the program's own, inside the system, there and here: floating-point operations a second",
            systems=(
                System("native", "process", "a plain process, as there"),
                System("docker", "container", "our container in place of Docker 1.0's"),
                System(
                    "kvm-default-cpu",
                    f"vm:cpus={cpus},cpu=default",
                    "QEMU's default model, which hides AVX, and no topology, as there",
                ),
                System(
                    "kvm-untuned-published",
                    f"vm:cpus={cpus}",
                    "the host's model, without topology and pinning; it is not told what the study's 241 GFLOPS had",
                ),
                System(
                    "kvm-tuned",
                    f"vm:cpus={cpus},topology=host,pin=on",
                    "the host's model, its topology, and each virtual CPU pinned, as there",
                ),
            ),
            baseline="native",
            benchmarks=(f"cpu:tool=linpack,time={'1s' if quick else '2s'}",),
            matches=(
                Match(
                    "Intel LINPACK N=45000, 2 sockets",
                    "throughput",
                    "cpu",
                    "cpu.flops",
                    factor=1e-9,
                    short="LINPACK",
                ),
            ),
            settings=(
                Setting(
                    "order of the system",
                    "45000 equations",
                    "256 equations",
                    "solved again and again for two seconds, in the second-level cache: what is compared is arithmetic "
                    "and its SIMD, which decide N = 45000 as well, and not the memory below",
                ),
                Setting(
                    "program",
                    "Intel's LINPACK 11.1, tuned by hand",
                    "our own in C, with a loop for each level of SIMD",
                    "Intel's may not be passed on; both take the widest SIMD that they are shown",
                ),
                rules.threads("32"),
                rules.virtual_cpus(here, "32"),
                rules.repetitions("several runs; standard deviations are given"),
            ),
            trial_seconds=4 if here.kvm else 7,
        )
