"""The backend `vm` where KVM is usable. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

from isoscope.core import Instance, Lab
from isoscope.testing.conformance import BackendConformance


class TestVm(BackendConformance):
    backend = "vm"

    def check_proof(self, lab: Lab, instance: Instance, release: str) -> None:
        super().check_proof(lab, instance, release)
        proof = instance.proof()
        assert (proof["accelerator"], proof["cpu"]) == ("kvm", "host")
