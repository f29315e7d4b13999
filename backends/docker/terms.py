"""A launch in the words of the engine's API: the body of POST /containers/create, and of POST /containers/ID/exec.

https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isoscope.backends.docker.store import HOME_LABEL
from isoscope.core.errors import InputError, Unsupported
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio

#: On a container, never on an image: a container that somebody else makes from our image has the image's labels.
INSTANCE_LABEL = "isoscope.instance"


def create_body(launch: Launch, image: str, home_mark: str) -> dict[str, Any]:
    """What a container is made of. Raises InputError for a mount on the root."""
    workload, stdin = launch.workload, launch.stdio.stdin is not None
    return {
        "Image": image,
        "Cmd": list(workload.command),
        "Env": [f"{name}={value}" for name, value in launch.environment().items()],
        "WorkingDir": launch.working_directory(),
        "User": launch.rootfs.user,
        "Labels": {HOME_LABEL: home_mark, INSTANCE_LABEL: launch.record.id},
        "Tty": workload.terminal,
        "OpenStdin": stdin,
        "StdinOnce": stdin,
        "AttachStdin": stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": _host_config(launch),
    }


def _host_config(launch: Launch) -> dict[str, Any]:
    workload, limits = launch.workload, launch.workload.resources
    config: dict[str, Any] = {"NetworkMode": workload.network.value}
    if launch.options["runtime"]:
        config["Runtime"] = launch.options["runtime"]
    if limits.cpus is not None:
        config["NanoCpus"] = round(limits.cpus * 1e9)
    if limits.memory is not None:
        config["Memory"] = config["MemorySwap"] = limits.memory  # equal: no swap
    if limits.pids is not None:
        config["PidsLimit"] = limits.pids
    # Not `Binds`, a text with colons, which makes a source that is missing.
    config["Mounts"] = [
        {"Type": "bind", "Source": str(mount.source), "Target": str(mount.target), "ReadOnly": mount.read_only}
        for mount in workload.mounts
    ]
    return config


def exec_body(launch: Launch, command: tuple[str, ...], stdio: Stdio, *, terminal: bool) -> dict[str, Any]:
    """A second command. It gets the container's environment; a terminal takes both its streams."""
    return {
        "Cmd": list(command),
        "WorkingDir": launch.working_directory(),
        "User": launch.rootfs.user,
        "Tty": terminal,
        "AttachStdin": stdio.stdin is not None,
        "AttachStdout": True,
        "AttachStderr": True,
    }


def check_text(*texts: Iterable[str]) -> None:
    """Raise Unsupported for a text that is not Unicode: JSON carries no other, and the engine would change it."""
    for text in (text for some in texts for text in some):
        if not text.isprintable():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise Unsupported(
                    f"{text!r} is not UTF-8, and the engine's API, which is JSON, cannot carry it",
                    hint="another backend can; or pass it in a file",
                ) from error


def check(launch: Launch) -> None:
    """Refuse what the engine could not be told. Raises InputError or Unsupported."""
    workload = launch.workload
    for mount in workload.mounts:
        if len(mount.target.parts) == 1:
            raise InputError("a host directory cannot be shown as the root", hint="choose another target for -v")
    environment = launch.environment()
    check_text(workload.command, environment, environment.values(), [launch.working_directory()])
    check_text(*((str(mount.source), str(mount.target)) for mount in workload.mounts))
