"""The page of a reproduction, and its data: nothing of a stranger's is markup, nothing is fetched from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from isoscope.benchmarks.reproduce import page, reproduce
from isoscope.benchmarks.reproduce.figures import figures
from isoscope.benchmarks.reproduce.result import FILE, Reproduction
from isoscope.benchmarks.reproduce.table import cells, reasons
from isoscope.benchmarks.results.run import Run
from isoscope.core import Lab
from isoscope.core.errors import InputError, NotFound

from ..report.conftest import HOSTILE
from .conftest import Judged, plan_of
from .fake_reproduction import as_published, make

FIO = "felter2014/fio"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = make(tmp_path_factory.mktemp("runs") / "run", FIO, plan_of(FIO), as_published(FIO), accelerator="tcg")
    page.write(Run.load(directory))
    return directory


def hostile(found: Reproduction) -> Reproduction:
    """The same with markup in every text that comes from elsewhere."""
    rows = tuple(
        replace(row, workload=HOSTILE, short=HOSTILE, system=HOSTILE, reason=row.reason and HOSTILE, variant=HOSTILE)
        for row in found.rows
    )
    systems = tuple(replace(one, name=HOSTILE, note=HOSTILE, unavailable=HOSTILE) for one in found.systems)
    settings = tuple(replace(one, name=HOSTILE, study=HOSTILE, here=HOSTILE, rule=HOSTILE) for one in found.settings)
    return replace(
        found,
        citation=HOSTILE,
        link=f'https://x/"{HOSTILE}',
        study_host=HOSTILE,
        sentence=HOSTILE,
        clock=HOSTILE,
        rows=rows,
        systems=systems,
        settings=settings,
        cautions=(HOSTILE,),
        host=HOSTILE,
        command=HOSTILE,
    )


def test_the_page_stands_alone_and_says_all(written: Path) -> None:
    text = (written / page.PAGE).read_text()
    assert not re.search(r"<(script|link|img|iframe)\b[^>]*(src|href)=\"(?!data:)", text)
    for words in (
        "same shape",
        "TCG",
        "native",
        "How to repeat it",
        "isoscope reproduce felter2014/fio -n 10 --seed 7",
    ):
        assert words in text
    assert text.count('role="img"') == len(list((written / "plots").glob("reproduction-*.svg"))) >= 3
    assert "prefers-color-scheme: dark" in text


def test_the_data_are_the_whole_reproduction(written: Path) -> None:
    data = json.loads((written / FILE).read_text())
    found = Reproduction.from_dict(data)
    assert found.as_dict() == data
    assert found.sentence in (written / page.PAGE).read_text()
    assert page.write_again(written) == written / page.PAGE
    assert json.loads((written / FILE).read_text()) == data, "the same trials give the same verdict"


def test_names_of_strangers_are_text(written: Path) -> None:
    found = hostile(Reproduction.from_dict(json.loads((written / FILE).read_text())))
    drawn = figures(found)
    text = page.render(found, drawn)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    for figure in drawn:
        ET.fromstring(figure.svg)
        assert figure.alternative
    assert all(isinstance(cell, str | None) for row in found.rows for cell in cells(row))


def test_a_plot_says_in_words_what_it_shows(written: Path) -> None:
    found = Reproduction.from_dict(json.loads((written / FILE).read_text()))
    ratios, *pairs = figures(found)
    assert "theirs 0.260" in ratios.alternative
    assert "kvm-virtio (tcg)" in ratios.alternative
    assert all("TCG: not KVM's" in figure.caption for figure in pairs)
    for figure in (ratios, *pairs):
        assert "currentColor" in figure.svg


def test_curves_have_the_study_s_own_axis(judged: Judged) -> None:
    found = judged("felter2014/redis", noise=0.01)
    [pair] = [figure for figure in figures(found) if figure.name == "reproduction-0"]
    assert "GET, 30 connections" in pair.alternative


def test_each_reason_is_told_once(written: Path) -> None:
    found = Reproduction.from_dict(json.loads((written / FILE).read_text()))
    told = list(reasons(found.rows))
    assert len(told) == len(set(told))
    assert any(line.startswith("kvm-virtio: not comparable: the virtual machine ran under TCG") for line in told)


@pytest.mark.parametrize("change", [{"schema": 2}, {"rows": None}, {"verdict": "perhaps"}, {"more": 1}])
def test_data_of_another_shape_are_refused(written: Path, change: dict[str, object]) -> None:
    data = json.loads((written / FILE).read_text())
    with pytest.raises(InputError):
        Reproduction.from_dict({**data, **change})


def test_a_notebook_shows_its_tables_and_plots(judged: Judged) -> None:
    text = hostile(judged())._repr_html_()
    assert text.count("<table>") == 2
    assert "<svg" in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_an_item_is_named_in_full(home: Path, tmp_path: Path) -> None:
    with Lab(home) as lab:
        with pytest.raises(InputError, match="no item of a study"):
            reproduce(lab, "felter2014", directory=tmp_path / "run")
        with pytest.raises(NotFound, match="no recipe"):
            reproduce(lab, "felter2014/fii", directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()
