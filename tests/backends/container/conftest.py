from __future__ import annotations

import pytest


@pytest.fixture
def box(workshop):
    return workshop("container")
