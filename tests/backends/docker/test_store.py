from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from isoscope.backends.docker.address import Address
from isoscope.backends.docker.engine import Engine
from isoscope.backends.docker.store import HOME_LABEL, entries, image_name
from isoscope.core import Lab, Workload
from isoscope.testing.engine import EngineProcess

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("engine")]

HOLD = """
import signal, sys
from pathlib import Path
from isoscope.core import Lab, Workload
lab = Lab(Path(sys.argv[1]))
lab.create(Workload(command=("true",)), "docker").delete()
print("held", flush=True)
signal.pause()
"""


def test_gc_removes_what_is_ours_and_nothing_of_the_users(lab: Lab, engine: EngineProcess) -> None:
    """Even a container that somebody made from our image, and an image that is ours under another name."""
    with lab.start(Workload(command=("true",)), "docker") as instance:
        instance.wait(30)
        digest = instance.launch.rootfs.digest
    ours = image_name(lab.home, digest)
    user = Engine(Address(engine.address))
    try:
        user.sdk.tag(ours, "users/image", "1")
        theirs = user.sdk.create_container("users/image:1", ["true"], name="users-own")["Id"]
        inspected = user.sdk.inspect_container(theirs)
        assert inspected["Config"]["Labels"][HOME_LABEL], "a container has the labels of its image: that is the trap"
        lines = lab.gc()
        assert [line for line in lines if line.startswith("removed image")], lines
        assert list(entries(lab.home)) == []
        assert [container["Id"] for container in user.sdk.containers(all=True)] == [theirs]
        assert user.sdk.images(ours) == []
        assert len(user.sdk.images("users/image")) == 1
        user.sdk.remove_container(theirs)
        user.sdk.remove_image("users/image:1")
        assert user.sdk.images() == []
    finally:
        user.close()


def test_a_container_whose_record_is_lost_goes(lab: Lab, engine: EngineProcess) -> None:
    instance = lab.start(Workload(command=("sleep", "1000")), "docker")
    instance.record.forget()
    lines = lab.gc()
    assert [line for line in lines if line.startswith("removed container")], lines
    instance.delete()


def test_an_image_that_another_process_uses_stays(lab: Lab, engine: EngineProcess) -> None:
    """Between two trials, no instance says that a comparison needs it."""
    command = [sys.executable, "-c", HOLD, str(lab.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == "held\n"
            assert [line for line in lab.gc() if "image" in line] == []
            [entry] = entries(lab.home)
            assert json.loads(entry.path.read_text())["layers"]
        finally:
            other.send_signal(signal.SIGKILL)
    assert [line for line in lab.gc() if line.startswith("removed image")]


def test_what_was_about_to_be_written_goes(lab: Lab) -> None:
    directory = lab.home / "engines"
    directory.mkdir()
    (directory / "half.json").write_text("")
    assert lab.backend("docker").sweep([]) == [f"removed unfinished {directory / 'half.json'}"]
    assert not directory.exists()


def test_an_engine_that_has_gone_for_good_is_told(lab: Lab, tmp_path: Path) -> None:
    directory = lab.home / "engines"
    directory.mkdir()
    entry = {"address": f"unix://{tmp_path}/gone.sock", "image": "isoscope/x:y"}
    (directory / "gone.json").write_text(json.dumps(entry))
    [line] = lab.backend("docker").sweep([])
    assert line.startswith("kept image isoscope/x:y")
    assert "no Docker engine answers" in line
    os.unlink(directory / "gone.json")
    assert lab.backend("docker").sweep([]) == []
