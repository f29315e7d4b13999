"""The guest as it is built here, from this distribution's kernel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from isoscope.core.errors import HostError
from isoscope.images import guest as guests
from isoscope.images.guest import build, tools, vmlinux


@pytest.fixture(scope="module")
def guest(shared_home: Path) -> guests.Guest:
    return guests.guest(shared_home)


def members(initrd: Path) -> list[str]:
    return subprocess.run(["cpio", "-t", "-F", initrd], capture_output=True, text=True, check=True).stdout.split()


def test_the_kernel_is_what_its_package_says(guest):
    data = guest.kernel.read_bytes()
    assert guest.pvh
    assert vmlinux.has_pvh_entry(data)
    assert f"Linux version {guest.release} ".encode() in data
    assert guest.package.startswith(f"linux-image-{guest.release} ")


def test_the_initrd_has_the_modules_in_an_order_that_loads(guest):
    names = members(guest.initrd)
    assert "init" in names
    boot = [Path(name).stem.split("-", 1)[1] for name in names if name.startswith("modules/boot/")]
    if "virtio_ring" in boot:  # Debian 13 has all of them built in but virtio_blk
        assert boot.index("virtio_ring") < boot.index("virtio") < boot.index("virtio_pci")
        assert "virtio_console" in boot
    assert "virtio_blk" in boot
    net = [Path(name).stem.split("-", 1)[1] for name in names if name.startswith("modules/net/")]
    assert net[-1] == "virtio_net"
    assert not set(net) & set(boot), "what is always loaded need not be there twice"


def test_the_init_is_static_and_small(guest, tmp_path):
    subprocess.run(["cpio", "-id", "--quiet", "-F", guest.initrd, "init"], cwd=tmp_path, check=True)
    assert b".interp" not in (tmp_path / "init").read_bytes()
    assert (tmp_path / "init").stat().st_size < 1 << 20


def test_it_is_built_once(guest, shared_home, monkeypatch):
    monkeypatch.setattr(tools, "SEARCH_PATH", "/nowhere")
    assert guests.guest(shared_home) == guest
    assert guests.lacks(shared_home) == []


def test_another_init_makes_another_guest(guest, shared_home, monkeypatch):
    monkeypatch.setattr(build, "_RECIPE", 2)
    assert guests.find(shared_home) is None


def test_what_is_missing_is_named_with_its_package(home, monkeypatch):
    monkeypatch.setattr(tools, "SEARCH_PATH", "/nowhere")
    assert ("depmod", "kmod") in guests.lacks(home)
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    with pytest.raises(HostError) as raised:
        guests.guest(home)
    assert "apt-get install apt" in raised.value.hint
    assert list((home / "cache" / "guest").glob("new-*")) == []


def test_sweep_removes_what_an_interrupted_build_left(home):
    unfinished = home / "cache" / "guest" / "new-abc"
    unfinished.mkdir(parents=True)
    (unfinished / "kernel").write_text("half of it")
    with build._locked(unfinished.parent):
        assert guests.sweep(home) == [], "somebody builds right now"
    assert guests.sweep(home) == ["removed unfinished guest new-abc"]
    assert guests.sweep(home) == []
    assert not unfinished.exists()
