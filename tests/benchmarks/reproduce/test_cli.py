"""`isoscope reproduce` in processes of their own, on backends that pretend."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from isoscope.benchmarks.results.run import Run

Command = Callable[..., subprocess.CompletedProcess[str]]

BOOT = "virtme-ng-readme/exec-uname"


def test_a_study_is_repeated_and_its_folder_is_that_of_a_run(command: Command, tmp_path: Path) -> None:
    done = command("reproduce", BOOT, "--seed", 3, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "broken is left out: backend 'broken' cannot run here: there is no such program" in done.stderr
    assert "a rule" in done.stdout
    assert done.stdout.splitlines()[-1] == f"page: {tmp_path}/run/reproduction.html"
    found = json.loads((tmp_path / "run/reproduction.json").read_text())
    assert done.stdout.splitlines()[-2] == found["sentence"]
    assert found["command"] == f"isoscope reproduce {BOOT} -n 9 --seed 3"
    assert [one["ratio"]["blocks"] for one in found["noise"]] == [9]
    assert "&lt;i&gt;hostile&lt;/i&gt;" in (tmp_path / "run/reproduction.html").read_text()
    run = Run.load(tmp_path / "run")
    assert run.complete
    assert run.terms.variants == ("process", "container", "process (again)")
    again = command("report", tmp_path / "run", "--format", "reproduction")
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "run/reproduction.json").read_text()) == found
    assert command("report", tmp_path / "run").returncode == 0


def test_one_that_was_stopped_goes_on(command: Command, tmp_path: Path) -> None:
    done = command("reproduce", BOOT, "--quick", "--json", "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "not comparable"
    trials = tmp_path / "run/trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text("".join(lines[: len(lines) // 2]))
    again = command("reproduce", "--resume", tmp_path / "run")
    assert again.returncode == 0, again.stderr
    assert Run.load(tmp_path / "run").complete
    assert json.loads((tmp_path / "run/reproduction.json").read_text())["complete"]


def test_all_items_that_go_here_are_repeated(command: Command, tmp_path: Path) -> None:
    done = command("reproduce", "virtme-ng-readme", "--quick", "-o", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert "virtme-ng-readme/nowhere does not go here: it needs 100000 CPUs" in done.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["exec-uname"]


def test_the_listing_says_what_goes_here_and_what_not(command: Command) -> None:
    done = command("reproduce", "--list", "--json")
    assert done.returncode == 0, done.stderr
    found = {f"{one['study']}/{one['item']}": one for one in json.loads(done.stdout)}
    boot = found[BOOT]
    assert boot["ready"]
    assert boot["left_out"]["broken"]["remedy"] == "apt install such"
    assert boot["needs"]["backends"] == ["broken", "container", "process"]
    assert {row["basis"] for row in boot["rows"]} == {"text"}
    assert boot["quick_seconds"] <= boot["seconds"]
    nowhere = found["virtme-ng-readme/nowhere"]
    assert not nowhere["ready"]
    assert nowhere["remedy"] == "use a larger host"
    assert not found["zhang2016-sriov-ib/latency"]["recipe"]
    table = command("reproduce", "--list").stdout
    assert "no: it needs 100000 CPUs" in table
    assert "figures alone, no recipe" in table


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "one of them"),
        ((BOOT, "--list"), 2, "one of them"),
        (("felter2015",), 2, "did you mean felter2014?"),
        (("felter2014/foi",), 2, "did you mean felter2014/fio"),
        (("zhang2016-sriov-ib/latency",), 2, "its figures are kept to be looked up alone"),
        (("nothing at all",), 2, "there is no study 'nothing at all'"),
        ((BOOT, "--quick", "-n", "3"), 2, "--quick and -n"),
        ((BOOT, "-n", "0"), 2, "'-n' / '--blocks'"),
        (("--resume", "nonesuch"), 2, "cannot read nonesuch/manifest.json"),
        (("--resume", "nonesuch", "--seed", "1"), 2, "without --seed"),
        (("virtme-ng-readme/nowhere",), 3, "this host cannot repeat virtme-ng-readme/nowhere: it needs 100000 CPUs"),
        (("felter2014/fio",), 3, "this host cannot repeat felter2014/fio: backend 'process' has no option 'storage'"),
    ],
)
def test_what_cannot_be_repeated_is_refused(
    command: Command, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = command("reproduce", *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert done.stdout == ""


def test_a_run_that_repeats_nothing_is_not_gone_on_with(command: Command, tmp_path: Path) -> None:
    assert command("compare", "-n", 1, "-b", "vm", "-o", tmp_path / "run").returncode == 0
    for done in (
        command("reproduce", "--resume", tmp_path / "run"),
        command("report", tmp_path / "run", "--format", "reproduction"),
    ):
        assert done.returncode == 2
        assert "repeats no study" in done.stderr
