"""The published figures as they ship: whole, typed, each with a study; and what a malformed file is answered."""

from __future__ import annotations

import pytest
from isoscope.benchmarks.metric import Direction
from isoscope.benchmarks.published import Basis, figures, items, studies, study
from isoscope.benchmarks.published.figures import read
from isoscope.core.errors import InputError, NotFound

HEAD = "study,item,workload,metric,unit,better,system,value,spread,basis,where\n"
ROW = 's,i,"w, with a comma",m,us,lower,native,1.5,0.2 sd,text,Table 1\n'


def test_every_figure_has_a_study_and_every_study_a_figure() -> None:
    assert [name for name, _ in items()] == [name for name in studies() for one, _ in items() if one == name]
    assert {name for name, _ in items()} == set(studies())
    for one in studies().values():
        assert one.authors in one.citation
        assert str(one.year) in one.citation
        assert one.link.startswith("https://")
        assert one.host


def test_figures_are_found_by_study_and_item() -> None:
    native = next(one for one in figures("felter2014", "linpack") if one.system == "native")
    assert (native.value, native.unit, native.better, native.basis) == (290.83, "GFLOPS", "higher", "raw-data")
    assert native.deviation == 1.13
    assert len(figures()) == sum(len(figures(*pair)) for pair in items()) > 200
    assert {one.item for one in figures("li2022-rund")} > {"concurrent-start", "memory-per-sandbox"}


def test_what_was_read_in_another_text_never_decides() -> None:
    assert [basis for basis in Basis if not basis.decides] == [Basis.SECOND_HAND]
    assert not any(one.basis.decides for one in figures("morabito2015"))


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(NotFound, match="there is no study 'felter'") as unknown:
        study("felter")
    assert "felter2014" in unknown.value.hint
    with pytest.raises(NotFound) as unknown:
        study("nothing like it")
    assert all(name in unknown.value.hint for name in studies())
    with pytest.raises(NotFound, match="felter2014/boot"):
        figures("felter2014", "boot")


def test_a_row_is_read_with_commas_in_it() -> None:
    [one] = read(HEAD + ROW)
    assert (one.workload, one.better, one.value, one.deviation) == ("w, with a comma", Direction.LOWER, 1.5, 0.2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study,item\n", "other columns"),
        (HEAD + ROW + ROW, "line 3 of the published figures repeats another"),
        (HEAD + ROW.replace("1.5", "fast"), "line 2 of the published figures is none: could not convert"),
        (HEAD + ROW.replace("1.5", "nan"), "nan is no measure"),
        (HEAD + ROW.replace("1.5", "0"), "0 is no measure"),
        (HEAD + ROW.replace("lower", "upwards"), "'upwards' is not a valid Direction"),
        (HEAD + ROW.replace(",text,", ",hearsay,"), "'hearsay' is not a valid Basis"),
        (HEAD + ROW.replace("0.2 sd", "wide sd"), "could not convert"),
        (HEAD + ROW.replace(",native", ""), "it lacks a column"),
        (HEAD + ROW.replace("\n", ",more\n"), "one too many"),
        (HEAD + ROW.replace(",m,", ",,"), "it lacks a column"),
    ],
)
def test_a_malformed_file_is_refused_with_the_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(text)
