"""The backend `vm` where KVM is usable. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

from isoscope.core import Instance, Lab
from isoscope.testing.conformance import BackendConformance


class TestVm(BackendConformance):
    backend = "vm"

    # The channel's own: it is the same under TCG, where these run outside, and machines in a machine take their time.
    test_arguments_and_variables_arrive_unharmed = None
    test_a_mebibyte_goes_in_and_comes_out_intact = None
    test_a_command_that_cannot_run = None

    def check_proof(self, lab: Lab, instance: Instance, release: str) -> None:
        super().check_proof(lab, instance, release)
        proof = instance.proof()
        assert (proof["accelerator"], proof["cpu"]) == ("kvm", "host")
