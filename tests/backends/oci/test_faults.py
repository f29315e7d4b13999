"""Runtimes that are none, that hang, or that die: small scripts in their place, for what no real one does on demand."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.backends.oci.instance import OciInstance
from isoscope.core import Lab, Workload
from isoscope.core.errors import BackendUnavailable, HostError, InputError, InstanceFailed, Timeout, Unsupported
from isoscope.testing.host import HostWatch

pytestmark = pytest.mark.root


@pytest.fixture
def runtime(tmp_path: Path):
    """Makes a script that answers as a runtime does, up to `run --detach`, which is the test's."""

    def make(run: str, *, version: str = "echo fake version 1") -> str:
        path = tmp_path / "fake-runtime"
        path.write_text(
            "#!/bin/sh\n"
            f'case "$*" in\n--version) {version};;\n*--detach*) {run};;\n*" run "*) '
            "echo 'exec: \"x\": no such file or directory' >&2; exit 1;;\nesac\n"
        )
        path.chmod(0o755)
        return f"oci:runtime={path}"

    return make


def fails(lab: Lab, variant: str) -> InstanceFailed | Timeout:
    """The error of a start; nothing is left of it."""
    with HostWatch(lab.home) as watch:
        instance = lab.create(Workload(command=("true",)), variant)
        with instance, pytest.raises((InstanceFailed, Timeout)) as raised:
            instance.start()
        lab.close()
        assert not watch.difference()
    assert "\n" not in raised.value.message
    return raised.value


def test_what_a_runtime_says_is_the_reason(lab, runtime):
    variant = runtime("""echo 'time="now" level=error msg="no \\"such\\" thing"' >&2; exit 1""")
    assert fails(lab, variant).message == 'fake-runtime failed: no "such" thing'


def test_a_runtime_that_makes_nothing(lab, runtime):
    assert "made no container" in fails(lab, runtime("exit 0")).message


def test_a_runtime_that_is_killed(lab, runtime):
    assert "status 137" in fails(lab, runtime("kill -9 $$")).message


def test_a_runtime_that_hangs_is_ended_at_the_deadline(lab, runtime, monkeypatch):
    monkeypatch.setattr(OciInstance, "deadline", 0.5)
    found = fails(lab, runtime("echo patience >&2; exec sleep 1000"))
    assert isinstance(found, Timeout)
    assert "patience" in found.hint


def test_a_program_that_says_no_version(lab, runtime):
    with pytest.raises(HostError, match="nothing of the kind"):
        lab.create(Workload(command=("true",)), runtime("exit 0", version="echo nothing of the kind >&2; exit 2"))


@pytest.mark.parametrize("program", ["isoscope-no-such-runtime", "/etc/passwd", "/bin/true"])
def test_what_is_no_runtime(lab, program):
    with pytest.raises(BackendUnavailable) as raised:
        lab.create(Workload(command=("true",)), f"oci:runtime={program}")
    assert raised.value.hint


def test_only_gvisor_has_a_platform(lab):
    with pytest.raises(InputError, match="platform"):
        lab.create(Workload(command=("true",)), "oci:runtime=runc,platform=ptrace")


def test_gvisor_is_refused_what_it_cannot_do(lab):
    for terms in ("network=bridge", "pids=9"):
        with pytest.raises(Unsupported, match="oci:runtime=runsc"):
            lab.create(Workload(command=("true",)), f"oci:runtime=runsc,{terms}")
