"""The commands `isoscope rig up`, `shell`, `run` and `down`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from isoscope.core.cli.context import current_lab
from isoscope.core.cli.execute import execute
from isoscope.core.cli.life import remove
from isoscope.core.cli.run import run as run_instance
from isoscope.core.errors import NotFound

#: The instance's name: a state directory has one rig.
NAME = "rig"

#: Where what is written stays when the rig has gone: `isoscope compare` puts its runs there.
KEPT = "runs"

_WORDS = {"allow_interspersed_args": False}


@click.group()
def rig() -> None:
    """An emulated host: a virtual machine with an SR-IOV network card, an IOMMU, usable KVM and cgroup v2.

    Its files are this host's, this Isoscope among them, and whatever is done to them in there is gone with it, but for
    what is below `runs` in the current directory. The accelerator is TCG: its figures show the path, not the speed.
    """


def _sized(command: Any) -> Any:
    command = click.option("--memory", metavar="SIZE", help="RAM (default: 2G).")(command)
    return click.option("--cpus", type=click.IntRange(1), metavar="N", help="Processors (default: 2).")(command)


@rig.command()
@_sized
@click.pass_context
def up(context: click.Context, cpus: int | None, memory: str | None) -> None:
    """Boot it, and leave it running. The first time, its kernel is fetched, and a QEMU if this one has no such card."""
    command = ("sh", "-c", "echo ready; exec sleep infinity")
    context.invoke(run_instance, **_options(cpus, memory, name=NAME, detached=True, command=command))


@rig.command(context_settings=_WORDS)
@_sized
@click.argument("command", metavar="[--] COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, cpus: int | None, memory: str | None, command: tuple[str, ...]) -> int:
    """Run COMMAND on it, and end with its status. When it is not up, it is for as long as the command runs."""
    return _run(context, cpus, memory, command, terminal=False)


@rig.command()
@_sized
@click.pass_context
def shell(context: click.Context, cpus: int | None, memory: str | None) -> int:
    """Open a shell on it. When it is not up, it is for as long as the shell runs."""
    return _run(context, cpus, memory, (os.environ.get("SHELL", "/bin/sh"),), terminal=True)


@rig.command()
@click.pass_context
def down(context: click.Context) -> None:
    """Switch it off. What was written in it is gone, but for what is below `runs`."""
    context.invoke(remove, force=True, names=(NAME,))


def _run(
    context: click.Context, cpus: int | None, memory: str | None, command: tuple[str, ...], *, terminal: bool
) -> int:
    """A command on the rig that is up, or else on one of its own; its status."""
    if _is_up():
        status: int = context.invoke(execute, terminal=terminal, name=NAME, command=(*_there(), *command))
    else:
        status = context.invoke(run_instance, **_options(cpus, memory, terminal=terminal, command=command))
    return status


def _is_up() -> bool:
    try:
        return current_lab().registry.find(NAME).exit is None
    except NotFound:
        return False


def _there() -> tuple[str, ...]:
    """What starts a command in the current directory rather than in that in which the rig was brought up."""
    return ("env", f"--chdir={os.getcwd()}")


def _options(cpus: int | None, memory: str | None, **others: Any) -> dict[str, Any]:
    """The options of `isoscope run` for this backend."""
    kept = Path.cwd() / KEPT
    kept.mkdir(exist_ok=True)
    return {
        "detached": False,
        "plan_only": False,
        "as_json": False,
        "variant": "rig",
        "image": "base",
        "cpus": cpus,
        "memory": memory,
        "pids": None,
        "network": "none",
        "mounts": (f"{kept}:{kept}",),
        "environment": (),
        "workdir": os.getcwd(),
        "name": "",
        "terminal": False,
        "remove": True,
        **others,
    }
