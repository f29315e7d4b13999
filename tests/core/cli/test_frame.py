"""What is the same for every command: loading, errors, `--json`, closed pipes."""

import json
import os
import signal
import subprocess
import sys

import click
import pytest
from isoscope.core.cli.output import printable

from .conftest import SCRIPT, done, environment, isoscope, refused, start

HEAVY = {
    "rich",
    "pandas",
    "numpy",
    "matplotlib",
    "scipy",
    "pyarrow",
    "libvirt",
    "pyroute2",
    "lxml",
    "jinja2",
    "zstandard",
}

BROKEN_COMMANDS = """
import errno, os
import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json
from isoscope.core.errors import HostError
from isoscope.core.hookspecs import hookimpl

@click.command()
@json_option
@click.argument("what")
def broken(what, as_json):
    if what == "defect":
        raise ZeroDivisionError("one by none")
    if what == "nospace":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")
    if what == "forbidden":
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), "/some/file")
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "host":
        raise HostError("no \\x1b[31mbridge\\n here", hint="get one")
    if what == "escape":
        raise HostError("no \\udcffbridge", hint="get one")
    if what == "lab":
        print_json({"uri": current_lab()._context.libvirt_uri})

@hookimpl
def isoscope_register_commands(register):
    register("broken", "Fail.", lambda: broken)
"""


@pytest.fixture
def broken(plugin, home, monkeypatch):
    plugin(BROKEN_COMMANDS)
    monkeypatch.setenv("ISOSCOPE_PLUGINS", "core,strange")


def test_help_lists_every_command_with_a_line_and_imports_none_of_them():
    ended = subprocess.run([sys.executable, "-X", "importtime", SCRIPT, "--help"], capture_output=True, text=True)
    assert ended.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "isoscope.core.cli.main" in imported
    assert {name.partition(".")[0] for name in imported} & HEAVY == set()
    assert {name for name in imported if name.startswith("isoscope.core.cli.")} <= {
        f"isoscope.core.cli.{name}" for name in ("main", "plugin", "context", "failure", "output")
    }
    assert imported & {"isoscope.core.lab", "isoscope.core.instance", "isoscope.core.backend"} == set()
    for command in ("run", "exec", "doctor", "backends", "gc", "ps"):
        assert f"\n  {command} " in ended.stdout


def test_every_command_can_be_loaded_and_has_help():
    from isoscope.core.cli.main import cli

    context = click.Context(cli, info_name="isoscope")
    for name, (_, load) in cli.offers.items():
        command = load()
        assert command.name == name
        assert command.help, name
        assert cli.get_command(context, name) is not None


def test_version():
    from importlib.metadata import version

    assert done("--version") == f"isoscope {version('isoscope')}\n"


def test_no_command_shows_the_help():
    assert done() == done("--help")


def test_the_shell_completes():
    asked = environment(_ISOSCOPE_COMPLETE="bash_complete", COMP_WORDS="isoscope resu", COMP_CWORD="1")
    assert isoscope(env=asked).stdout == "plain,resume\n"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["fly"], "there is no command 'fly'", "isoscope --help lists the commands"),
        (["stpo"], "there is no command 'stpo'", "did you mean 'stop'?"),
        (["image"], "isoscope image needs a command", "isoscope image --help lists them"),
        (["--fast"], "no such option '--fast'", "isoscope --help shows the usage"),
        (["ps", "--al"], "no such option '--al'", "did you mean --all"),
        (["ps", "web"], "got unexpected extra argument (web)", "isoscope ps --help shows the usage"),
        (["stop"], "missing argument 'NAME...'", "isoscope stop --help shows the usage"),
        (["stop", "-t", "soon", "web"], "'soon' is not a valid float range", "isoscope stop --help shows the usage"),
        (["--connect"], "option '--connect' requires an argument", "isoscope --help shows the usage"),
        (["exec", "web"], "missing argument '[--] COMMAND...'", "isoscope exec --help shows the usage"),
        (["exec", "web", "--"], "missing argument 'COMMAND...'", "isoscope exec --help shows the usage"),
    ],
)
def test_wrong_usage(home, arguments, message, hint):
    told, hinted = refused(isoscope(*arguments), 2)
    assert message in told
    assert hint in hinted


@pytest.mark.parametrize("variable", ["core,nosuch", "core"])
def test_commands_come_from_the_plugins_chosen(variable):
    told, _ = refused(isoscope("image", "ls", env=environment(ISOSCOPE_PLUGINS=variable)), 2)
    assert told == "there is no command 'image'"


def test_a_plugin_that_cannot_be_imported_is_named(plugin):
    plugin("import nosuchmodule")
    told, hint = refused(isoscope("ps"), 2)
    assert told == "plugin 'strange' cannot be loaded: No module named 'nosuchmodule'"
    assert "ISOSCOPE_PLUGINS" in hint


