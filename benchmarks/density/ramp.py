"""The ramp: more and more instances, each proved alive at every step, until enough run or something ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any, NoReturn

from isoscope.benchmarks.density.alive import check_alive, check_answers
from isoscope.benchmarks.density.cause import limit_behind
from isoscope.benchmarks.density.look import Look, Observer
from isoscope.benchmarks.density.steps import steps
from isoscope.benchmarks.descriptors import Descriptors, open_descriptors
from isoscope.benchmarks.fleet import Fleet
from isoscope.core.errors import InstanceFailed, IsoscopeError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from isoscope.core.instance import Instance

#: What ends a ramp that is not a limit of the host.
ENOUGH = "enough"
BUDGET = "time budget"


class Stopped(Exception):
    """The ramp ends here, and not because an instance failed."""

    def __init__(self, limit: str, why: str) -> None:
        super().__init__(why)
        self.limit = limit


@dataclass
class Found:
    """What a ramp found, as far as it came."""

    before: Look
    looks: list[Look] = field(default_factory=list)
    startups: list[tuple[int, int]] = field(default_factory=list)  #: instances already running, ns until ready
    ramp_ns: int = 0  #: spent on making and starting
    proof: Mapping[str, str] = field(default_factory=dict)  #: of the first instance
    limit: str = ENOUGH  #: what ended it
    why: str = ""
    failure: IsoscopeError | None = None  #: of an instance, which ended it

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "limit": self.limit,
            "why": self.why,
            "failure": self.failure and self.failure.as_dict(),
            "ramp_ns": self.ramp_ns,
            "proof": dict(self.proof),
            "startups": [{"running": running, "ready_ns": ns} for running, ns in self.startups],
            "looks": [look.as_dict() for look in (self.before, *self.looks)],
        }


class Ramp:
    """Starts instances of `fleet` and looks at them."""

    def __init__(
        self,
        fleet: Fleet,
        observer: Observer,
        descriptors: Descriptors,
        *,
        upto: int,
        at_once: int,
        budget: float,
        timeout: float,
        progress: Callable[[str], None],
    ) -> None:
        self._fleet, self._observer, self._descriptors = fleet, observer, descriptors
        self._upto, self._at_once = upto, at_once
        self._deadline = monotonic() + budget
        self._timeout = timeout  #: seconds that an instance may take to answer
        self._progress = progress
        self._running: list[Instance] = []

    def climb(self) -> Found:
        """Go up as far as it goes. What an instance's failure ended has it in `Found.failure`."""
        found = Found(self._observer.look(()))
        try:
            self._climb(found)
        except Stopped as stop:
            found.limit, found.why = stop.limit, str(stop)
            self._descriptors.release_spare()
            self._last_look(found)
        except IsoscopeError as error:
            found.limit, found.why, found.failure = "failure", error.message, error
        except OSError as error:  # of a look
            limit = limit_behind(error, {}, None)
            if limit is None:
                raise
            found.limit, found.why = limit, f"{len(self._running)} instances cannot be looked at: {error.strerror}"
        return found

    def _climb(self, found: Found) -> None:
        for target in steps(self._upto):
            self._start_one(found)  # alone, with the previous step's instances running
            self._grow(found, target)
            self._look(found)
        self._start_one(found)

    def _grow(self, found: Found, target: int) -> None:
        while (missing := target - len(self._running)) > 0:
            if self._at_once == 1:
                self._start_one(found)
            else:
                self._start_batch(found, min(missing, self._at_once))

    def _start_one(self, found: Found) -> None:
        self._check_stop_rules()
        held, began = open_descriptors(), monotonic_ns()
        try:
            instance = self._fleet.create()
        except Exception as error:
            self._give_up(found, error)
        started = self._fleet.start_each([instance])
        found.ramp_ns += monotonic_ns() - began
        self._take(found, [instance], started)
        found.startups.append((len(self._running) - 1, instance.timeline.span("start", "ready") or 0))
        if len(self._running) == 1:
            found.proof = instance.proof()
            self._descriptors.make_room(open_descriptors() - held, self._upto + 1)

    def _start_batch(self, found: Found, count: int) -> None:
        self._check_stop_rules()
        began = monotonic_ns()
        try:
            instances = self._fleet.create_many(count)
        except Exception as error:
            self._give_up(found, error)
        started = self._fleet.start_each(instances)
        found.ramp_ns += monotonic_ns() - began
        self._take(found, instances, started)

    def _take(self, found: Found, instances: list[Instance], started: list[Future[None]]) -> None:
        """Count those that started; the error of the first that did not ends the ramp."""
        failed = None
        for instance, outcome in zip(instances, started, strict=True):
            if (error := outcome.exception()) is None:
                self._running.append(instance)
            else:
                failed = failed or error
                self._descriptors.release_spare()
                self._fleet.delete(instance)
        self._progress(f"{len(self._running)} of {self._upto} instances")
        if failed is not None:
            self._give_up(found, failed)

    def _check_stop_rules(self) -> None:
        if self._observer.memory_is_short():
            raise Stopped("memory", "the host's available memory is down to the floor")
        if monotonic() > self._deadline:
            raise Stopped(BUDGET, "the time for a ramp is over")

    def _give_up(self, found: Found, error: BaseException) -> NoReturn:
        """An instance did not start: the limit that it was, or its failure. The first one's error stands for itself."""
        self._descriptors.release_spare()
        if not self._running:
            raise error
        which = f"instance {len(self._running) + 1} of {self._upto}"
        told = error.message if isinstance(error, IsoscopeError) else f"{type(error).__name__}: {error}"
        idle = found.looks[-1].idle if found.looks else None
        limit = limit_behind(error, self._observer.usage(self._running), idle)
        if limit is not None:
            raise Stopped(limit, f"{which} did not start: {told}") from error
        hint = error.hint if isinstance(error, IsoscopeError) else ""
        raise InstanceFailed(f"{which} did not start: {told}", hint=hint) from error

    def _look(self, found: Found) -> None:
        try:
            check_alive(self._running, found.proof)
            check_answers(self._running, self._timeout)
            look = self._observer.look(self._running)
        except IsoscopeError:
            check_alive(self._running, found.proof)  # one that has gone meanwhile is told as what it is
            raise
        check_alive(self._running, found.proof)
        found.looks.append(look)

    def _last_look(self, found: Found) -> None:
        """A ramp that ends between two steps is looked at where it ended."""
        if self._running and (not found.looks or found.looks[-1].instances < len(self._running)):
            try:
                self._look(found)
            except IsoscopeError as error:
                found.failure = error
