from __future__ import annotations

import shutil

import pytest
from isoscope.core import Lab
from isoscope.core.errors import InputError
from isoscope.testing import conformance
from isoscope.testing.conformance import BackendConformance

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="make peers installs it"),
]


class TestNspawn(BackendConformance):
    backend = "nspawn"
    patience = 30

    @pytest.fixture(autouse=True)
    def _variables_are_utf_8(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """systemd-nspawn takes no others; see the last test."""
        monkeypatch.setattr(conformance, "ODD_VALUE", conformance.ODD_VALUE.replace("\udcfe", "þ"))

    def test_other_variables_are_refused(self, lab: Lab) -> None:
        with pytest.raises(InputError, match="'ODD' is not UTF-8"):
            lab.create(self.workload(["true"], environment={"ODD": "\udcfe"}), self.backend)
        with pytest.raises(InputError, match=r"no variable of the name 'a\.b'"):
            lab.create(self.workload(["true"], environment={"a.b": "c"}), self.backend)
