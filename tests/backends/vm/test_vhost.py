"""Whether the host's kernel moves a VM's packets: asked of the device, not of its name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.backends.vm import vhost
from isoscope.core import Lab, Workload
from isoscope.core.errors import BackendUnavailable
from isoscope.core.workload import Network


@pytest.fixture
def mute(tmp_path: Path) -> Path:
    """A file in the device's place, that can be opened and answers nothing."""
    device = tmp_path / "vhost-net"
    device.write_bytes(b"")
    return device


def test_what_does_not_answer_is_not_taken(mute: Path, tmp_path: Path) -> None:
    assert vhost.chosen("auto", mute) is False
    assert vhost.chosen("auto", tmp_path / "missing") is False
    assert vhost.chosen("off", mute) is False


def test_on_is_refused_with_what_helps(mute: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="No such file") as missing:
        vhost.chosen("on", tmp_path / "missing")
    assert missing.value.hint == "modprobe vhost_net"
    with pytest.raises(BackendUnavailable, match="vhost-net is not to be had here"):
        vhost.chosen("on", mute)


def test_what_answers_is_taken(mute: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.ioctl", lambda fd, request, argument: argument)
    assert vhost.chosen("auto", mute) is True
    assert vhost.chosen("on", mute) is True
    assert vhost.chosen("off", mute) is False


@pytest.mark.root
def test_a_vm_says_who_moves_its_packets(lab: Lab) -> None:
    workload = Workload(command=("true",), network=Network.BRIDGE)
    with lab.create(workload, "vm:vhost=off") as instance:
        assert instance.proof()["vhost"] == "off"
    with lab.create(replace(workload, network=Network.NONE), "vm") as instance:
        assert "vhost" not in instance.proof()
    if not os.path.exists(vhost.DEVICE):
        with pytest.raises(BackendUnavailable):
            lab.create(workload, "vm:vhost=on")
