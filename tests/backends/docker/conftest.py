from __future__ import annotations

from collections.abc import Iterator

import pytest
from isoscope.testing.engine import EngineProcess, can_run, running_engine
from isoscope.testing.fixtures import state_directory


@pytest.fixture(scope="package")
def docker_engine() -> Iterator[EngineProcess]:
    """An engine of the tests' own."""
    if not can_run():
        pytest.skip("needs root and docker.io")
    pytest.importorskip("docker")
    with state_directory() as directory, running_engine(directory) as engine:
        yield engine


@pytest.fixture
def engine(docker_engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> EngineProcess:
    """The engine, as the one that DOCKER_HOST names."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.address)
    return docker_engine
