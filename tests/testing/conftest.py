"""Labs with the fake backend, installed as a plugin is, or registered by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.testing.fixtures import fake, fake_lab  # noqa: F401

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture
def fake_plugin_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder `plugin` is a place where packages are installed, here and in child processes; it alone is loaded."""
    monkeypatch.syspath_prepend(PLUGIN)
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN))
    monkeypatch.setenv("ISOSCOPE_PLUGINS", "fake")
