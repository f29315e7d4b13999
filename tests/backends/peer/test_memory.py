"""What worked is remembered for this boot, and only as long as it is the same program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from isoscope.backends.peer import memory as module
from isoscope.backends.peer.memory import Memory
from isoscope.core.backend import Context
from isoscope.core.host import Host


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(home=tmp_path / "home", host=Host(tmp_path / "home"))


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "runtime"
    path.write_text("#!/bin/sh\n")
    return str(path)


def test_what_worked_is_remembered_by_the_next_process_too(context: Context, program: str) -> None:
    assert not Memory(context).worked([program], "oci", "default")
    Memory(context).keep([program], "oci", "default")
    assert Memory(context).worked([program], "oci", "default")
    assert not Memory(context).worked([program], "oci", "kvm"), "other terms are another question"
    assert not Memory(context).worked([program, "/bin/sh"], "oci", "default")


def test_a_program_that_was_replaced_is_tried_anew(context: Context, program: str) -> None:
    Memory(context).keep([program], "oci")
    os.utime(program, ns=(1, 1))
    assert not Memory(context).worked([program], "oci")


def test_doctor_has_everything_tried_anew(context: Context, program: str) -> None:
    Memory(context).keep([program], "oci")
    context.host.refresh()
    assert not Memory(context).worked([program], "oci")


def test_another_boot_forgets(context: Context, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Memory(context).keep([program], "oci")
    monkeypatch.setattr(module, "read", lambda _: "another-boot")
    later = Memory(context)
    assert not later.worked([program], "oci")
    later.keep([program], "lxc")
    assert [path.name.startswith("another-boot") for path in (context.home / "cache/peers").iterdir()] == [True]


def test_a_directory_that_cannot_be_written_costs_a_try_and_nothing_else(program: str, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    context = Context(home=tmp_path / "home", host=Host(tmp_path / "home"))
    Memory(context).keep([program], "oci")
    assert not Memory(context).worked([program], "oci")
