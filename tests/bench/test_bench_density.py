"""A hundred containers that stay, started one after another, each beside a start of the C program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from isobench.bare import bare_container
from isobench.duel import Duel
from isoscope.core import Lab

pytestmark = pytest.mark.root

PATIENCE = 60
COUNT = 100


def test_density(duel: Duel, lab: Lab, compile_c: Callable[[str], Path]) -> None:
    program = compile_c("bare_container")
    lower = lab.images.rootfs("base").layers[-1].resolve()
    workload = lab.workload("sleep")
    with ExitStack() as running:

        def one() -> None:
            instance = running.enter_context(lab.create(workload, "container"))
            instance.start()
            instance.wait_ready(PATIENCE)

        def bare() -> int:
            return bare_container(program, lower, lab.home / "bare", "/bin/true")

        duel("one more container that stays, up to 100", one, bare, to="the C program", rounds=COUNT)
