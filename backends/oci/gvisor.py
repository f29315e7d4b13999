"""What is different with gVisor's runsc: a kernel of its own in a process, and options for it; gvisor.dev/docs."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from isoscope.backends.oci.runtime import Runtime
from isoscope.backends.peer.program import Program, query
from isoscope.core.errors import HostError
from isoscope.core.workload import Network

#: How the sandbox takes the system calls of what runs in it.
PLATFORMS = ("default", "ptrace", "systrap", "kvm")

_NETWORKS = {Network.NONE: "none", Network.HOST: "host", Network.BRIDGE: "sandbox"}


def made(program: Program) -> bool:
    """Whether a runtime is gVisor's."""
    return program.version.startswith("runsc ") or os.path.basename(program.path) == "runsc"


def runtime(program: Program, platform: str) -> Runtime:
    """It, for a platform. Starts a sandbox to learn which kernel that has. Raises HostError."""
    if platform == "default":
        platform = _default_platform(program)
    return Runtime(program, (f"--platform={platform}",), _kernel(program, platform), platform)


def on_network(runtime: Runtime, network: Network) -> Runtime:
    """The same with a network of ours."""
    return replace(runtime, options=(*runtime.options, f"--network={_NETWORKS[network]}"))


def _default_platform(program: Program) -> str:
    told = re.search(r"-platform string.*?\(default \"(\w+)\"\)", query([program.path, "flags"]), re.DOTALL)
    return told.group(1) if told else "default"


def _kernel(program: Program, platform: str) -> str:
    """The release of the kernel that a sandbox shows."""
    options = ["--network=none", "--ignore-cgroups", f"--platform={platform}"]
    told = re.search(r"Linux version (\S+)", query([program.path, *options, "do", "cat", "/proc/version"]))
    if told is None:
        raise HostError("runsc started a sandbox that shows no kernel", hint="see what `runsc do dmesg` says")
    return told.group(1)
