"""What is different with gVisor's runsc."""

from __future__ import annotations

import os

import pytest
from isoscope.backends.oci import gvisor
from isoscope.core import Workload

pytestmark = pytest.mark.root


def test_what_runs_beside_a_sandbox_is_reaped_or_delete_would_wait_for_it_for_seconds(lab):
    with lab.start(Workload(command=("sleep", "60")), "oci:runtime=runsc") as instance:
        helpers = list(gvisor.beside(instance.record.directory / "bundle/state"))
    assert helpers
    assert not [pid for pid in helpers if os.path.exists(f"/proc/{pid}")], "it is a zombie, and ours"


def test_an_account_that_cannot_be_read_names_nobody(tmp_path):
    (tmp_path / "a.state").write_text("{")
    (tmp_path / "b.state").write_text('{"goferPid": null}')
    assert list(gvisor.beside(tmp_path)) == []
