"""Containers without root: another user's process, with our code and a state directory that are its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import isoscope.backends
import isoscope.core
import pytest
from isoscope.testing.host import HostWatch

pytestmark = pytest.mark.root

UID = 65534

PREAMBLE = """
import json, os, sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from isoscope.backends.container.backend import ContainerBackend
from isoscope.core import Mount, Network, Resources, Workload
from isoscope.core.backend import Context
from isoscope.core.errors import IsoscopeError
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio, read_log
from isoscope.core.pump import Pump
from isoscope.core.registry import Registry
from isoscope.core.rootfs import Rootfs
from isoscope.core.variant import Variant

home = Path(os.environ["ISOSCOPE_HOME"])
backend, pump = ContainerBackend(Context(home=home, host=None)), Pump()

def create(*command, user="", **terms):
    workload = Workload(command=command, **terms)
    record = Registry(home).create(name="", variant="container", workload=workload.as_dict(), image="x")
    rootfs = Rootfs(digest="x", layers=(home / "tree",), user=user)
    return backend.create(Launch(record, workload, rootfs, Variant("container"), {}, Stdio(), pump))

def run(*command, **terms):
    with create(*command, **terms) as instance:
        instance.start()
        how = instance.wait(60)
        return how.exit_status, b"".join(data for _, data in read_log(instance.record.log)).decode()

def answer(value):
    backend.close()
    pump.close()
    print(json.dumps(value))
"""


class User:
    """Runs Python as another user."""

    def __init__(self, home: Path, tree: Path) -> None:
        self.home, self._tree = home, tree

    def python(self, script: str) -> object:
        """What the script gives to `answer`."""
        program = _readable_python()
        done = subprocess.run(
            [program, "-W", "error", "-c", PREAMBLE + textwrap.dedent(script)],
            env={"PYTHONPATH": str(self._tree), "ISOSCOPE_HOME": str(self.home), "PATH": os.environ["PATH"]},
            user=UID, group=UID, extra_groups=[], cwd="/", capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _readable_python() -> str:
    """Our own Python, or the system's where ours is in a directory that is closed to others."""
    try:
        subprocess.run([sys.executable, "-c", ""], user=UID, group=UID, extra_groups=[], check=True)
    except PermissionError:
        return "/usr/bin/python3"
    return sys.executable


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """Our packages and what they import, where another user can read them."""
    tree = Path("/tmp") / f"isoscope-packages-{os.getpid()}"
    tree.mkdir(mode=0o755)
    try:
        for package in (isoscope.core, isoscope.backends):
            source = Path(package.__file__).parent
            shutil.copytree(source, tree / "isoscope" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pluggy", "pyseccomp"):
            origin = Path(find_spec(name).origin)
            if origin.name == "__init__.py":
                shutil.copytree(origin.parent, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(origin, tree)
        subprocess.run(["chmod", "-R", "a+rX", str(tree)], check=True)
        yield tree
    finally:
        shutil.rmtree(tree)


@pytest.fixture
def user(home: Path, packages: Path) -> User:
    tree = home / "tree"
    for name in ("bin", "proc", "sys", "dev", "etc"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin")
    for name in (
        "sh",
        "id",
        "cat",
        "ls",
        "sleep",
        "touch",
        "mount",
        "hostname",
        "readlink",
        "echo",
        "kill",
        "true",
        "ip",
    ):
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/:/bin/sh\n")
    for path in (home, *home.rglob("*")):
        os.chown(path, UID, UID, follow_symlinks=False)
    return User(home, packages)


def test_a_container_without_root(user):
    script = """
        status, text = run("sh", "-c",
            "id -u; cat /proc/self/uid_map; touch /x && ls -ln /x; ls /dev; cat /proc/keys; ip link; touch /sys/x")
        answer([status, text, backend.lacks() == []])
    """
    status, text, ready = user.python(script)
    lines = text.splitlines()
    assert ready
    assert lines[0] == "0"
    assert lines[1].split() == ["0", str(UID), "1"]
    assert " 0        0 " in lines[2]
    assert "urandom" in text
    assert "lo: <LOOPBACK,UP" in text
    assert "Read-only" in text
    assert status == 1


def test_life_without_root(user):
    """exec, stop and delete; stats are empty, and a pause is refused, where no cgroup is delegated."""
    script = """
        with create("sh", "-c", "echo up; sleep 1000", network="host") as instance:
            instance.start()
            instance.wait_ready(60)
            inside = instance.exec(("sh", "-c", "exit $(id -u)")).wait(60).exit_status
            stats = instance.stats()
            try:
                instance.pause()
            except IsoscopeError as error:
                refused = error.as_dict()
            how = instance.stop(0.05).as_dict()
        answer([inside, stats.cpu_ns, refused, how, instance.proof()["namespaces"]])
    """
    inside, cpu_ns, refused, how, namespaces = user.python(script)
    assert (inside, cpu_ns, how["signal"]) == (0, None, 9)
    assert refused["error"] == "HostError"
    assert os.readlink("/proc/self/ns/net") in namespaces
    assert os.readlink("/proc/self/ns/user") not in namespaces


def test_limits_without_a_delegated_cgroup_are_refused_before_anything_is_made(user):
    script = """
        try:
            create("true", resources=Resources(memory=1 << 26))
        except IsoscopeError as error:
            answer(error.as_dict())
    """
    error = user.python(script)
    assert error["error"] == "HostError"
    assert "'memory' is not delegated here: available none" in error["message"]
    for record in (user.home / "instances").iterdir():
        shutil.rmtree(record)
    shutil.rmtree(user.home / "names")


def test_the_bridge_is_refused_without_root_and_nothing_of_it_is_looked_for(user):
    done = user.python(
        """
        from isoscope.backends.network import BridgeNetwork

        record = Registry(home).create(name="", variant="vm", workload={}, image="x")
        try:
            BridgeNetwork(home).lease(record)
        except IsoscopeError as error:
            refused = error.message
        record.forget()
        answer([refused, backend.sweep([])])
        """
    )
    assert done == ["the network bridge needs root", []]
    assert not (user.home / "network").exists()


def test_a_user_that_is_not_mapped(user):
    script = """
        try:
            with create("true", user="ada") as instance:
                instance.start()
        except IsoscopeError as error:
            answer(error.as_dict())
    """
    error = user.python(script)
    assert error["error"] == "InstanceFailed"
    assert "no such user" in error["message"]


def test_a_killed_owner_without_root_leaves_a_container_that_reclaim_finds(user):
    script = """
        instance = create("sh", "-c", "echo up; sleep 1000")
        instance.start()
        instance.wait_ready(60)
        sys.stdout.write(json.dumps(instance.record.id))
        sys.stdout.flush()
        os._exit(0)
    """
    with HostWatch(user.home) as watch:
        mark = user.python(script)
        assert any("process" in line for line in watch.difference())
        reclaim = """
            for record in Registry(home):
                backend.reclaim(record)
                backend.reclaim(record)
                record.forget()
            answer(None)
        """
        user.python(reclaim)
        assert [line for line in watch.difference() if mark in line] == []
