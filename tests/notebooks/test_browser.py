"""A reader's way: `isoscope lab`, a browser, Run All Cells, and the plots are there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "03-cgroups"  #: the one with plots that are drawn while it runs, and with a slider
PICTURE = ROOT / "docs/images/notebook.png"

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: What a careless user may have configured: a server for everybody, without a token, and a kernel that is not ours.
CARELESS = """
c.ServerApp.ip = "0.0.0.0"
c.IdentityProvider.token = ""
c.ServerApp.allow_remote_access = True
"""

pytestmark = [pytest.mark.root, pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def server(stocked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address that `isoscope lab` prints, in the home of somebody careless."""
    (tmp_path / ".jupyter").mkdir()
    (tmp_path / ".jupyter/jupyter_server_config.py").write_text(CARELESS)
    kernel = tmp_path / ".local/share/jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["/bin/false"], "display_name": "another", "language": "python"}')
    monkeypatch.setenv("HOME", str(tmp_path))
    # All cells stand in the page, not only those that are in view.
    settings = stocked_home / "notebooks/.jupyter/lab/user-settings/@jupyterlab/notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [Path(sys.executable).with_name("isoscope"), "lab", NAME, "--no-browser", "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            told = ""
            while not (found := re.search(r"http://127\.0\.0\.1:\S+token=\w+", told)):
                line = process.stdout.readline()
                assert line, f"it ended: {told}"
                told += line
            while not listening(int(port)) and process.poll() is None:
                time.sleep(0.05)  # it prints its address a moment before it listens, and says nothing afterwards
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def test_a_reader_runs_a_notebook_and_sees_the_plots(server: str, stocked_home: Path, tmp_path: Path) -> None:
    address = urlsplit(server)
    assert listening(address.port) == {"0100007F"}, "it listens on more than 127.0.0.1"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://{address.netloc}/api/contents")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    copy = stocked_home / f"notebooks/{NAME}.ipynb"
    run_all(server, empty(copy), tmp_path)
    notebook = nbformat.read(copy, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = [set(output.get("data", {})) for cell in code for output in cell.outputs]
    assert sum("image/png" in kind for kind in kinds) >= 2
    assert any("application/vnd.jupyter.widget-view+json" in kind for kind in kinds)
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert notebook.metadata.kernelspec.display_name.startswith("Python 3")


def empty(copy: Path) -> int:
    """Remove all outputs, so that those that are seen are new. Returns how many cells there are to run."""
    notebook = nbformat.read(copy, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, copy)
    return len(code)


def run_all(address: str, cells: int, directory: Path) -> None:
    """Open a notebook, run all its cells, see that its plots are there, and save it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            directory / "profile",
            executable_path=CHROMIUM,
            headless=True,
            args=OPTIONS,
            viewport={"width": 1280, "height": 1400},
            color_scheme="light",
        )
        page = browser.pages[0]
        page.set_default_timeout(500_000)  # alone, it builds the image and the disk that other tests have built
        page.goto(address)
        notebook = page.locator(".jp-Notebook:visible")
        notebook.locator(".jp-Cell").first.wait_for()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # before, it would ask for a kernel
        menu(page, "Run", "Run All Cells")
        notebook.locator(".jp-InputPrompt", has_text=f"[{cells}]:").wait_for()
        plots = notebook.locator(".jp-RenderedImage img")
        assert plots.count() >= 3, "the third is the slider's"
        assert notebook.locator(".widget-slider").count() == 1
        plots.first.scroll_into_view_if_needed()
        assert plots.first.evaluate("image => image.naturalWidth") > 100
        take(page, plots.first)
        menu(page, "File", "Save Notebook")
        page.locator(".jp-mod-dirty").wait_for(state="detached")
        browser.close()


def menu(page: Any, name: str, entry: str) -> None:
    """Choose an entry of a menu."""
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{name}$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{entry}$")).click()


def take(page: Any, plot: Any) -> None:
    """The picture for the README, kept only when asked for: it is another each time."""
    target = PICTURE if "ISOSCOPE_PICTURES" in os.environ else None
    picture = page.screenshot(path=target)
    box = plot.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 1400, "the plot is not on the picture"
    assert len(picture) > 50_000


def listening(port: int | None) -> set[str]:
    """The local addresses, as /proc/net/tcp has them, at which something listens on a port."""
    lines = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    entries = [line.split()[1].split(":") for line in lines[1:] if " 0A " in line]
    return {host for host, at in entries if at == f"{port:04X}"}
