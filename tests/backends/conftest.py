"""Instances of images that no store would build: a layer of the test's own on top of the image `base`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from isoscope.core import Exit, Instance, Lab, Workload
from isoscope.core.launch import Launch
from isoscope.testing.channel import Channel

PATIENCE = 60  # seconds within which anything at all must have happened


@dataclass
class Ran:
    """How a command ended, and what it wrote."""

    how: Exit
    out: str
    err: str
    instance: Instance


class Workshop:
    """Runs commands on one backend, on `base` and whatever the test has put on top of it."""

    def __init__(self, lab: Lab, backend: str, layer: Path, stack: ExitStack) -> None:
        self.lab, self.backend, self.layer, self._stack = lab, backend, layer, stack

    def launch(
        self, *command: str, channel: Channel | None = None, image: dict[str, Any] | None = None, **terms: Any
    ) -> Launch:
        """A launch, with a record; the layer is used when there is anything in it."""
        launch = self.lab.prepare(
            Workload(command=command, **terms), self.backend, stdio=channel.stdio if channel else None
        )
        layers = (*launch.rootfs.layers, *([self.layer] if any(self.layer.iterdir()) else []))
        return replace(launch, rootfs=replace(launch.rootfs, layers=layers, **(image or {})))

    def create(self, *command: str, **terms: Any) -> Instance:
        """An instance that is deleted with the test."""
        launch = self.launch(*command, **terms)
        try:
            instance = self.lab.backend(launch.variant.backend).create(launch)
        except BaseException:
            launch.record.forget()
            raise
        self._stack.callback(instance.delete)
        return instance

    def start(self, *command: str, **terms: Any) -> Instance:
        """A running one."""
        instance = self.create(*command, **terms)
        instance.start()
        return instance

    def run(self, *command: str, stdin: bytes | None = None, **terms: Any) -> Ran:
        """Run a command to its end."""
        with Channel(stdin, terminal=terms.get("terminal", False)) as channel:
            instance = self.start(*command, channel=channel, **terms)
            how = instance.wait(PATIENCE)
            instance.delete()
            out, err = channel.finish()
        return Ran(how, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"), instance)

    def sh(self, script: str, **terms: Any) -> Ran:
        """Run a script of the image's shell."""
        return self.run("sh", "-c", script, **terms)


@pytest.fixture
def workshop(lab: Lab, tmp_path: Path) -> Iterator[Callable[[str], Workshop]]:
    """Makes a `Workshop` for a backend."""
    layer = tmp_path / "layer"
    layer.mkdir()
    layer.chmod(0o755)
    with ExitStack() as stack:
        yield lambda backend: Workshop(lab, backend, layer, stack)


@pytest.fixture
def program_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """Puts a script of sh(1) first on PATH, in the place of a program that a backend runs."""

    def put(name: str, script: str) -> None:
        directory = tmp_path / "programs"
        directory.mkdir(exist_ok=True)
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    return put
