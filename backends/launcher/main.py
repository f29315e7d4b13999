"""The helper's entry: `python -I -S main.py FD MODULE...`, started by `client` and by nobody else.

It is forked for every start of an instance, and forking costs by the size of what is forked. So it has one thread,
imports next to nothing, and sees of our packages only `isoscope.backends`.
"""

from __future__ import annotations

import sys


def _show_backends(directory: str) -> None:
    """Make `isoscope.backends` importable without site-packages, whichever way it was installed."""
    module = type(sys)
    for name, path in (("isoscope", []), ("isoscope.backends", [directory])):
        package = module(name)
        package.__path__ = path
        sys.modules[name] = package


def _reset_internal_signals() -> None:
    """Give signals 32 and 33 their default again.

    glibc keeps them for itself and lets nobody touch them, but its posix_spawn(3) leaves them ignored in what it
    starts, and GNU make starts programs by it. So rt_sigaction(2) is called past it, with a kernel_sigaction of zeros.
    """
    import ctypes
    import os

    rt_sigaction = {"x86_64": 13, "aarch64": 134}.get(os.uname().machine)
    if rt_sigaction is not None:
        for number in (32, 33):
            ctypes.CDLL(None).syscall(rt_sigaction, number, bytes(32), None, ctypes.c_size_t(8))


def main(fd: str, directory: str, *modules: str) -> None:
    """Serve on the socket `fd` until its other end is closed, with the steps that `modules` define."""
    _show_backends(directory)
    import _signal  # type: ignore[import-not-found]  # typeshed has only the module above it, which imports enum
    import _socket
    import gc
    from importlib import import_module

    from isoscope.backends.launcher.serve import Server

    for name in modules:
        module = import_module(name)
        if hasattr(module, "at_start"):
            module.at_start()
    # Python ignores some, a shell others in what it runs in the background, and what is ignored stays so across exec.
    for number in set(_signal.valid_signals()) - {_signal.SIGKILL, _signal.SIGSTOP}:
        _signal.signal(number, _signal.SIG_DFL)
    _reset_internal_signals()
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])
    # A collection in the child would touch, and so copy, every page.
    gc.collect()
    gc.disable()
    gc.freeze()
    Server(_socket.socket(fileno=int(fd))).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
