"""The instance's own device, which proves that it is the one that the packets passed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from isoscope.benchmarks.network.device import Device, driver
from isoscope.core import Lab, Workload
from isoscope.core.errors import Unsupported, WorkloadFailed
from isoscope.core.workload import Network

DEVICE = Device("02:00:00:00:00:01", 10, 5)
STAYS = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"), network=Network.BRIDGE)


def test_packets_of_both_directions() -> None:
    assert DEVICE.packets_until(replace(DEVICE, received=13, sent=6)) == 4


def test_a_test_that_went_another_way_is_none() -> None:
    with pytest.raises(WorkloadFailed, match="counted no packet"):
        DEVICE.packets_until(DEVICE)


def test_another_address_than_the_one_given_is_a_failure() -> None:
    DEVICE.check("02:00:00:00:00:01")
    DEVICE.check("")
    with pytest.raises(WorkloadFailed, match="has the address 02:00:00:00:00:01, not 02:00:00:00:00:02"):
        DEVICE.check("02:00:00:00:00:02")


@pytest.mark.root
def test_it_is_read_inside(lab: Lab) -> None:
    with lab.start(STAYS, "container") as instance:
        connection = instance.connection()
        assert connection is not None
        before = Device.read(instance, 10)
        before.check(connection.mac)
        assert (
            instance.exec(("ping", "-c", "3", "-i", "0.01", instance.record.resources["network"]["gateway"]))
            .wait(20)
            .exit_status
            == 0
        )
        assert before.packets_until(Device.read(instance, 10)) >= 6
        assert driver(instance, 10) == "", "an end of a veth is no hardware"


@pytest.mark.root
def test_an_instance_without_one(lab: Lab) -> None:
    with (
        lab.start(replace(STAYS, network=Network.NONE), "container") as instance,
        pytest.raises(Unsupported, match="shows no /sys/class/net/eth0"),
    ):
        Device.read(instance, 10)
