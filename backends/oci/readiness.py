"""Whether a runtime can make containers here, found out by having it make one with nothing in it.

A command that does not exist is the last thing that it can stumble over. So it is the proof that everything else went
well: cgroups of the layout that this host has, namespaces, mounts.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from isoscope.backends.launcher.cgroups import FOLDER
from isoscope.backends.oci.bundle import VERSION, Bundle
from isoscope.backends.oci.runtime import ABOUT_COMMAND, Runtime
from isoscope.backends.peer import trial
from isoscope.core.errors import BackendUnavailable, InstanceFailed, IsoscopeError


def check(runtime: Runtime, home: Path) -> None:
    """Raises BackendUnavailable with what the runtime said, or what `Runtime.call` raises."""
    mark = trial.mark("oci")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="oci-", dir=home) as directory:
        root = Path(directory) / "rootfs"
        (root / "dev").mkdir(parents=True)  # crun fills it, and makes none
        bundle = Bundle(Path(directory) / "bundle")
        bundle.write(_config(root, mark))
        try:
            runtime.call(bundle.state, "run", "--bundle", str(bundle.directory), mark)
        except InstanceFailed as error:
            if not ABOUT_COMMAND.search(error.message):
                raise BackendUnavailable(error.message, hint=_remedy(runtime, error.message)) from error
        else:
            raise BackendUnavailable(
                f"{runtime.program.path} ran a command that does not exist", hint="it is no OCI runtime: give another"
            )
        finally:
            with contextlib.suppress(IsoscopeError):  # most have removed everything themselves
                runtime.call(bundle.state, "delete", "--force", mark)


def _remedy(runtime: Runtime, said: str) -> str:
    if "hybrid" in said:  # crun's word for the layout of cgroups
        return "boot with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1), or take oci:runtime=runc"
    return f"see what {runtime.name} needs, or take oci:runtime=runc"


def _config(root: Path, mark: str) -> dict[str, object]:
    return {
        "ociVersion": VERSION,
        "process": {"user": {"uid": 0, "gid": 0}, "args": [trial.NO_COMMAND], "cwd": "/", "env": ["PATH=/"]},
        "root": {"path": str(root)},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
            "cgroupsPath": f"/{FOLDER}/{mark}",
            "resources": {"pids": {"limit": 100}},
        },
    }
