"""runc and gVisor's runsc pass the suite."""

from __future__ import annotations

import shutil

import pytest
from isoscope.testing.conformance import BackendConformance

pytestmark = pytest.mark.root


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program}: make peers installs it")


@needs("runc")
class TestRunc(BackendConformance):
    backend = "oci:runtime=runc"
    unicode_only = True


@needs("runsc")
class TestGvisor(BackendConformance):
    backend = "oci:runtime=runsc"
    unicode_only = True
