"""Which trials a comparison consists of, and in which order: all of it follows from its terms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

#: Blocks before the measured ones that fill caches; their values are kept apart.
WARMUP_BLOCKS = 1


@dataclass(frozen=True)
class Cell:
    """One trial to be made. Its number says where it stands in the plan."""

    trial: int
    block: int  #: warm-ups come first: with one warm-up block, it is block 0
    warmup: bool
    benchmark: str
    variant: str


def shuffled(variants: Sequence[str], *, seed: int, benchmark: str, block: int) -> list[str]:
    """The order of the variants in one block: by the SHA-256 of `seed/benchmark/block/variant`.

    A hash gives the same order in every version of every language, and adding blocks changes none that went before.
    """
    return sorted(variants, key=lambda variant: sha256(f"{seed}/{benchmark}/{block}/{variant}".encode()).digest())


def plan(variants: Mapping[str, Sequence[str]], *, seed: int, blocks: int) -> list[Cell]:
    """Every trial in order, from the variants of each benchmark: each block holds every variant of every one once.

    A benchmark's variants stand next to each other, so that a comparison within a block is one of neighbours in time.
    """
    cells: list[Cell] = []
    for block in range(WARMUP_BLOCKS + blocks):
        for benchmark, names in variants.items():
            for variant in shuffled(names, seed=seed, benchmark=benchmark, block=block):
                cells.append(Cell(len(cells), block, block < WARMUP_BLOCKS, benchmark, variant))
    return cells


def remaining(cells: Sequence[Cell], made: Collection[int]) -> list[Cell]:
    """What a run that goes on still has to do, when the trials of these numbers were made.

    A new process is cold again: what it is going to measure it warms up first, in trials numbered behind all others.
    """
    left = [cell for cell in cells if cell.trial not in made]
    if not made:
        return left
    cold = {(cell.benchmark, cell.variant) for cell in left if not cell.warmup}
    cold -= {(cell.benchmark, cell.variant) for cell in left if cell.warmup}
    again = [cell for cell in cells if cell.warmup and (cell.benchmark, cell.variant) in cold]
    behind = max(len(cells), *(number + 1 for number in made))
    return [replace(cell, trial=behind + place) for place, cell in enumerate(again)] + left
