"""`isoscope top`: the processes inside an instance, seen from inside, the same way on every backend."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import asdict, dataclass

import click
from isoscope.core.cli.context import json_option
from isoscope.core.cli.instances import find
from isoscope.core.cli.output import print_json, print_table
from isoscope.core.errors import InstanceFailed
from isoscope.core.units import format_size

#: Prints its own pid, then for each other process its line of proc_pid_stat(5) and its command line, ended by the token
#: given as first argument: a command line may hold anything else. It needs no more inside than sh(1) and cat(1).
_SCRIPT = """
echo $$
for directory in /proc/[0-9]*; do
    [ "$directory" = "/proc/$$" ] && continue
    cat "$directory/stat" "$directory/cmdline" 2>/dev/null
    printf %s "$1"
done
"""


@dataclass(frozen=True)
class _Process:
    """A process as the instance's own kernel or PID namespace numbers it."""

    pid: int
    ppid: int
    state: str
    threads: int
    rss: int  #: bytes
    command: str

    @classmethod
    def parse(cls, stat: str, command_line: str) -> _Process:
        """Read the fields of proc_pid_stat(5); kernel threads have no command line but a name in parentheses."""
        before, _, after = stat.rpartition(")")
        pid, _, name = before.partition(" (")
        fields = after.split()
        command = " ".join(command_line.rstrip("\0").split("\0")) or f"[{name}]"
        pages = int(fields[21])
        return cls(int(pid), int(fields[1]), fields[0], int(fields[17]), pages * os.sysconf("SC_PAGESIZE"), command)


@click.command()
@json_option
@click.argument("name")
def top(as_json: bool, name: str) -> None:
    """Show the processes inside the running instance NAME. Its image needs sh and cat."""
    processes = sorted(_processes(name), key=lambda process: process.pid)
    if as_json:
        print_json([asdict(process) for process in processes])
        return
    rows = ((p.pid, p.ppid, p.state, p.threads, format_size(p.rss), p.command) for p in processes)
    print_table(("PID", "PPID", "STATE", "THREADS", "RSS", "COMMAND"), rows)


def _processes(name: str) -> list[_Process]:
    """Every process inside but those that do the looking."""
    token = secrets.token_hex(16)
    own, _, text = _look(name, token).partition("\n")
    found = [_Process.parse(*entry.split("\n", 1)) for entry in text.split(token) if "\n" in entry]
    return [process for process in found if process.ppid != int(own)]


def _look(name: str, token: str) -> str:
    from isoscope.core.output import Stdio

    with tempfile.TemporaryFile() as output:
        execution = find(name).exec(("sh", "-c", _SCRIPT, "sh", token), Stdio(stdout=output.fileno()))
        end = execution.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    if end.exit_status != 0 or not text:
        raise InstanceFailed(
            f"the processes in {name!r} cannot be read: status {end.exit_status}",
            hint=f"try: isoscope exec {name} -- cat /proc/1/stat",
        )
    return text
