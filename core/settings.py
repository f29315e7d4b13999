"""What can be set from outside besides the command line: environment variables, and the files that Isoscope keeps.

The one register of both: code reads its variables through here, the reference prints it, and a test fails when
another variable or another folder of the state directory turns up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """An environment variable that is heeded."""

    name: str
    default: str  #: in words: what holds while it is not set
    meaning: str

    def read(self) -> str | None:
        """Its value, or None while it is not set."""
        return os.environ.get(self.name)


HOME = Variable(
    "ISOSCOPE_HOME",
    "`/var/lib/isoscope` for root, else `$XDG_STATE_HOME/isoscope`",
    "The state directory. It is made when missing. Its path may have 60 bytes at most, because sockets lie below it. "
    "Two state directories know nothing of each other.",
)
PLUGINS = Variable(
    "ISOSCOPE_PLUGINS",
    "all that are installed",
    "Names of the only plugins to load, with commas between them. Empty loads none. It tells whether a plugin is to "
    "blame: `ISOSCOPE_PLUGINS=core,images,container` leaves all others out.",
)
LIBVIRT_URI = Variable(
    "ISOSCOPE_LIBVIRT_URI",
    "libvirt's embedded driver, without a daemon",
    "The libvirt daemon of this host that makes virtual machines, as in `qemu:///system`. `--connect` comes first.",
)
PATIENCE = Variable(
    "ISOSCOPE_PATIENCE",
    "`1`",
    "A factor from 1 to 1000 by which every deadline is stretched, for hosts that are slow or emulated themselves. It "
    "changes no figure: nothing is measured by a deadline.",
)
TESTING_HOME = Variable(
    "ISOSCOPE_TESTING_HOME",
    "a folder of pytest's own, for one session",
    "Where the fixtures of `isoscope.testing` keep images and the guest's kernel, so that the next session finds them.",
)

#: Isoscope's own.
VARIABLES = (HOME, PLUGINS, LIBVIRT_URI, PATIENCE, TESTING_HOME)

#: Other programs' that bear on it, too.
OTHERS = (
    Variable(
        "XDG_STATE_HOME", "`~/.local/state`", "Where the state directory is made, unless root or `ISOSCOPE_HOME` says."
    ),
    Variable(
        "XDG_RUNTIME_DIR",
        "the folder for temporary files",
        "Where sockets of libvirt's embedded driver lie, unless root: theirs are below `/run/isoscope`.",
    ),
    Variable("PATH", "what the system has", "Where programs are looked for, with `/usr/sbin` and `/sbin` behind it."),
    Variable("SHELL", "`/bin/sh`", "What `isoscope rig shell` starts."),
    Variable("SOURCE_DATE_EPOCH", "the time of the newest file", "The latest time that a file of a built image has."),
    Variable(
        "LIBVIRT_LOG_OUTPUTS", "nowhere", "Where libvirt writes what it warns of. It is libvirt's own, and passed on."
    ),
    Variable(
        "DOCKER_HOST",
        "`unix:///var/run/docker.sock`",
        "The engine of the backend `docker`. The option `host` comes first. `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` "
        "hold for it as for Docker's own client.",
    ),
    Variable("DISPLAY", "no screen", "Whether `isoscope lab` opens a browser: on a screen it does."),
    Variable("WAYLAND_DISPLAY", "no screen", "Likewise."),
    Variable("NO_COLOR", "colours on a terminal", "Set to anything, it leaves the output without colours."),
    Variable("COLUMNS", "the terminal's", "How wide tables are printed."),
)

#: What Isoscope sets for its own helper programs, and reads nowhere else; setting them has no use.
INTERNAL = ("FORLORN_S", "ISOSCOPE_RIG_DRIVERS", "ISOSCOPE_RIG_HOME", "ISOSCOPE_RIG_MODULES", "_ISOSCOPE_COMPLETE")

#: What lies in the state directory, by the name at its top. Whoever removes one ends all instances first.
STATE = {
    "cache": "what can be made again: the guest's kernel, init and disks, overlays for virtual machines, seccomp "
    "filters, the verdict on KVM, libvirt's knowledge of QEMU, the rig's QEMU. May be removed when no instance "
    "runs: the next command makes it anew, perhaps of a newer kernel",
    "engines": "which image was put into which Docker Engine, so that `isoscope gc` takes it out again",
    "images": "the image store, an OCI image layout: blobs, and `index.json` with their names",
    "instances": "a folder for each instance: its record, its log, and its socket",
    "layers": "the images' layers, unpacked once, read by all instances",
    "mounts": "the trees of running instances of `process`",
    "names": "the names that instances have",
    "network": "the bridge's leases of addresses",
    "podman": "the store and the locks of podman, our own and not the user's",
    "selftest.json": "what `isoscope selftest` found on this host",
    "sriov": "what cards were like before their virtual functions were made",
    "vm": "sockets, pid files and disks of running virtual machines",
}

#: What lies outside of it.
ELSEWHERE = {
    "/run/isoscope": "for root: libvirt's sockets of each process, and what the host's settings were before the first "
    "bridge changed them. A reboot forgets it together with the settings",
    "/sys/fs/cgroup/.../isoscope": "cgroups of running instances, for root; else in the cgroup that was delegated",
    "runs/": "in the working directory: a folder for each comparison, unless `-o` says where",
}
