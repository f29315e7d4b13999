"""Benches: the fixture `duel`, the baseline, and the table at the end."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from isobench import machine
from isobench.baseline import BUSY, Baseline, Known
from isobench.duel import Duel, Ledger

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"

#: Runs from which a baseline is made, unless told.
RUNS = 5

_ledger = pytest.StashKey[Ledger]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-baseline",
        type=int,
        nargs="?",
        const=RUNS,
        default=0,
        metavar="RUNS",
        help=f"measure everything RUNS times ({RUNS}) and store what is found, and how much it strays, as the baseline",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ledger] = Ledger(Baseline.load(BASELINE))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if runs := metafunc.config.getoption("--update-baseline"):
        metafunc.fixturenames.append("bench_run")
        metafunc.parametrize("bench_run", range(1, runs + 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All benches once, then all of them again: what changes slowly on a host is noise, too."""
    items.sort(key=lambda item: item.callspec.params.get("bench_run", 0) if hasattr(item, "callspec") else 0)


@pytest.fixture
def duel(benchmark, request: pytest.FixtureRequest) -> Iterator[Duel]:
    """Measures ours and a yardstick turn by turn; the bench fails when it has become slower, or cannot be judged."""
    judging = benchmark.enabled and not request.config.getoption("--update-baseline")
    found = Duel(benchmark, request.config.stash[_ledger], judging=judging)
    yield found
    if found.failures:
        pytest.fail("\n".join(found.failures), pytrace=False)


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles one of the C programs beside this file."""

    def compile_program(name: str) -> Path:
        program = tmp_path_factory.mktemp(name) / name
        command = ["cc", "-O2", "-Wall", "-Werror", "-static", "-o", program, HERE / f"{name}.c"]
        subprocess.run(command, check=True)
        return program

    return compile_program


def pytest_sessionfinish(session: pytest.Session) -> None:
    runs, ledger = session.config.getoption("--update-baseline"), session.config.stash[_ledger]
    found = {name: figures for name, figures in ledger.figures.items() if len(figures) == runs}
    if found:
        about = {"date": machine.today(), "commit": machine.commit(HERE)}
        known = {name: Known.of(figures, **about) for name, figures in found.items()}
        ledger.baseline = ledger.baseline.updated(machine.facts(), known)
        ledger.baseline.save(BASELINE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = config.stash[_ledger]
    write = terminalreporter.write_line
    if ledger.said:
        terminalreporter.section("how fast, against the baseline")
        if ledger.baseline.machine not in ({}, machine.facts()):
            write(f"the baseline is another machine's: {ledger.baseline.machine}; this one: {machine.facts()}")
        for said in ledger.said:
            write(f"{said.kind:<10}  {said.sentence}")
    if config.getoption("--update-baseline"):
        terminalreporter.section("the baseline")
        for name, known in sorted(ledger.baseline.figures.items()):
            unrest = f"; others used {known.busy:.0%} of the CPUs: take it again at rest" if known.busy > BUSY else ""
            write(f"{name}: {known.value:.3g} {known.unit}, noise {known.noise:.0%}, runs {known.runs}{unrest}")
