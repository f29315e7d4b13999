"""Every check of the conformance suite catches the backend that it is there to catch."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from isoscope.core import Capabilities, Exit, Instance, Lab, Stats, Timeline
from isoscope.core.errors import CommandNotExecutable
from isoscope.core.registry import Owner, Record
from isoscope.testing import conformance
from isoscope.testing.conformance import BackendConformance, host_as_before
from isoscope.testing.fake import FakeBackend, FakeExecution, FakeInstance
from isoscope.testing.fake_process import FakeProcess, _Ended


class Suite(BackendConformance):
    backend = "fake"
    patience = 2


@pytest.fixture
def lab(home: Path, fake_plugin_installed: None) -> Iterator[Lab]:
    with Lab(home) as lab:
        yield lab


@dataclass(frozen=True)
class Defect:
    """A defect of a backend: what stands in for a method, and the test that has to notice."""

    noticed_by: str
    owner: Any
    method: str
    instead: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.method} in {self.noticed_by}"


def nothing(*_: Any, **__: Any) -> None:
    """In place of a method that should have done something."""


def but(method: Callable[..., Any], change: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is called with other arguments."""
    return lambda *arguments: method(*change(*arguments))


def one_too_many(self: FakeInstance) -> None:
    for instance in list(self._plugin.instances.values()):
        instance.die(9)
    delete(self)


def plan_and_do(self: FakeBackend, launch: Any) -> list[Any]:
    (self.context.home / "done").touch()
    return []


def delete_once(self: FakeBackend, record: Record) -> None:
    self._trace(record).unlink()


delete = FakeInstance._delete
executed = FakeExecution.wait
LIFE, LONG = "test_a_life_from_create_to_delete", "test_a_long_life"
UNDECLARED = "test_what_is_not_declared_is_refused_before_anything_is_made"
UNHARMED = "test_arguments_and_variables_arrive_unharmed"
KILLED = "test_a_sigkill_of_the_owner_leaves_nothing_that_gc_does_not_remove"
CANNOT = "test_a_command_that_cannot_run"

DEFECTS = [
    Defect(LIFE, FakeInstance, "_main_ended", lambda self, how: self.saw_exit(Exit(code=0))),
    Defect(LIFE, Instance, "saw_output", but(Instance.saw_output, lambda self, _, data: (self, "stdout", data))),
    Defect(LIFE, Instance, "_require", nothing),
    Defect(LIFE, Record, "forget", nothing),
    Defect(LIFE, Timeline, "phases", lambda self: {"ready": 1}),
    Defect(LIFE, Timeline, "phases", lambda self: {"ready": self.span("start", "ready"), "exec": 0}),
    Defect(LIFE, FakeInstance, "proof", lambda self: {"kernel": "0.1"}),
    Defect(LIFE, FakeInstance, "_delete", nothing),
    Defect("test_a_silent_command_is_ready_at_its_end", Timeline, "span", lambda self, first, last: 1),
    Defect("test_a_silent_command_is_ready_at_its_end", FakeInstance, "_main_ended", nothing),
    Defect("test_what_was_never_started_can_be_deleted", FakeInstance, "_delete", nothing),
    Defect("test_what_was_never_started_can_be_deleted", Record, "forget", nothing),
    Defect("test_a_name_is_free_again_after_delete", Record, "forget", nothing),
    Defect(UNDECLARED, Capabilities, "check", nothing),
    Defect("test_a_plan_makes_nothing", FakeBackend, "plan", plan_and_do),
    Defect("test_reclaim_of_what_is_gone_is_no_error", FakeBackend, "reclaim", delete_once),
    Defect(
        UNHARMED, FakeProcess, "write", but(FakeProcess.write, lambda self, text, *_: (self, text.replace("\r", "")))
    ),
    Defect(
        UNHARMED, FakeProcess, "write", but(FakeProcess.write, lambda self, text, *_: (self, text.replace("*", "")))
    ),
    Defect("test_a_mebibyte_goes_in_and_comes_out_intact", FakeProcess, "read", lambda self: b""),
    Defect(
        "test_a_mebibyte_goes_in_and_comes_out_intact",
        FakeProcess,
        "write",
        but(FakeProcess.write, lambda self, data: (self, data.replace(b"\r\n", b"\n").replace(b"\0", b""))),
    ),
    Defect(CANNOT, FakeInstance, "_find", lambda self, name: nothing),
    Defect(CANNOT, conformance, "CommandNotFound", CommandNotExecutable),
    Defect(LONG, FakeInstance, "_pause", nothing),
    Defect(LONG, FakeInstance, "_resume", nothing),
    Defect(LONG, FakeInstance, "_kill", nothing),
    Defect(LONG, FakeInstance, "_stats", lambda self: Stats(cpu_ns=0)),
    Defect(LONG, FakeInstance, "_stats", lambda self: Stats()),
    Defect(LONG, FakeInstance, "_host_pids", lambda self: ()),
    Defect(LONG, FakeInstance, "_host_pids", lambda self: (os.getpid(),)),
    Defect(LONG, FakeInstance, "_host_pids", lambda self: (1, 1)),
    Defect(LONG, FakeInstance, "_host_pids", lambda self: (1 << 22,)),  # more than pid_max can be
    Defect(LONG, FakeInstance, "processes", lambda self: (1,)),
    Defect(LONG, FakeExecution, "kill", nothing),
    Defect(LONG, FakeExecution, "wait", lambda self, timeout=None: executed(self, timeout) and Exit(code=0)),
    Defect(LONG, FakeInstance, "_find", lambda self, name: nothing),
    Defect("test_stop_ends_even_the_deaf", FakeInstance, "stop", lambda self, timeout: Exit(code=0)),
    Defect("test_two_at_once_one_is_deleted_while_it_runs", FakeInstance, "_delete", one_too_many),
    Defect("test_no_more_memory_than_was_granted", FakeProcess, "allocate", lambda self, size: self.wait_oom()),
    Defect("test_no_more_tasks_than_were_granted", FakeProcess, "fork", lambda self: True),
    Defect("test_a_terminal", FakeProcess, "write", nothing),
    Defect("test_network_none_is_a_loopback_device_alone", FakeProcess, "write", lambda self, text: self.see_devices()),
    Defect(KILLED, FakeBackend, "reclaim", nothing),
    Defect(KILLED, Owner, "alive", lambda self: True),
    Defect(KILLED, Owner, "alive", lambda self: False),
]


