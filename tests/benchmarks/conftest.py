"""A lab of backends that pretend, in this process and in others, and comparisons made with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.harness import environment as look
from isoscope.core import Lab
from isoscope.core.host import Host

#: Holds the plugin and its metadata, as an installed distribution would.
PLUGIN = Path(__file__).parent / "plugin"

ENVIRONMENT = {
    "ISOSCOPE_PLUGINS": "core,null,benchmarks,fakelab",
    "PYTHONPATH": os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]),
}


@pytest.fixture(scope="session")
def host_facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What there is to know about this host, probed once: a run writes it down, and it stays the same."""
    return Host(tmp_path_factory.mktemp("host")).as_dict()


@pytest.fixture
def fake_lab(home: Path, host_facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose backends process, container, vm and broken come from the plugin."""
    monkeypatch.setattr(Host, "as_dict", lambda _: host_facts)
    monkeypatch.setattr(look, "LOOK", 0.05)
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("ISOSCOPE_PLUGINS", ENVIRONMENT["ISOSCOPE_PLUGINS"])
    with Lab(home) as lab:
        yield lab
    import isoscope_fake_lab

    assert not isoscope_fake_lab.LIVE, "instances were not deleted"


@pytest.fixture
def compare(fake_lab: Lab, tmp_path: Path) -> Callable[..., Run]:
    """Compare on the fake lab, by default `hello` on three backends in two blocks."""

    def run(workload: Any = None, **request: Any) -> Run:
        terms: dict[str, Any] = {"backends": ("process", "container", "vm"), "blocks": 2, "seed": 7}
        terms |= {"directory": tmp_path / "run", **request}
        return fake_lab.compare(workload, **terms)

    return run


@pytest.fixture
def command(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `isoscope` on the fake lab in a process of its own."""

    def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words(*arguments), env=environment(home), capture_output=True, text=True, **more)

    return run


def words(*arguments: object) -> list[str]:
    code = "import sys; from isoscope.core.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", code, *map(str, arguments)]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "ISOSCOPE_HOME": str(home)}
