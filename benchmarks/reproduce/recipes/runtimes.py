"""The OCI runtimes' own claims: how long `true` takes in a container, from its making to its removal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System

_RUNC = System("runc", "oci:runtime=runc", "the distribution's")
_CRUN = System("crun", "oci:runtime=crun", "the distribution's")
_OURS = System("container", "container", "not in the study: ours")
_CLOCK = (
    "there around the command line, create to delete; here from Instance.start() through the workload's end to the end "
    "of delete(): `run --detach` and `delete`, and a cgroup and an overlay of ours"
)
_BUNDLE = Setting(
    "bundle",
    "not told",
    "the image `base` on an overlay, `true`, no network, default seccomp profile",
    "the same for each",
)
_BLOCKS, _QUICK_BLOCKS = 50, 10

_LEFT_OUT: Mapping[str, str] = {"youki": "no package of this distribution has it"}


class Crun(Recipe):
    """A hundred containers in sequence, by one runtime and by the other."""

    study: ClassVar[str] = "crun-readme"
    item: ClassVar[str] = "100-containers"
    summary: ClassVar[str] = "a hundred containers that run `true`, one after another: crun against runc"
    needs: ClassVar[Needs] = Needs(root=True)

    def plan(self, here: Here, *, quick: bool) -> Plan:
        blocks = _QUICK_BLOCKS if quick else _BLOCKS
        match = Match(
            "100 x /bin/true in sequence, no versions given, 2019-12",
            "total",
            "startup",
            "startup.total",
            factor=100 * 1e-9,
            statistic="mean",
            costs=False,
            short="100 x true",
        )
        containers = Setting(
            "containers",
            "100 in sequence",
            f"{blocks} of each runtime, or as -n says, in random order with the other's",
            "a hundred times the mean of one: in a sequence nothing else adds up",
        )
        return _plan(match, (containers, _BUNDLE), blocks, "startup")


class Youki(Recipe):
    """Create, start and delete, the page cache dropped before."""

    study: ClassVar[str] = "youki-readme"
    item: ClassVar[str] = "create-start-delete"
    summary: ClassVar[str] = "create, start and delete with a cold page cache: crun against runc"
    needs: ClassVar[Needs] = Needs(root=True)

    def plan(self, here: Here, *, quick: bool) -> Plan:
        blocks = _QUICK_BLOCKS if quick else _BLOCKS
        match = Match(
            "hyperfine, page cache dropped before each run, 100 runs, kernel 6.5, 2024-06",
            "mean",
            "startup",
            "startup.total",
            factor=1e-6,
            statistic="mean",
            costs=False,
            obstacle="a quick run leaves the page cache alone" if quick else "",
            short="create, start, delete",
        )
        cache = Setting(
            "page cache",
            "dropped before each run (3 to /proc/sys/vm/drop_caches)",
            "left alone" if quick else "likewise, which slows down everything else on the host for a moment",
            "left alone in a quick run",
        )
        runs = Setting(
            "runs", "100 of each, by hyperfine", f"{blocks} of each runtime, or as -n says", "enough for an interval"
        )
        return _plan(match, (runs, cache, _BUNDLE), blocks, "startup" if quick else "startup:cold=yes")


def _plan(match: Match, settings: tuple[Setting, ...], blocks: int, benchmark: str) -> Plan:
    return Plan(
        clock=_CLOCK,
        systems=(_RUNC, _CRUN, _OURS),
        baseline=_RUNC.name,
        benchmarks=(benchmark,),
        workload="true",
        matches=(match,),
        settings=settings,
        blocks=blocks,
        trial_seconds=0.3,
        left_out=_LEFT_OUT,
    )
