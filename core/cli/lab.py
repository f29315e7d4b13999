"""`isoscope lab`: JupyterLab on the user's copy of the notebooks."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click
from isoscope.core.cli.context import json_option
from isoscope.core.cli.notebooks import Notebook, deliver, installed
from isoscope.core.cli.output import print_json, print_table
from isoscope.core.errors import HostError, InputError, NotFound

#: What the notebooks need, all of it in the extra `lab`.
_NEEDED = ("jupyterlab", "ipykernel", "ipywidgets", "nbformat", "matplotlib", "pandas")


@click.command()
@click.argument("notebook", required=False)
@click.option("--list", "only_list", is_flag=True, help="List the notebooks, and start nothing.")
@json_option
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where your copies are.  [default: notebooks in the state directory]",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The port on 127.0.0.1; else the first that is free.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def lab(
    notebook: str | None, *, only_list: bool, as_json: bool, directory: Path | None, port: int | None, no_browser: bool
) -> None:
    """Open the notebooks in JupyterLab; NOTEBOOK, a number or a name, at once.

    You work on copies of your own, which later versions leave alone. The server answers on this host's loopback address
    alone, and only to whoever has the token in the address that it prints.
    """
    shipped = installed()
    if only_list:
        _print(shipped, as_json=as_json)
        return
    if as_json:
        raise InputError("--json needs --list", hint="isoscope lab --list --json")
    opened = _find(shipped, notebook) if notebook else ""
    _require_extra()
    where = _directory(directory)
    for path in deliver(shipped, where):
        _trust(path)
        click.echo(f"new: {path}", err=True)
    _become_jupyter(where, opened, port=port, browser=not no_browser and _has_screen())


def _print(shipped: list[Notebook], *, as_json: bool) -> None:
    if as_json:
        print_json([{"name": one.name, "title": one.title, "aim": one.aim} for one in shipped])
    else:
        print_table(("NOTEBOOK", "TITLE"), [(one.name.removesuffix(".ipynb"), one.title) for one in shipped])


def _find(shipped: list[Notebook], wanted: str) -> str:
    names = [one.name for one in shipped]
    for name in names:
        if wanted in (name, name.removesuffix(".ipynb")) or (wanted.isdigit() and int(wanted) == int(name[:2])):
            return name
    raise NotFound(f"there is no notebook {wanted!r}", hint="isoscope lab --list shows them")


def _require_extra() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise HostError(
            f"the notebooks need {', '.join(missing)}", hint=f"{sys.executable} -m pip install 'isoscope[lab]'"
        )


def _directory(chosen: Path | None) -> Path:
    from isoscope.core.home import state_directory

    return (chosen or state_directory() / "notebooks").absolute()


def _trust(path: Path) -> None:
    """Tell JupyterLab that the outputs in a notebook of ours are ours: it shows no markup of strangers."""
    import nbformat
    from nbformat.sign import NotebookNotary

    NotebookNotary().sign(nbformat.read(path, as_version=4))


def _settle(configuration: Path) -> None:
    """JupyterLab's first question would be whether it may fetch news from elsewhere: no, until its user wants it."""
    settings = configuration / "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text('{"fetchNews": "false", "checkForUpdates": false}\n')


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _become_jupyter(directory: Path, opened: str, *, port: int | None, browser: bool) -> None:
    """Replace this process by JupyterLab, on our terms whatever the user's own configuration of it says."""
    arguments = [
        sys.executable,
        *("-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.allow_remote_access=False",
        "--KernelManager.transport_encryption=auto",  # who else is on this host could read from a kernel's ports
        "--Application.log_level=WARN",
        "--LabApp.extension_manager=readonly",
        f"--ServerApp.root_dir={directory}",
        f"--LabApp.default_url=/lab/tree/{opened}" if opened else "--LabApp.default_url=/lab",
        f"--ServerApp.open_browser={browser}",
        *(["--ServerApp.allow_root=True"] if os.geteuid() == 0 else []),
        *([f"--ServerApp.port={port}", "--ServerApp.port_retries=0"] if port else []),
    ]
    configuration = directory / ".jupyter"  # the user's own could do away with the token
    _settle(configuration)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_TOKEN")},
        "JUPYTER_CONFIG_DIR": str(configuration),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel is the one that can import what is running here
    }
    sys.stdout.flush()
    os.execve(arguments[0], arguments, environment)  # noqa: S606 -- there is no shell to be wanted
