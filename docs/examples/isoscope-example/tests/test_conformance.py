"""The backend does what every backend must."""

import pytest

pytest.register_assert_rewrite("isoscope.testing.conformance")

from isoscope.testing.conformance import BackendConformance  # noqa: E402


class TestExample(BackendConformance):
    """Inherits all its tests."""

    backend = "example"
