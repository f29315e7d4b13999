from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.backends.docker.address import Address
from isoscope.backends.docker.engine import Engine
from isoscope.backends.docker.faults import Gone
from isoscope.backends.docker.store import image_name
from isoscope.core import Lab, Resources, Variant, Workload
from isoscope.core.errors import BackendUnavailable, CommandNotExecutable, InputError, InstanceFailed
from isoscope.testing.engine import EngineProcess, can_run, running_engine
from isoscope.testing.fixtures import state_directory

pytestmark = pytest.mark.root

FOREVER = Workload(command=("sh", "-c", "echo up; sleep 1000"))


def test_an_engine_that_does_not_run(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="No such file") as raised:
        lab.create(FOREVER, f"docker:host=unix://{tmp_path}/nothing.sock")
    assert "dockerd -H" in raised.value.hint
    assert list(lab.registry) == []


@pytest.mark.parametrize("address", ["/var/run/docker.sock", "unix://", "ftp://host", "ssh://root@host"])
def test_what_is_no_address(lab: Lab, address: str) -> None:
    with pytest.raises(InputError):
        lab.create(FOREVER, f"docker:host={address}")


def test_a_host_elsewhere_has_none_of_our_directories(lab: Lab) -> None:
    assert not lab.capabilities(Variant.parse("docker:host=tcp://192.0.2.1:2376")).mounts
    assert lab.capabilities(Variant.parse("docker:host=tcp://192.0.2.1:2376,runtime=runsc")).own_kernel


def test_a_socket_that_one_may_not_use(engine: EngineProcess) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(Gone, match="Permission denied") as raised:
            Engine(Address(engine.address))
    finally:
        os.seteuid(0)
    assert "group" in raised.value.hint


def test_a_runtime_that_the_engine_does_not_know(lab: Lab, engine: EngineProcess) -> None:
    with pytest.raises(InputError, match="no runtime 'nothing'") as raised:
        lab.create(FOREVER, "docker:runtime=nothing")
    assert "runc" in raised.value.hint


def test_limits_that_the_engine_refuses(lab: Lab, engine: EngineProcess) -> None:
    workload = replace(FOREVER, resources=Resources(memory=1 << 20))
    with lab.create(workload, "docker") as instance, pytest.raises(InputError, match="inimum memory limit"):
        instance.start()


def test_what_is_no_program(lab: Lab, engine: EngineProcess) -> None:
    workload = Workload(command=("/etc/passwd",))
    with lab.create(workload, "docker") as instance, pytest.raises(CommandNotExecutable, match="permission denied"):
        instance.start()


def test_what_has_gone_from_the_engine(lab: Lab, engine: EngineProcess) -> None:
    """Somebody removes the image before a start: that one fails, and the next one finds it there again."""
    with lab.create(FOREVER, "docker") as instance:
        engine_of = instance._engine
        with engine_of.speaking():
            engine_of.sdk.remove_image(image_name(lab.home, instance.launch.rootfs.digest))
        with pytest.raises(InstanceFailed, match="o such image"):
            instance.start()
    with lab.start(Workload(command=("true",)), "docker") as again:
        assert again.wait(30).code == 0


@pytest.fixture
def own_engine() -> Iterator[EngineProcess]:
    """An engine that a test may kill."""
    if not can_run():
        pytest.skip("needs root and docker.io")
    with state_directory() as directory, running_engine(directory) as engine:
        yield engine


def test_an_engine_that_dies(lab: Lab, own_engine: EngineProcess) -> None:
    """The instance fails, nothing hangs, what is left is kept on record, and goes once the engine is back."""
    variant = f"docker:host={own_engine.address}"
    instance = lab.start(FOREVER, variant)
    instance.wait_ready(30)
    own_engine.kill()
    with pytest.raises(InstanceFailed, match="hung up"):
        instance.wait(30)
    with pytest.raises(Gone):
        instance.delete()
    with pytest.raises(BackendUnavailable):
        lab.create(FOREVER, variant)
    assert [record.id for record in lab.registry] == [instance.record.id]
    assert [line for line in lab.gc() if line.startswith("kept image")] == []  # it is in use, as far as is known

    own_engine.start()
    with lab.start(Workload(command=("echo", "back")), variant) as back:
        assert back.wait(30).code == 0
    instance.delete()
    lines = lab.gc()
    assert [line for line in lines if line.startswith("removed image")]
    assert list(lab.registry) == []
