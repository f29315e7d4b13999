"""The volume of a container or a process."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from isoscope.core import Lab, Mount, Workload
from isoscope.core.errors import InputError

pytestmark = pytest.mark.root

SLEEP = ("sh", "-c", "echo volume > /data/file; echo root > /file; grep ' /data ' /proc/self/mounts; exec sleep 1000")


@pytest.fixture(params=["process", "container"])
def backend(request):
    return request.param


def test_it_is_on_the_state_directorys_own_file_system(lab, backend):
    with lab.start(Workload(command=SLEEP), f"{backend}:storage=volume") as instance:
        instance.wait_ready(60)
        inside, outside = instance.backing("/data/file"), instance.backing("/file")
        assert inside.read_text() == "volume\n"
        assert outside.read_text() == "root\n"
        assert inside.stat().st_dev == lab.home.stat().st_dev
        assert lab.home in inside.parents
        assert instance.proof()["storage"] == "overlay, volume on /data"
        assert b"overlay" not in instance.record.log.read_bytes().partition(b" /data ")[2]
    assert not inside.parent.exists()


def test_without_one_there_is_none(lab, backend):
    with lab.start(
        Workload(command=("sh", "-c", "mkdir /data && echo x > /data/file; exec sleep 1000")), backend
    ) as instance:
        instance.exec(("true",)).wait(60)
        assert instance.proof()["storage"] == "overlay"
        assert instance.backing("/data/file").parent.name == "data"
        assert not (instance.record.directory / "volume").exists()


def test_everybody_in_the_image_may_write_to_it(lab, backend):
    with lab.create(Workload(command=("true",)), f"{backend}:storage=volume") as instance:
        assert (instance.record.directory / "volume").stat().st_mode & 0o7777 == 0o1777


def test_it_goes_with_its_dead_owner(lab, backend):
    instance = lab.create(Workload(command=SLEEP), f"{backend}:storage=volume")
    (instance.record.directory / "volume/deep").mkdir()
    (instance.record.directory / "volume/deep/file").write_text("x")
    lab.backend(backend).reclaim(instance.record)
    assert not (instance.record.directory / "volume").exists()
    instance.delete()


def test_what_it_would_cover_is_refused_before_anything_is_made(lab: Lab, backend, tmp_path: Path):
    workload = Workload(command=("true",), mounts=(Mount(tmp_path, PurePosixPath("/data")),))
    with pytest.raises(InputError, match="where the volume is shown"):
        lab.create(workload, f"{backend}:storage=volume")
    assert not list(lab.registry)
    lab.create(workload, backend).delete()
    assert os.listdir(tmp_path) == []