def killed_for_another_reason(self: FakeProcess) -> None:
    raise _Ended(Exit(signal=9))


def show_two_devices(self: FakeProcess) -> None:
    self.output("stdout", b"\n\n lo: 0\neth0: 0\n")


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_defect_is_noticed(defect: Defect, lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(FakeProcess, "wait_oom", killed_for_another_reason, raising=False)
    monkeypatch.setattr(FakeProcess, "see_devices", show_two_devices, raising=False)
    with monkeypatch.context() as broken:
        broken.setattr(defect.owner, defect.method, defect.instead)
        with pytest.raises((Exception, pytest.fail.Exception)):
            call(defect.noticed_by, lab, tmp_path)

    clear(lab)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_mount_of_the_wrong_kind_is_noticed(lab: Lab, monkeypatch, tmp_path: Path, read_only: bool) -> None:
    real = FakeProcess.path
    monkeypatch.setattr(FakeProcess, "path", lambda self, inside: (real(self, inside)[0], read_only))
    with pytest.raises(AssertionError):
        call("test_host_directories_are_shown_inside", lab, tmp_path)


@pytest.mark.parametrize("name", sorted(name for name in dir(Suite) if name.startswith("test_")))
def test_every_test_of_the_suite_has_a_defect_that_it_notices(name: str) -> None:
    elsewhere = {
        "test_host_directories_are_shown_inside",  # above
        "test_network_host_is_the_hosts",  # the fake has neither network
        "test_network_bridge_leads_to_the_host",
    }
    assert name in elsewhere | {defect.noticed_by for defect in DEFECTS}


def call(name: str, lab: Lab, tmp_path: Path) -> None:
    """Run one test of the suite, with the check of the host around it."""
    test = getattr(Suite(), name)
    offered: dict[str, Any] = {"lab": lab, "tmp_path": tmp_path, "status": 127}
    offered |= {"command": "isoscope-no-such-command", "error": conformance.CommandNotFound}
    with host_as_before(lab):
        test(**{parameter: offered[parameter] for parameter in inspect.signature(test).parameters})


def clear(lab: Lab) -> None:
    """Remove what the broken backend left."""
    for name in lab.backend_names:
        for record in lab.registry:
            lab.backend(name).reclaim(record)
            record.forget()
        lab.backend(name).sweep([])
