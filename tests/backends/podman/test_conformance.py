from __future__ import annotations

import pytest
from isoscope.core import Lab
from isoscope.core.errors import BackendUnavailable
from isoscope.testing.conformance import BackendConformance

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def _runs_here(lab: Lab) -> None:
    try:
        lab.backend("podman").check({"runtime": "runc"})
    except BackendUnavailable as error:
        pytest.skip(f"{error.message}; {error.hint}")


class TestPodman(BackendConformance):
    backend = "podman"
    patience = 60
    memory = 32 << 20
    unicode_only = True
