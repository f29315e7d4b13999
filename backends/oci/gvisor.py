"""What is different with gVisor's runsc: a kernel of its own in a process, and options for it; gvisor.dev/docs."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from isoscope.backends.oci.runtime import Runtime
from isoscope.backends.peer.program import Program, query
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import HostError
from isoscope.core.workload import Network

#: How the sandbox takes the system calls of what runs in it.
PLATFORMS = ("default", "ptrace", "systrap", "kvm")

_NETWORKS = {Network.NONE: "none", Network.HOST: "host"}


def named(runtime: str) -> bool:
    """Whether a runtime is gVisor's, by its name or path."""
    return os.path.basename(runtime) == "runsc"


def capabilities(others: Capabilities) -> Capabilities:
    """What it can do, from what other runtimes can.

    Its tasks are none of the host's, so no cgroup limits their number. The bridge is left out: Debian 12's takes every
    network namespace for the host's own on a newer kernel ("cannot run with network enabled in root network
    namespace").
    """
    networks = others.networks - {Network.BRIDGE}
    return replace(others, networks=networks, limits=others.limits - {"pids"}, own_kernel=True)


def runtime(program: Program, platform: str) -> Runtime:
    """It, for a platform. Starts a sandbox to learn which kernel that has. Raises HostError."""
    if platform == "default":
        platform = _default_platform(program)
    return Runtime(program, (f"--platform={platform}",), _kernel(program, platform), platform)


def on_network(runtime: Runtime, network: Network) -> Runtime:
    """The same with a network of ours."""
    return replace(runtime, options=(*runtime.options, f"--network={_NETWORKS[network]}"))


def beside(state: Path) -> Iterator[int]:
    """The process that opens files for a sandbox, by the runtime's own account of it.

    It becomes a child of whoever adopts the sandbox. `runsc delete` waits until it is gone, and a child that nobody
    reaps is not: it then gives up after five seconds.
    """
    for file in state.glob("*.state"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            yield int(json.loads(file.read_text())["goferPid"])


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
