"""One variant in one trial, with limits or without: a victim, and one neighbour after the other."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from math import ceil
from statistics import median

from isoscope.benchmarks.benchmark import Label, Trial, Value
from isoscope.benchmarks.interference import terms as ceilings
from isoscope.benchmarks.interference.metrics import ALONE, FINISHED, SLOWDOWN
from isoscope.benchmarks.interference.neighbour import neighbour
from isoscope.benchmarks.interference.terms import ON, Terms, relation, told
from isoscope.benchmarks.interference.victim import End, Outcome, Victim
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import CommandNotFound, InputError, InstanceFailed, IsoscopeError, Timeout
from isoscope.core.instance import Instance, Status

#: What a backend must be able to limit, for there to be limits at all.
_LIMITS = frozenset({"cpus", "memory", "pids"})

_LONGEST = 900  #: seconds that a neighbour runs at most; images/programs/hog.c takes no more

_LINGER = 1.0  #: seconds within which the end of a workload is seen that has made something else fail

_PATIENCE = 4  #: times the wanted time that the work may take alone, and some seconds more

_NS = 1_000_000_000

#: Units of work by variant.
Units = MutableMapping[str, int]


@dataclass(frozen=True)
class Work:
    """A victim's fixed piece of work."""

    victim: Victim
    units: int
    patience: float  #: seconds that it may take alone

    def alone(self) -> int:
        """Nanoseconds with nobody beside. Raises WorkloadFailed when it does not finish."""
        return self.victim.alone(self.units, self.patience)


@dataclass(frozen=True)
class _Encounter:
    """What became of the victim beside one neighbour."""

    neighbour: str
    outcome: Outcome
    labels: dict[str, Label]


