"""libvirt's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isoscope.core.errors import BackendUnavailable, HostError, InstanceFailed, IsoscopeError


@contextmanager
def libvirt_errors(doing: str, *, error: type[IsoscopeError] = InstanceFailed, hint: str = "") -> Iterator[None]:
    """Raise `error` with what libvirt has to say about a failed call."""
    import libvirt

    try:
        yield
    except libvirt.libvirtError as failure:
        said = " ".join(str(failure).split())
        if "No space left on device" in said:
            raise HostError(f"{doing}: no space left on the device", hint="free some space") from failure
        if "io_uring" in said:  # a QEMU that was built without it
            raise BackendUnavailable(f"{doing}: {said}", hint="use aio=threads or aio=native") from failure
        raise error(f"{doing}: {said}", hint=hint) from failure
