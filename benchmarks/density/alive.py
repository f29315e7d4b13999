"""Whether every instance of a ramp is still there, and is what the others are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isoscope.benchmarks.inside import run_inside
from isoscope.core.errors import (
    CommandNotExecutable,
    CommandNotFound,
    InstanceFailed,
    IsoscopeError,
    Timeout,
    Unsupported,
)
from isoscope.core.instance import Instance, Status

#: What all instances of a variant show alike; their cgroups and namespaces are each one's own.
_ALIKE = ("kernel", "accelerator", "machine", "qemu")

_NEWS = 1.0  #: seconds within which the end of an instance that has ended is heard of


def check_alive(running: Sequence[Instance], proof: Mapping[str, str]) -> None:
    """Check that every instance runs, and on the same terms as the first. Raises InstanceFailed.

    Its end is an event that the backend waits for (a pidfd, the hang-up of a VM's channel), so its status is true.
    """
    for place, instance in enumerate(running):
        if instance.status is not Status.RUNNING:
            raise _gone(running, place)
        shown = instance.proof()
        for name in _ALIKE:
            if shown.get(name) != proof.get(name):
                raise InstanceFailed(
                    f"instance {place + 1} of {len(running)} is not like the first: {name} {shown.get(name)}, "
                    f"not {proof.get(name)}"
                )


def check_answers(running: Sequence[Instance], timeout: float) -> None:
    """Have the first, the middle and the last instance run a command, which a hung one does not. Raises InstanceFailed.

    A backend that runs no second commands is not asked.
    """
    for place in sorted({0, len(running) // 2, len(running) - 1}):
        try:
            run_inside(running[place], ("true",), timeout=timeout)
        except (CommandNotFound, CommandNotExecutable):  # an answer, too
            continue
        except Unsupported:
            return
        except IsoscopeError as error:
            if _ends(running[place]):
                raise _gone(running, place) from error
            raise InstanceFailed(
                f"instance {place + 1} of {len(running)} does not answer: {error.message}", hint=error.hint
            ) from error


def _ends(instance: Instance) -> bool:
    """Whether it has ended: what made it fail to answer may be known before the news of its end."""
    try:
        instance.wait(_NEWS)
    except Timeout:
        return False
    except IsoscopeError:
        return True
    return True


def _gone(running: Sequence[Instance], place: int) -> InstanceFailed:
    instance = running[place]
    stays = instance.exit is not None and instance.exit.code is not None
    return InstanceFailed(
        f"instance {place + 1} of {len(running)} is gone: {_end(instance)}",
        hint="density needs a workload that stays, such as sleep" if stays else "",
    )


def _end(instance: Instance) -> str:
    """How an instance ended that should not have."""
    try:
        how = instance.wait(0)
    except IsoscopeError as error:
        return error.message
    if how.oom_killed:
        return "it was killed for want of memory"
    if how.signal is not None:
        return f"it was killed by signal {how.signal}"
    return f"its workload ended with status {how.exit_status}"
