"""The console script `isoscope`: global options, commands loaded when they are used, and errors in two lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

import click
from isoscope.core import settings
from isoscope.core.cli.context import Session
from isoscope.core.cli.failure import report
from isoscope.core.errors import NotFound

_Offer = tuple[str, Callable[[], click.Command]]


class PluginGroup(click.Group):
    """A group whose commands come from plugins, and are imported only when they are run or their help is asked for."""

    @cached_property
    def offers(self) -> dict[str, _Offer]:
        """Command to its line of help and its loader, in the order of registration."""
        from isoscope.core.plugins import offers, plugin_manager

        return offers(plugin_manager().hook.isoscope_register_commands, "command")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands that plugins offer."""
        return sorted(self.offers)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        offer = self.offers.get(cmd_name)
        return None if offer is None else offer[1]()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command is told like everything else that is unknown."""
        if args and args[0] not in self.offers and not args[0].startswith("-"):
            near = _nearest(args[0], self.offers)
            raise NotFound(
                f"there is no command {args[0]!r}",
                hint=f"did you mean {near!r}?" if near else "isoscope --help lists the commands",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the help that came with their registration, so that none has to be imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.offers[name][0]) for name in self.list_commands(ctx)])


def _nearest(name: str, known: dict[str, Any]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1)), None)


@click.group(cls=PluginGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.option(
    "--connect",
    metavar="URI",
    envvar=settings.LIBVIRT_URI.name,
    help="Use the libvirt daemon at URI instead of the embedded driver (ISOSCOPE_LIBVIRT_URI).",
)
@click.version_option(version=None, package_name="isoscope", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, debug: bool, connect: str | None) -> None:
    """Run one workload as a process, a container and a virtual machine, and measure what each costs."""
    session = context.ensure_object(Session)
    session.debug = debug
    session.connect = connect or None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status. Never raises."""
    arguments = sys.argv[1:] if arguments is None else arguments
    session = Session(debug="--debug" in arguments[:1])
    try:
        result = _run(arguments, session)
        sys.stdout.flush()
    except BaseException as error:  # the one place where every failure becomes a line and a status
        return report(error, session, arguments)
    return result if isinstance(result, int) else 0


def _run(arguments: list[str], session: Session) -> Any:
    """What `click.Command.main` does, but for errors, which it would tell in its own way."""
    if "_ISOSCOPE_COMPLETE" in os.environ:  # the shell asks for completions
        return cli.main(arguments, prog_name="isoscope")
    try:
        with cli.make_context("isoscope", arguments or ["--help"], obj=session) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
