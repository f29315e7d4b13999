"""Finding the kernel's packages by what apt says."""

from __future__ import annotations

import platform

import pytest
from isoscope.core.errors import HostError
from isoscope.images.guest import packages

SHOWN = {
    "linux-image-cloud-amd64": "Package: linux-image-cloud-amd64\nVersion: 6.1.9-1\n"
    "Depends: linux-image-6.1.0-9-cloud-amd64 (= 6.1.9-1)\n",
    "linux-image-6.1.0-9-cloud-amd64": "Package: linux-image-6.1.0-9-cloud-amd64\nVersion: 6.1.9-1\n"
    "Description: x\n Version: no\n",
    "linux-image-virtual": "Package: linux-image-virtual\nVersion: 6.8.0-31.31\n"
    "Depends: linux-image-6.8.0-31-generic (= 6.8.0-31.31), linux-firmware\n",
    "linux-image-6.8.0-31-generic": "Package: linux-image-6.8.0-31-generic\nVersion: 6.8.0-31.31\n",
}


@pytest.fixture
def on(monkeypatch):
    """A distribution, and an apt-cache that knows it."""

    def be(**release: str) -> None:
        monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
        monkeypatch.setattr(packages, "run", lambda *command: SHOWN[command[-1]])

    return be


def test_debian_has_one_package(on):
    on(ID="debian")
    assert packages.find(packages.CLOUD) == packages.KernelPackages(
        "6.1.0-9-cloud-amd64", "6.1.9-1", ("linux-image-6.1.0-9-cloud-amd64",)
    )


def test_ubuntu_has_modules_of_their_own(on):
    on(ID="ubuntu", ID_LIKE="debian")
    assert packages.find(packages.CLOUD) == packages.KernelPackages(
        "6.8.0-31-generic", "6.8.0-31.31", ("linux-image-6.8.0-31-generic", "linux-modules-6.8.0-31-generic")
    )


def test_a_derivative_is_taken_for_what_it_is_like(on):
    on(ID="raspbian", ID_LIKE="debian")
    assert packages.find(packages.CLOUD).release == "6.1.0-9-cloud-amd64"


def test_a_stranger_is_told_what_is_known(on):
    on(ID="slackware", PRETTY_NAME="Slackware 15")
    with pytest.raises(HostError, match="Slackware 15") as raised:
        packages.find(packages.CLOUD)
    assert "debian" in raised.value.hint


def test_a_meta_package_without_a_kernel_is_an_error(on, monkeypatch):
    on(ID="debian")
    monkeypatch.setitem(SHOWN, "linux-image-cloud-amd64", "Package: x\nDepends: linux-base, linux-image-foo\n")
    with pytest.raises(HostError):
        packages.find(packages.CLOUD)
