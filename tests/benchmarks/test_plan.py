from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from isoscope.benchmarks.harness.plan import WARMUP_BLOCKS, plan, remaining, shuffled

VARIANTS = ["process", "container", "vm", "null"]


def test_the_order_of_a_block_is_what_the_seed_says_for_ever() -> None:
    """Stored runs are repeated by their seed: this very order must come out of every later version."""
    assert shuffled(VARIANTS, seed=42, benchmark="startup", block=1) == ["container", "vm", "null", "process"]
    assert shuffled(VARIANTS, seed=42, benchmark="startup", block=2) == ["container", "process", "vm", "null"]
    assert shuffled(VARIANTS, seed=43, benchmark="startup", block=1) == ["vm", "process", "null", "container"]


@given(st.integers(0, 2**32), st.integers(1, 12), st.permutations(VARIANTS))
def test_every_block_holds_every_variant_once(seed: int, blocks: int, variants: list[str]) -> None:
    cells = plan({"startup": variants, "other": variants[:2]}, seed=seed, blocks=blocks)
    assert [cell.trial for cell in cells] == list(range(len(cells)))
    for block in range(WARMUP_BLOCKS + blocks):
        of_block = [cell for cell in cells if cell.block == block]
        assert sorted(c.variant for c in of_block if c.benchmark == "startup") == sorted(VARIANTS)
        assert sorted(c.variant for c in of_block if c.benchmark == "other") == sorted(variants[:2])
        assert {cell.warmup for cell in of_block} == {block < WARMUP_BLOCKS}
        assert [c.benchmark for c in of_block] == ["startup"] * 4 + ["other"] * 2


@given(st.integers(0, 2**32), st.permutations(VARIANTS))
def test_the_order_does_not_depend_on_how_it_was_asked_for(seed: int, variants: list[str]) -> None:
    few = plan({"startup": VARIANTS}, seed=seed, blocks=3)
    many = plan({"startup": variants}, seed=seed, blocks=9)
    assert many[: len(few)] == few


def test_every_variant_comes_first_and_last_about_equally_often() -> None:
    orders = [shuffled(VARIANTS, seed=1, benchmark="startup", block=block) for block in range(4000)]
    for place in (0, 3):
        counts = Counter(order[place] for order in orders)
        assert all(900 < counts[variant] < 1100 for variant in VARIANTS)


def test_what_is_left_is_warmed_up_again_where_it_is_cold() -> None:
    cells = plan({"startup": ["a", "b"]}, seed=1, blocks=2)
    assert remaining(cells, set()) == cells
    assert remaining(cells, set(range(6))) == []
    assert remaining(cells, {0}) == [replace(cells[0], trial=6), *cells[1:]]
    last = remaining(cells, {0, 1, 2, 3, 4, 6})  # it has been resumed before
    assert last == [replace(warm, trial=7) for warm in cells[:2] if warm.variant == cells[5].variant] + cells[5:]
