"""How a VM's disk is kept on the host."""

from __future__ import annotations

import errno
import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.backends.vm import overlay, storage
from isoscope.backends.vm.backend import VmBackend
from isoscope.backends.vm.domain import domain_xml
from isoscope.backends.vm.faults import libvirt_errors
from isoscope.backends.vm.storage import Storage
from isoscope.core import Workload
from isoscope.core.errors import BackendUnavailable, HostError, InputError
from lxml import etree

from tests.backends.vm.test_domain import MACHINE

CHOICES = {option.name: option.choices for option in storage.OPTIONS}


def disk(chosen: Storage) -> etree._Element:
    domain = etree.fromstring(domain_xml(replace(MACHINE, storage=chosen)).encode())
    return domain.find("devices/disk")


def test_the_default_is_an_overlay_as_qemu_has_it_by_itself():
    chosen = Storage.of({option.name: option.default for option in storage.OPTIONS})
    assert chosen == Storage()
    driver = disk(chosen).find("driver")
    assert {name: driver.get(name) for name in ("type", "cache", "io", "iothread")} == {
        "type": "qcow2",
        "cache": "writeback",
        "io": "threads",
        "iothread": None,
    }


def test_every_combination_but_linux_aio_on_a_cached_disk_is_taken():
    for values in itertools.product(*CHOICES.values()):
        options = dict(zip(CHOICES, values, strict=True))
        if options["aio"] == "native" and options["cache"] not in ("none", "directsync"):
            with pytest.raises(InputError) as raised:
                Storage.of(options)
            assert "cache=none" in raised.value.hint
            continue
        chosen = Storage.of(options)
        proof = chosen.proof()
        assert (proof["cache"], proof["aio"], proof["iothread"]) == tuple(
            options[n] for n in ("cache", "aio", "iothread")
        )
        assert options["format"] in proof["disk"]


def test_a_raw_disk_stands_on_nothing():
    assert disk(Storage(format="raw")).find("backingStore") is None
    assert disk(Storage()).find("backingStore/source").get("file") == "/b"


def test_an_iothread_is_declared_and_used():
    domain = etree.fromstring(domain_xml(replace(MACHINE, storage=Storage(iothread=True))).encode())
    assert domain.findtext("iothreads") == "1"
    assert domain.find("devices/disk/driver").get("iothread") == "1"
    assert etree.fromstring(domain_xml(MACHINE).encode()).find("iothreads") is None


def test_a_full_disk_of_the_host_does_not_stop_the_guest_for_ever():
    assert disk(Storage()).find("driver").get("error_policy") == "report"


def test_a_wrong_combination_is_refused_before_anything_is_made(lab, tmp_path):
    with pytest.raises(InputError, match="aio=native cannot be used with cache=writeback"):
        lab.create(Workload(command=("true",)), "vm:aio=native")
    assert not list(lab.registry)
    assert not (lab.home / "vm").exists()
    with pytest.raises(InputError, match="aio=native cannot be used with cache=writeback"):
        lab.compare(backends=["vm:aio=native"], benchmarks=["startup"], blocks=1, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_system_without_o_direct_is_told(tmp_path, monkeypatch):
    real = os.open

    def refuse(path, flags, *args, **kwargs):
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    Storage().check(tmp_path)
    with pytest.raises(HostError, match="knows no O_DIRECT, which cache=none needs"):
        Storage(cache="none").check(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_without_io_uring_is_told(tmp_path, monkeypatch):
    Storage(aio="io_uring").check(tmp_path)
    monkeypatch.setattr(storage, "_IO_URING_SETUP", 0xFFFF)  # no such system call
    with pytest.raises(BackendUnavailable, match="io_uring_setup: Function not implemented"):
        Storage(aio="io_uring").check(tmp_path)


def test_a_qemu_without_io_uring_is_told():
    import libvirt

    with pytest.raises(BackendUnavailable, match="not supported in this build") as raised:  # noqa: SIM117
        with libvirt_errors("libvirt cannot start the virtual machine"):
            raise libvirt.libvirtError("aio=io_uring was specified, but is not supported in this build")
    assert "aio=native" in raised.value.hint


def test_the_plan_shows_the_disk(lab):
    text = "\n".join(step.text for step in lab.plan(Workload(command=("true",)), "vm:format=raw,cache=none,aio=native"))
    assert 'cache="none"' in text
    assert "copy an empty" not in text


@pytest.mark.parametrize("across", [False, True], ids=["reflink or copy", "two file systems"])
def test_a_copy_has_the_same_bytes_and_holes(tmp_path, monkeypatch, across):
    if across:

        def refuse(*_):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        monkeypatch.setattr(os, "copy_file_range", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        for place in (0, 5 << 20, 40 << 20):
            file.seek(place)
            file.write(os.urandom(100_000))
        file.truncate(64 << 20)
    overlay.copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 < 2 << 20


def test_a_copy_that_does_not_fit_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(HostError, match="No space left on device"):
        overlay.copy(tmp_path / "source", tmp_path / "target")


@pytest.mark.root
@pytest.mark.vm
def test_a_vm_runs_on_its_own_raw_disk_by_io_uring(lab):
    variant = "vm:format=raw,cache=none,aio=io_uring,iothread=on"
    with lab.start(
        Workload(command=("sh", "-c", "echo x > /mark; sync; echo up; exec sleep 1000")), variant
    ) as instance:
        instance.wait_ready(120)
        proof = instance.proof()
        assert (proof["disk"], proof["cache"], proof["aio"]) == ("virtio-blk, raw", "none", "io_uring")
        made = instance.backing("/mark")
        assert made.stat().st_blocks * 512 < 64 << 20
        arguments = Path(f"/proc/{pid(instance)}/cmdline").read_text()
        assert '"aio":"io_uring"' in arguments
        assert '"direct":true' in arguments
        assert "iothread1" in arguments
    assert not made.exists()


def pid(instance) -> int:
    return int(Path(instance.record.resources["vm"]["pid_file"]).read_text())


def test_the_options_are_the_backends():
    assert {option.name for option in VmBackend.options} >= CHOICES.keys()