@dataclass(frozen=True)
class Case:
    """What is measured, and on which terms."""

    trial: Trial
    terms: Terms
    capabilities: Capabilities
    units: Units  #: filled by the first trial of each variant, which is a warm-up

    @classmethod
    def of(cls, trial: Trial, limits: str, units: Units) -> Case:
        """The case of `limits=on` or `off` in a trial."""
        capabilities = trial.lab.capabilities(trial.variant)
        terms = Terms.of(limits, trial.options, trial.workload, trial.variant, capabilities)
        return cls(trial, terms, capabilities, units)

    def measure(self, troubles: list[IsoscopeError]) -> Iterator[Value]:
        """Every value of the case. What keeps a neighbour from being had is added to `troubles`."""
        refused = {name: self._refusal(name) for name in self._order()}
        for name, reason in refused.items():
            if reason:
                yield from self._missing(name, reason)
        wanted = [name for name, reason in refused.items() if not reason]
        if not wanted:
            return
        with self.trial.instance(replace(self.trial.workload, resources=self.terms.victim)) as instance:
            instance.start()
            instance.wait_ready(self.trial.timeout)
            work = self._work(instance)
            alone, met = list[int](), list[_Encounter]()
            if self.trial.warmup:
                alone.append(work.alone())
            for name in () if self.trial.warmup else wanted:
                self.trial.step(f"{name}, limits {self.terms.limits}")
                try:
                    _require(instance)
                    alone.append(work.alone())
                    met.append(self._meet(work, name, median(alone)))
                except IsoscopeError as error:  # what was found so far stays
                    troubles.append(error)
                    yield from self._missing(name, error.message)
            labels = self._labels(instance, work)
        if alone:
            yield Value(ALONE, median(alone) / work.units, labels)
        for one in met:
            yield from self._values(one, median(alone), labels)

    def _order(self) -> list[str]:
        """The neighbours in an order that differs from block to block and is always the same for the same block."""
        block, limits = self.trial.block, self.terms.limits
        names: tuple[str, ...] = self.trial.options["neighbours"]
        return sorted(names, key=lambda name: sha256(f"{block}/{limits}/{name}".encode()).digest())

    def _refusal(self, name: str) -> str:
        """Why a neighbour is not had here; empty when it may be."""
        if self.terms.limits == ON and (lacks := sorted(_LIMITS - self.capabilities.limits)):
            return f"limits=on: backend {self.trial.variant.backend!r} cannot limit {', '.join(lacks)}"
        options, home = self.trial.options, self.trial.lab.home
        return ceilings.too_dangerous(name, self.terms, options, self.capabilities) or ceilings.no_room(name, home)

    def _work(self, instance: Instance) -> Work:
        """The victim's work: as much as takes the wanted time, and the same in every trial of the variant."""
        victim, seconds = Victim(instance, self.trial.options["victim"]), self.trial.options["work"]
        variant, patience = str(self.trial.variant), self.trial.timeout + _PATIENCE * seconds
        if variant not in self.units:
            try:
                self.units[variant] = victim.calibrate(int(seconds * _NS), patience)
            except IsoscopeError as error:
                raise _unfit(error, instance) from error
        return Work(victim, self.units[variant], patience)

    def _meet(self, work: Work, name: str, alone_ns: float) -> _Encounter:
        """The victim's work beside a neighbour. Raises IsoscopeError when the neighbour cannot be had."""
        timeout = self.trial.options["patience"] * alone_ns / _NS
        amount = ceilings.amount(name, self.terms.neighbour)
        # It may take so long to be at work, and the victim to begin; then it ends by itself, whatever happens to us.
        seconds = min(_LONGEST, ceil(self.trial.timeout + timeout) + 60)
        resources = self.terms.neighbour
        with neighbour(self.trial, name, amount=amount, seconds=seconds, resources=resources) as beside:
            outcome = work.victim.run(work.units, timeout)
            account = beside.account()
        return _Encounter(name, outcome, {"neighbour_amount": amount, "ended": outcome.end.value, **account})

    # What is said

    def _labels(self, instance: Instance, work: Work) -> dict[str, Label]:
        return {
            **instance.proof(),
            "limits": self.terms.limits,
            "victim": self.trial.options["victim"],
            "units": work.units,
            "victim_limits": told(self.terms.victim),
            "neighbour_limits": told(self.terms.neighbour),
            "host_cpus": ceilings.host_cpus(),
            "autogroup": ceilings.groups_by_session(),
        }

    def _values(self, one: _Encounter, alone_ns: float, common: dict[str, Label]) -> Iterator[Value]:
        labels = {**common, **self._who(one.neighbour), **one.labels}
        slowdown = None if one.outcome.ns is None else one.outcome.ns / alone_ns
        yield Value(SLOWDOWN, slowdown, labels, reason=self._reason(one.outcome))
        yield Value(FINISHED, float(slowdown is not None), labels)

    def _missing(self, name: str, reason: str) -> Iterator[Value]:
        for metric in (SLOWDOWN, FINISHED):
            yield Value(metric, None, {"limits": self.terms.limits, **self._who(name)}, reason=reason)

    def _who(self, name: str) -> dict[str, Label]:
        return {"neighbour": name, "class": relation(self.trial.options["victim"], name)}

    def _reason(self, outcome: Outcome) -> str:
        if outcome.end is End.TIMED_OUT:
            return f"the victim did not finish within {self.trial.options['patience']} times as long as alone"
        return f"the victim {outcome.end.value}" + (f": {outcome.complaint}" if outcome.complaint else "")


def _unfit(error: IsoscopeError, instance: Instance) -> IsoscopeError:
    """Why no victim works in an instance, if that is because of the workload that was asked for."""
    if isinstance(error, CommandNotFound):
        return InputError("the image has no program `victim`", hint="give a workload whose image has, as `victim`")
    with suppress(Timeout):
        instance.wait(_LINGER)
        return InputError("the workload ended before the victim had begun", hint="give one that stays, as `victim`")
    return error


def _require(instance: Instance) -> None:
    if instance.status is not Status.RUNNING:
        raise InstanceFailed("the victim's instance has ended")
