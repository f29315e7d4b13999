"""Whole /sys trees: one recorded on the emulated host, others laid out as the kernel documents."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isoscope.backends.sriov.pci import Pci

from tests.backends.sriov.sysfs import Functions, entries, grow

TREES = Path(__file__).parent / "trees"


def planted(name: str) -> Functions:
    """The functions of one of the trees."""
    functions: Functions = tomllib.loads((TREES / f"{name}.toml").read_text())
    return functions


def function(address: str, **facts: Any) -> dict[str, dict[str, Any]]:
    """One function, as the trees have them."""
    return {address: facts}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The root of another host."""
    root = tmp_path / "host"
    root.mkdir()
    return root


@pytest.fixture
def tree(host: Path) -> Callable[..., Pci]:
    """A host of the given functions."""

    def make(*functions: Functions | str) -> Pci:
        known = [planted(one) if isinstance(one, str) else one for one in functions]
        grow(host, entries({address: facts for some in known for address, facts in some.items()}))
        return Pci(host)

    return make


@pytest.fixture
def igb(host: Path) -> Pci:
    """The emulated host with three virtual functions, the first of them bound to igbvf."""
    grow(host, json.loads((TREES / "igb.json").read_text()))
    return Pci(host)
