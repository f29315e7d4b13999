"""The step that mounts the image's layers for process and container, against a C program that only mounts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns

import pytest
from isobench.duel import Duel
from isoscope.backends.launcher import syscalls
from isoscope.backends.launcher.mounts import Overlay
from isoscope.backends.launcher.step import Scene
from isoscope.core import Lab

pytestmark = pytest.mark.root

#: Mounts in a round: one takes some 50 microseconds.
COUNT = 20


def test_overlay_mount_and_unmount(duel: Duel, lab: Lab, compile_c: Callable[[str], Path]) -> None:
    program = compile_c("bare_overlay")
    lower = lab.images.rootfs("base").layers[-1].resolve()
    place = lab.home / "overlay"
    for name in ("upper", "work", "root"):
        (place / name).mkdir(parents=True)
    step = Overlay(
        source="isoscope-bench",
        layers=(str(lower),),
        upper=str(place / "upper"),
        work=str(place / "work"),
        target=str(place / "root"),
    )

    def ours() -> int:
        scene = Scene({})
        began = monotonic_ns()
        for _ in range(COUNT):
            step.execute(scene)
            syscalls.umount2(step.target, 0)
        return (monotonic_ns() - began) // COUNT

    def bare() -> int:
        done = subprocess.run([program, lower, place, str(COUNT)], stdout=subprocess.PIPE, text=True, check=True)
        return int(done.stdout)

    duel("overlay mounted and unmounted", ours, bare, to="mount(2) and umount2(2) from C", rounds=60)