def test_a_plugin_that_offers_a_command_of_ours_is_refused(plugin):
    plugin(BROKEN_COMMANDS.replace('"broken", "Fail."', '"ps", "Fail."'))
    told, _ = refused(isoscope("ps"), 2)
    assert told == "two plugins offer a command named 'ps'"


def test_a_defect_is_one_line_with_the_way_to_its_traceback(broken):
    told, hint = refused(isoscope("broken", "defect"), 1)
    assert told == "defect in isoscope: ZeroDivisionError: one by none"
    assert "--debug" in hint
    ended = isoscope("--debug", "broken", "defect")
    assert ended.returncode == 1
    assert "Traceback (most recent call last)" in ended.stderr
    assert 'raise ZeroDivisionError("one by none")' in ended.stderr
    assert ended.stderr.splitlines()[-2:] == [f"error: {told}", f"hint: {hint}"]


def test_a_full_disk_and_a_missing_permission_are_the_hosts(broken):
    told, hint = refused(isoscope("broken", "nospace"), 3)
    assert told == "no space left to write /some/file"
    assert hint == "free some space"
    told, hint = refused(isoscope("broken", "forbidden"), 3)
    assert "/some/file" in told
    assert "root" in hint


def test_what_a_workload_says_cannot_write_on_the_terminal(broken):
    told, _ = refused(isoscope("broken", "host"), 3)
    assert told == r"no \x1b[31mbridge\n here"
    told, _ = refused(isoscope("broken", "escape"), 3)
    assert told == r"no \udcffbridge"


def test_an_interrupt_is_no_error(broken):
    ended = isoscope("broken", "interrupt")
    assert ended.returncode == 130
    assert ended.stderr.strip() == ""


def test_with_json_a_failure_is_a_document_too(broken):
    ended = isoscope("broken", "host", "--json")
    refused(ended, 3)
    assert json.loads(ended.stdout) == {
        "error": "HostError",
        "fault": "host",
        "transient": False,
        "message": "no \x1b[31mbridge\n here",
        "hint": "get one",
    }
    ended = isoscope("broken", "--json")  # the argument is missing
    refused(ended, 2)
    assert json.loads(ended.stdout)["error"] == "InputError"
    ended = isoscope("ps", "--json", "--nosuch")
    refused(ended, 2)
    assert "--nosuch" in json.loads(ended.stdout)["message"]


def test_without_json_a_failure_prints_nothing_on_standard_output(broken):
    assert isoscope("broken", "host").stdout == ""
    assert isoscope("start", "--nosuch", "--json").stdout == ""  # start knows no --json
    assert isoscope("exec", "nosuch", "--", "ls", "--json").stdout == ""  # it is the command's


def test_the_libvirt_daemon_of_the_option_or_the_environment(broken):
    assert json.loads(done("broken", "lab")) == {"uri": None}
    assert json.loads(done("--connect", "qemu+ssh://far/system", "broken", "lab"))["uri"] == "qemu+ssh://far/system"
    named = environment(ISOSCOPE_LIBVIRT_URI="qemu:///system")
    assert json.loads(done("broken", "lab", env=named))["uri"] == "qemu:///system"
    assert json.loads(done("--connect", "test:///default", "broken", "lab", env=named))["uri"] == "test:///default"


@pytest.mark.parametrize("arguments", [["--help"], ["ps", "-a", "--json"], ["ps"]])
def test_a_reader_who_has_gone_is_no_error(home, arguments):
    read, write = os.pipe()
    os.close(read)
    with start(*arguments, stdout=write) as process:
        os.close(write)
        _, complaint = process.communicate(timeout=60)
    assert complaint == ""
    assert process.returncode == 128 + signal.SIGPIPE


def test_standard_error_that_is_closed_hides_no_status(home):
    read, write = os.pipe()
    os.close(read)
    with start("kill", "nosuch", stderr=write) as process:
        os.close(write)
    assert process.returncode == 2


def test_a_state_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    told, hint = refused(isoscope("ps", env=environment(ISOSCOPE_HOME="/dev/null/x")), 3)
    assert told.startswith("cannot make the state directory /dev/null/x")
    assert "ISOSCOPE_HOME" in hint


def test_a_state_directory_too_long_for_sockets():
    told, _ = refused(isoscope("ps", env=environment(ISOSCOPE_HOME="/tmp/" + "x" * 70)), 3)
    assert "longer than 60 bytes" in told


def test_printable_keeps_what_can_be_seen():
    assert printable("häuser 日本 €") == "häuser 日本 €"
    assert printable("a\x1b]0;title\x07\x9b\u202eb\x00") == r"a\x1b]0;title\x07\x9b\u202eb\x00"
