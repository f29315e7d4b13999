"""The domain's XML and the kernel's command line."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.backends.network import Lease
from isoscope.backends.vm.domain import Machine, command_line, domain_xml
from isoscope.backends.vm.processor import Processor
from isoscope.core.errors import InputError
from isoscope.core.host.facts import Cpu
from lxml import etree

LEASE = Lease("isoscope-br", "isoscope-1", "02:00:00:00:00:01", "10.1.0.2", 24, "10.1.0.1", 1400, (), ())
MACHINE = Machine(
    name="isoscope-0123456789ab",
    accelerator="tcg",
    type="pc-q35-7.2",
    emulator="/usr/bin/qemu-system-x86_64",
    vcpus=1,
    memory=256 << 20,
    kernel=Path("/k"),
    initrd=Path("/i"),
    pvh=True,
    disk=Path("/d"),
    base=Path("/b"),
    console=Path("/s"),
    control=Path("/c"),
    lease=None,
)


def parsed(machine: Machine) -> etree._Element:
    return etree.fromstring(domain_xml(machine).encode())


def test_tcg_is_never_called_kvm():
    tcg, kvm = parsed(MACHINE), parsed(replace(MACHINE, accelerator="kvm"))
    assert (tcg.get("type"), tcg.find("cpu").get("mode")) == ("qemu", "maximum")
    assert (kvm.get("type"), kvm.find("cpu").get("mode")) == ("kvm", "host-passthrough")


def test_an_emulated_cpu_does_not_promise_a_fast_copy_by_bytes():
    tcg, kvm = parsed(MACHINE), parsed(replace(MACHINE, accelerator="kvm"))
    assert [dict(one.attrib) for one in tcg.findall("cpu/feature")] == [{"policy": "disable", "name": "erms"}]
    assert kvm.findall("cpu/feature") == [], "a real one has what the host has"


def test_without_a_network_there_is_no_device_for_one():
    assert parsed(MACHINE).findall(".//interface") == []
    [interface] = parsed(replace(MACHINE, lease=LEASE)).findall(".//interface")
    assert interface.find("source").get("bridge") == LEASE.bridge
    assert interface.find("target").get("dev") == LEASE.interface
    assert interface.find("mac").get("address") == LEASE.mac


@pytest.mark.parametrize(("vhost", "driver"), [(True, "vhost"), (False, "qemu")])
def test_who_moves_the_packets_is_not_left_to_libvirt(vhost, driver):
    [interface] = parsed(replace(MACHINE, lease=LEASE, vhost=vhost)).findall(".//interface")
    assert interface.find("driver").get("name") == driver


@pytest.mark.parametrize(
    "path", ["/x'/><disk type='file'/><!--", '/"&amp;"', "/]]>", "/<source file='/etc/shadow'/>"], ids=range(4)
)
def test_a_path_stays_a_path_whatever_it_holds(path):
    plain, odd = parsed(MACHINE), parsed(replace(MACHINE, disk=Path(path), kernel=Path(path)))
    assert odd.find("devices/disk/source").get("file") == str(Path(path))
    assert odd.findtext("os/kernel") == str(Path(path))
    assert [e.tag for e in odd.iter()] == [e.tag for e in plain.iter()]


@pytest.mark.parametrize("path", ["/bell\x07", "/surrogate\udcff"], ids=["control", "surrogate"])
def test_a_path_that_xml_cannot_hold_is_refused(path):
    with pytest.raises(InputError) as raised:
        domain_xml(replace(MACHINE, disk=Path(path)))
    assert "ISOSCOPE_HOME" in raised.value.hint


def test_the_shared_base_is_nobodys_to_take_over():
    source = parsed(MACHINE).find("devices/disk/backingStore/source")
    assert source.get("file") == "/b"
    assert source.find("seclabel").get("relabel") == "no"


def test_the_level_is_lowered_after_the_early_console_has_spoken():
    words = command_line(MACHINE).split()
    assert words.index("loglevel=6") < words.index("earlyprintk=ttyS0") < words.index("quiet")


def test_shortcuts_of_emulation_are_for_emulation_alone():
    assert "nolapic_timer" in command_line(MACHINE).split()
    assert "nolapic_timer" not in command_line(replace(MACHINE, vcpus=2)).split()
    assert "tsc=reliable" not in command_line(replace(MACHINE, accelerator="kvm")).split()


def test_a_guest_is_told_the_rate_of_its_clock_where_it_would_measure_it_wrong():
    told = replace(MACHINE, tsc_khz=2_596_105)
    assert "tsc_early_khz=2596105" in command_line(told).split()
    assert "tsc_early_khz" not in command_line(MACHINE)
    assert "tsc_early_khz" not in command_line(replace(told, accelerator="kvm"))


CPU = Cpu(model="", vendor="", logical=8, usable=8, cores=4, sockets=2)


def test_the_default_processor_says_nothing_of_its_arrangement():
    assert MACHINE.processor == Processor.of({"cpu": "all", "topology": "flat", "pin": "off"}, 1, CPU)
    assert parsed(MACHINE).findall("cpu/topology") == parsed(MACHINE).findall("cputune") == []


@pytest.mark.parametrize(
    ("vcpus", "arranged"),
    [(8, (2, 2, 2)), (4, (2, 1, 2)), (2, (1, 1, 2)), (1, (1, 1, 1)), (3, (1, 3, 1)), (6, (1, 3, 2))],
)
def test_virtual_cpus_are_arranged_as_the_host_s_as_far_as_they_divide(vcpus, arranged):
    processor = Processor.of({"cpu": "all", "topology": "host", "pin": "off"}, vcpus, CPU)
    sockets, cores, threads = arranged
    assert sockets * cores * threads == vcpus
    [topology] = parsed(replace(MACHINE, vcpus=vcpus, processor=processor)).findall("cpu/topology")
    assert tuple(int(topology.get(name)) for name in ("sockets", "cores", "threads")) == arranged


def test_the_default_model_of_qemu_is_left_to_qemu(monkeypatch):
    processor = Processor.of({"cpu": "default", "topology": "flat", "pin": "off"}, 1, CPU)
    for accelerator in ("tcg", "kvm"):
        found = parsed(replace(MACHINE, accelerator=accelerator, processor=processor)).find("cpu")
        assert (found.attrib, list(found)) == ({}, [])
        assert processor.proof(accelerator) == {"cpu": "qemu64"}


def test_each_virtual_cpu_is_pinned_to_a_cpu_that_may_be_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3, 1})
    options = {"cpu": "all", "topology": "flat", "pin": "on"}
    processor = Processor.of(options, 2, CPU)
    pins = parsed(replace(MACHINE, vcpus=2, processor=processor)).findall("cputune/vcpupin")
    assert [dict(one.attrib) for one in pins] == [{"vcpu": "0", "cpuset": "1"}, {"vcpu": "1", "cpuset": "3"}]
    assert processor.proof("kvm") == {"cpu": "host", "pinned": "1,3"}
    with pytest.raises(InputError, match="4 virtual CPUs") as refused:
        Processor.of(options, 4, CPU)
    assert "cpus=3" in refused.value.hint
