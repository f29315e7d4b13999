"""Benchmarks as they are asked for, with their options."""

from __future__ import annotations

import pytest
from isoscope.benchmarks.request import BenchmarkOption, Request, choice, count
from isoscope.core.errors import InputError
from isoscope.core.units import parse_size

OPTIONS = (
    BenchmarkOption("size", "bytes of the file", "1G", quick="64M", read=parse_size),
    BenchmarkOption("mode", "how", "serial", read=choice("serial", "parallel")),
)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["density"], ["density"]),
        (["density,disk"], ["density", "disk"]),
        (["density", "disk:size=1G,runtime=5,network"], ["density", "disk:size=1G,runtime=5", "network"]),
        (["disk:size=1G,cpu:threads=2,pin=1"], ["disk:size=1G", "cpu:threads=2,pin=1"]),
    ],
)
def test_one_text_may_hold_several(texts: list[str], found: list[str]) -> None:
    assert list(map(str, Request.parse_list(texts))) == found


@pytest.mark.parametrize(
    "text", ["", "density,", "size=1G", "disk:", "disk:size", "disk:size=", "Disk", "disk:a=1,a=2"]
)
def test_what_is_no_benchmark_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Request.parse_list([text])


def test_options_take_what_was_asked_then_quick_then_the_default() -> None:
    assert Request("disk").resolve(OPTIONS, quick=False) == {"size": "1G", "mode": "serial"}
    assert Request("disk").resolve(OPTIONS, quick=True) == {"size": "64M", "mode": "serial"}
    assert Request("disk", {"size": "2G"}).resolve(OPTIONS, quick=True) == {"size": "2G", "mode": "serial"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sizes": "1G"}, "no option 'sizes'"),
        ({"size": "big"}, "not a size"),
        ({"mode": "both"}, "'both' is not known"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Request("disk", options).resolve(OPTIONS, quick=False)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "²", "many"])
def test_a_count_is_a_whole_number(text: str) -> None:
    with pytest.raises(InputError):
        count(text)


def test_a_count_is_read() -> None:
    assert count("12") == 12
