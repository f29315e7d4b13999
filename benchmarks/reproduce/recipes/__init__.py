"""The recipes that we ship, by STUDY/ITEM: the module and the class of each, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from isoscope.benchmarks.reproduce.recipe import Recipe

_RECIPES = {
    "felter2014/fio": "felter2014.fio:Fio",
    "felter2014/linpack": "felter2014.linpack:Linpack",
    "felter2014/stream": "felter2014.stream:Stream",
    "felter2014/randomaccess": "felter2014.randomaccess:RandomAccess",
    "felter2014/net-throughput": "felter2014.net:NetThroughput",
    "felter2014/net-rr": "felter2014.net:NetRr",
    "felter2014/redis": "felter2014.redis:Redis",
    "felter2014/mysql": "felter2014.mysql:MySql",
    "agache2020/boot-serial": "agache2020.boot_serial:BootSerial",
    "agache2020/boot-parallel": "agache2020.boot_parallel:BootParallel",
    "agache2020/memory-overhead": "agache2020.memory_overhead:MemoryOverhead",
    "agache2020/fio": "agache2020.fio:Fio",
    "agache2020/network": "agache2020.network:Network",
    "li2022-rund/concurrent-start": "li2022.concurrent_start:ConcurrentStart",
    "li2022-rund/memory-per-sandbox": "li2022.memory_per_sandbox:MemoryPerSandbox",
    "li2022-rund/start-on-loaded-host": "li2022.start_on_loaded_host:StartOnLoadedHost",
    "dong2012-sriov/scaling": "dong2012:Scaling",
    "crun-readme/100-containers": "runtimes:Crun",
    "youki-readme/create-start-delete": "runtimes:Youki",
    "manco2017-lightvm/boot": "manco2017:LightVm",
    "sharma2016/noisy-neighbour": "second_hand:NoisyNeighbour",
    "vanrijn2021/boot": "second_hand:Boot",
    "young2019/syscalls": "young2019.syscalls:Syscalls",
}


def offered() -> dict[str, Callable[[], Recipe]]:
    """What makes each recipe."""
    return {name: partial(_make, place) for name, place in _RECIPES.items()}


def _make(place: str) -> Recipe:
    module, _, name = place.partition(":")
    made: Recipe = getattr(import_module(f"{__name__}.{module}"), name)()
    return made
