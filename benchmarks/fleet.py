"""Several instances of one trial: made and started one by one or some at once, and all of them gone in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from isoscope.benchmarks.benchmark import Trial
    from isoscope.core.instance import Instance

T = TypeVar("T")
R = TypeVar("R")


class Fleet:
    """The instances of a trial. A context manager that deletes every one of them, whatever happens."""

    def __init__(self, trial: Trial, at_once: int) -> None:
        self._trial = trial
        self._at_once = at_once  #: how many threads make, start and delete; the calling one alone for 1
        self._pool: ThreadPoolExecutor | None = None
        self._made: list[Instance] = []

    def create(self) -> Instance:
        """Make an instance. Raises what `Lab.create` raises."""
        with self._trial.shield():
            return self._create()

    def create_many(self, count: int) -> list[Instance]:
        """Make several. Raises the first error; what was made before stays in the fleet."""
        with self._trial.shield():
            made = self._each(lambda _: self._create(), range(count))
        return [one.result() for one in made]

    def start_each(self, instances: Sequence[Instance]) -> list[Future[None]]:
        """Start them, as many at a time as there are threads, and wait until each is ready or has failed."""
        return self._each(self._start, instances)

    def start_at_once(self, instances: Sequence[Instance]) -> list[Future[None]]:
        """Have a thread for each instance, ask for all of them in the same moment, and wait like `start_each`."""
        gate = threading.Barrier(len(instances))

        def start(instance: Instance) -> None:
            gate.wait()
            self._start(instance)

        with ThreadPoolExecutor(len(instances), "isoscope-at-once") as pool:
            try:
                futures = [pool.submit(start, instance) for instance in instances]
                wait(futures)
            except BaseException:  # a signal: those that wait for others must not wait for ever
                gate.abort()
                raise
        return futures

    def delete(self, instance: Instance) -> None:
        """Delete one before the end."""
        with self._trial.shield():
            instance.delete()
            self._made.remove(instance)

    def close(self) -> None:
        """Delete all. Raises the first error, after each has had its turn."""
        try:
            with self._trial.shield():
                self._delete_all()
        except KeyboardInterrupt:  # perhaps before the shield was up; to delete twice does no harm
            self._delete_all()
            raise

    def _create(self) -> Instance:
        trial = self._trial
        instance = trial.lab.create(trial.workload, trial.variant)
        self._made.append(instance)
        return instance

    def _start(self, instance: Instance) -> None:
        instance.start()
        instance.wait_ready(self._trial.timeout)

    def _delete_all(self) -> None:
        self._end_threads()  # what starts now is deleted once it has
        outcomes = self._each(lambda instance: instance.delete(), list(self._made))
        self._end_threads()
        for outcome in outcomes:
            outcome.result()
        self._made.clear()

    def _end_threads(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _each(self, work: Callable[[T], R], items: Iterable[T]) -> list[Future[R]]:
        """Do something with each item, and wait for all. What it raised is in its future."""
        if self._at_once == 1:
            return [_done(work, item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once, "isoscope-fleet")
        futures = [self._pool.submit(work, item) for item in items]
        wait(futures)
        return futures

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _done(work: Callable[[T], R], item: T) -> Future[R]:
    """What a thread would have left, without one. A signal goes through."""
    future: Future[R] = Future()
    try:
        future.set_result(work(item))
    except Exception as error:
        future.set_exception(error)
    return future
