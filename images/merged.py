"""Run a command that sees a stack of layers as one tree, in a mount namespace of its own.

`python -m isoscope.images.merged DIRECTORY COMMAND...` mounts the layers `DIRECTORY/0`, `DIRECTORY/1`, ... (symbolic
links, highest first) on `DIRECTORY/merged`, read-only, and becomes the command. Nobody else sees the mount, and it
goes with the process, however that ends. It dies with its parent.

Without root a user namespace is made, too, in which the caller's files belong to root.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_CLONE_NEWNS = 0x00020000  # clone(2)
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY, _MS_REC, _MS_PRIVATE = 0x1, 0x4000, 0x40000  # mount(2)
_PR_SET_PDEATHSIG = 1  # prctl(2)
#: How the process ends when it could not become the command.
FAILED = 125

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Mount and become the command; does not return."""
    directory, *command = arguments
    try:
        _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
        _unshare()
        _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount")
        os.chdir(directory)
        _mount_overlay()
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        print(error.strerror or error, error.filename or "", file=sys.stderr)  # noqa: T201
        sys.exit(FAILED)


def _unshare() -> None:
    if os.geteuid() == 0:
        _check(_libc.unshare(_CLONE_NEWNS), "unshare")
        return
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mount_overlay() -> None:
    # Names of one digit or two keep 127 layers within the page that mount(2) takes for its options.
    layers = sorted((name for name in os.listdir() if name.isdecimal()), key=int)
    options = f"lowerdir={':'.join(layers)}"
    if _marks_are_user_attributes():
        options += ",userxattr"
    result = _libc.mount(b"isoscope", b"merged", b"overlay", _MS_RDONLY, options.encode())
    _check(result, "mount overlay")


def _marks_are_user_attributes() -> bool:
    """Whether this process may not see `trusted.overlay.*`, so that `extract` has written `user.overlay.*`."""
    with open("/proc/self/uid_map") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
