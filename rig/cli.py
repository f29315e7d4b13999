"""The commands `isoscope rig up`, `shell`, `run` and `down`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from isoscope.core.cli.context import current_lab
from isoscope.core.cli.execute import execute
from isoscope.core.cli.life import remove
from isoscope.core.cli.run import run as run_instance
from isoscope.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from isoscope.core.registry import Record

#: The instance's name: a state directory has one rig.
NAME = "rig"

VARIANT = "rig"
IMAGE = "base"

#: Where what is written stays when the rig has gone: `isoscope compare` puts its runs there.
KEPT = "runs"

_WORDS = {"allow_interspersed_args": False}


@click.group()
def rig() -> None:
    """An emulated host: a virtual machine with an SR-IOV network card, an IOMMU, usable KVM and cgroup v2.

    Its files are this host's, this Isoscope and the current directory among them; /tmp and /run are its own. Whatever
    is written in there is gone with it, but for what is below `runs` in the current directory. The accelerator is TCG:
    its figures show the path, not the speed.

    The first time, its kernel is fetched, and a QEMU if this one has no such card, and what machines in it boot is
    built: some 150 MB, and a minute.
    """


def _sized(command: Any) -> Any:
    command = click.option("--memory", metavar="SIZE", help="RAM (default: 2G).")(command)
    return click.option("--cpus", type=click.IntRange(1), metavar="N", help="Processors (default: 1).")(command)


@rig.command()
@_sized
@click.pass_context
def up(context: click.Context, cpus: int | None, memory: str | None) -> None:
    """Boot it, and leave it running. One that is up already stays as it is."""
    if _running(cpus, memory) is not None:
        click.echo("the rig is up already", err=True)
        return
    from isoscope.rig.backend import supply

    lab = current_lab()
    supply(lab.home, lab.images.rootfs(IMAGE))  # here, where it can be seen how that goes on
    command = ("sh", "-c", "echo ready; exec sleep infinity")
    _make_kept()
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
    if not os.isatty(0):
        raise InputError("standard input is not a terminal", hint="isoscope rig run -- COMMAND needs none")
    return _run(context, cpus, memory, (os.environ.get("SHELL", "/bin/sh"),), terminal=True)


@rig.command()
@click.pass_context
def down(context: click.Context) -> None:
    """Switch it off. What was written in it is gone, but for what is below `runs`."""
    if _running() is None:
        click.echo("the rig is not up", err=True)
        return
    context.invoke(remove, force=True, names=(NAME,))


def _run(
    context: click.Context, cpus: int | None, memory: str | None, command: tuple[str, ...], *, terminal: bool
) -> int:
    """A command on the rig that is up, or else on one of its own; its status."""
    if (record := _running(cpus, memory)) is not None:
        _warn_of_other_directory(record)
        status: int = context.invoke(execute, terminal=terminal, name=NAME, command=(*_there(), *command))
        return status
    made = _make_kept()
    try:
        status = context.invoke(run_instance, **_options(cpus, memory, terminal=terminal, command=command))
    finally:
        if made:
            with suppress(OSError):  # something was kept in it
                _kept().rmdir()
    return status


def _running(cpus: int | None = None, memory: str | None = None) -> Record | None:
    """The rig that is up. What is left of one whose keeper has died is removed.

    Raises InputError when it is asked to be of another size, or the name is another instance's.
    """
    lab = current_lab()
    try:
        record = lab.registry.find(NAME)
    except NotFound:
        return None
    if record.variant.partition(":")[0] != VARIANT:
        raise InputError(
            f"an instance of {record.variant!r} is called {NAME!r}", hint=f"remove it first: isoscope rm -f {NAME}"
        )
    if record.exit is not None or not record.owner.alive():
        lab.backend(VARIANT).reclaim(record)
        record.forget()
        return None
    if cpus or memory:
        raise InputError("the rig is up already, and as large as it is", hint="isoscope rig down ends it")
    return record


def _warn_of_other_directory(record: Record) -> None:
    kept = [mount["source"] for mount in record.workload["mounts"]]
    if str(_kept()) not in kept:
        click.echo(f"the rig that is up keeps what is below {kept[0]} alone: nothing that is written here", err=True)


def _there() -> tuple[str, ...]:
    """What starts a command in the current directory rather than in that in which the rig was brought up."""
    return ("env", f"--chdir={os.getcwd()}")


def _kept() -> Path:
    return Path.cwd() / KEPT


def _make_kept() -> bool:
    """Make the directory that is kept; whether there was none. Raises InputError."""
    kept = _kept()
    if ":" in str(kept):
        raise InputError(f"{kept} cannot be shared: its path has a colon", hint="go to another directory")
    try:
        kept.mkdir()
    except FileExistsError:
        if not kept.is_dir():
            raise InputError(f"{kept} is no directory", hint="go to another directory, or rename it") from None
        return False
    except OSError as error:
        raise InputError(f"cannot make {kept}: {error.strerror}", hint="go to a directory of yours") from error
    return True


def _options(cpus: int | None, memory: str | None, **others: Any) -> dict[str, Any]:
    """The options of `isoscope run` for this backend."""
    return {
        "detached": False,
        "plan_only": False,
        "as_json": False,
        "variant": VARIANT,
        "image": IMAGE,
        "cpus": cpus,
        "memory": memory,
        "pids": None,
        "network": "none",
        "mounts": (f"{_kept()}:{_kept()}",),
        "environment": (),
        "workdir": os.getcwd(),
        "name": "",
        "terminal": False,
        "remove": True,
        **others,
    }
