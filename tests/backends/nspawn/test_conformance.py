from __future__ import annotations

import shutil

import pytest
from isoscope.core import Lab
from isoscope.core.errors import Unsupported
from isoscope.testing.conformance import ODD_VALUE, BackendConformance

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="make peers installs it"),
]


class TestNspawn(BackendConformance):
    backend = "nspawn"
    patience = 30

    @property
    def odd_value(self) -> str:
        """systemd-nspawn takes no variable that is not UTF-8; see the last test."""
        return ODD_VALUE.replace("\udcfe", "þ")

    def test_other_variables_are_refused(self, lab: Lab) -> None:
        with pytest.raises(Unsupported, match="'ODD' is not UTF-8"):
            lab.create(self.workload(["true"], environment={"ODD": ODD_VALUE}), self.backend)
        with pytest.raises(Unsupported, match=r"no variable of the name 'a\.b'"):
            lab.create(self.workload(["true"], environment={"a.b": "c"}), self.backend)
