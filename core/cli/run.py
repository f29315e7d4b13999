"""`isoscope run` and `isoscope create`: an instance from the options that they share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import click
from isoscope.core.cli.context import current_lab, current_session, json_option
from isoscope.core.cli.output import print_json, printable
from isoscope.core.errors import InputError
from isoscope.core.units import parse_size
from isoscope.core.workload import Mount, Network, Resources, Workload

if TYPE_CHECKING:
    from isoscope.core.instance import Exit

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "-b",
        "--backend",
        "variant",
        metavar="VARIANT",
        default="container",
        show_default=True,
        help="How to isolate: a backend, perhaps with options, as in vm:memory=256M.",
    ),
    click.option("-i", "--image", metavar="IMAGE", default="base", show_default=True, help="What to run it on."),
    click.option("--cpus", type=float, metavar="N", help="CPUs' worth of time; a VM's virtual CPUs."),
    click.option("--memory", metavar="SIZE", help="Memory, as in 256M; a VM's RAM."),
    click.option("--pids", type=int, metavar="N", help="The most tasks at a time."),
    click.option(
        "--network",
        type=click.Choice([str(network) for network in Network]),
        default="none",
        show_default=True,
        help="How it is connected.",
    ),
    click.option(
        "-v", "--volume", "mounts", metavar="SRC:DST[:ro]", multiple=True, help="Show a path of the host inside."
    ),
    click.option("-e", "--env", "environment", metavar="NAME=VALUE", multiple=True, help="Set a variable."),
    click.option("-w", "--workdir", metavar="DIR", default="", help="Where the command starts."),
    click.option("--name", metavar="NAME", default="", help="A name for the instance; else it goes by its id."),
    click.option("-t", "--tty", "terminal", is_flag=True, help="Give the workload a terminal."),
    click.option("--rm", "remove", is_flag=True, help="Remove the record and log too when it has ended."),
    click.argument("command", metavar="[--] [COMMAND...]", nargs=-1, type=click.UNPROCESSED),
)


def _shared(command: _Command) -> _Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _workload(options: dict[str, Any]) -> Workload:
    """The workload that the options describe. Raises InputError."""
    memory = options["memory"]
    return Workload(
        image=options["image"],
        command=options["command"],
        environment=dict(_assignment(text) for text in options["environment"]),
        resources=Resources(
            cpus=options["cpus"], memory=None if memory is None else parse_size(memory), pids=options["pids"]
        ),
        mounts=tuple(Mount.parse(text) for text in options["mounts"]),
        network=Network(options["network"]),
        working_directory=options["workdir"],
        terminal=options["terminal"],
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"{text!r} sets no variable", hint="write -e NAME=VALUE")
    return name, value


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", "detached", is_flag=True, help="Leave it running, and print its name.")
@click.option(
    "--plan", "--dry-run", "plan_only", is_flag=True, help="Print the steps that would be taken, and take none."
)
@json_option
@_shared
def run(
    *, detached: bool, plan_only: bool, as_json: bool, variant: str, name: str, remove: bool, **options: Any
) -> int:
    """Run COMMAND in a new instance, and end with its status.

    Without a COMMAND, the image's own is run. Signals go to the workload, the second of a kind as SIGKILL.
    """
    current_session().runs_workload = True
    if as_json and not plan_only:
        raise InputError("--json needs --plan", hint="the output of run is the workload's own")
    workload = _workload(options)
    if plan_only:
        _print_plan(workload, variant, as_json=as_json)
    elif detached:
        click.echo(_detach(workload, variant, name=name, start=True, remove=remove))
    else:
        return _in_foreground(workload, variant, name=name, remove=remove).exit_status
    return 0


@click.command(context_settings={"allow_interspersed_args": False})
@_shared
def create(variant: str, name: str, remove: bool, **options: Any) -> None:
    """Make an instance that is ready to start, and print its name."""
    click.echo(_detach(_workload(options), variant, name=name, start=False, remove=remove))


def _detach(workload: Workload, variant: str, *, name: str, start: bool, remove: bool) -> str:
    from isoscope.core.detach import detach

    return detach(
        current_lab().home,
        workload,
        variant,
        name=name,
        start=start,
        remove=remove,
        libvirt_uri=current_session().connect,
    )


def _print_plan(workload: Workload, variant: str, *, as_json: bool) -> None:
    steps = current_lab().plan(workload, variant)
    if as_json:
        print_json([{"phase": step.phase, "text": step.text} for step in steps])
        return
    for line in str(steps).splitlines():
        click.echo(printable(line))


def _in_foreground(workload: Workload, variant: str, *, name: str, remove: bool) -> Exit:
    """Keep the instance in this process, with the caller's standard streams, until the workload ends."""
    from isoscope.core.cli.signals import Signals
    from isoscope.core.cli.terminal import raw, require_terminal, sizes
    from isoscope.core.errors import InstanceFailed
    from isoscope.core.keeper import Keeper
    from isoscope.core.output import Stdio

    terminal = require_terminal() if workload.terminal else None
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        instance = current_lab().create(workload, variant, name=name, stdio=Stdio(0, 1, 2))
        keeper = Keeper(instance, remove=True)  # what never ran is not kept
        stack.callback(keeper.release)
        keeper.serve()
        if terminal is not None:
            stack.enter_context(raw(terminal))
        signals.hold(runs=lambda: instance.timeline.moments.keys() & {"exec", "ready"} != set())
        keeper.start()
        keeper.remove = remove
        signals.forward(keeper.signal)
        if terminal is not None:
            stack.enter_context(sizes(terminal, keeper.resize))
        end = keeper.run()
    if end is None:
        raise InstanceFailed("the instance was removed while its workload ran", hint="somebody used isoscope rm -f")
    return end
