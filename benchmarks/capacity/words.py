"""A plan as people read it."""

from __future__ import annotations

from isoscope.benchmarks.capacity.host import FLOOR
from isoscope.benchmarks.capacity.plan import FAR, Plan, Room
from isoscope.benchmarks.density import limits
from isoscope.benchmarks.results.quantity import number
from isoscope.benchmarks.told import Table, Told
from isoscope.core.units import format_duration, format_size


def told(plan: Plan, instances: int | None = None) -> Told:
    """How many fit, what binds, how far that is from what was measured, and how fast they start.

    With `instances`, also how many hosts so many need.
    """
    value, low, high = plan.fits
    yield f"{value:,} instances of {plan.workload} fit one host on {plan.variant} [{low:,}, {high:,}]"
    yield f"  {plan.binding.limit} is used up first"
    if plan.hosts > 1:
        yield f"  {value * plan.hosts:,} on {plan.hosts:,} such hosts [{low * plan.hosts:,}, {high * plan.hosts:,}]"
    if instances is not None:
        yield f"  {_hosts(plan, instances)}"
    yield f"  measured to {plan.measured_to:,} instances: this is {plan.beyond:.3g}x as many"
    if plan.beyond > FAR:
        yield f"  more than {FAR}x: a guess that the line goes on as it began"
    if plan.reserved is not None:
        yield f"  {plan.reserved:,} when each takes all that it may: {plan.reserved_by}"
    yield ""
    yield Table(("limit", "one more takes", "free", "fits", "interval", "the host's"), tuple(map(_row, plan.rooms)))
    yield ""
    yield from _starts(plan)
    yield from _notes(plan)


def _hosts(plan: Plan, instances: int) -> str:
    found = plan.hosts_for(instances)
    if found is None:
        return f"{instances:,} instances: it is not certain that any fits"
    value, best, worst = found
    return f"{instances:,} instances need {value:,} such hosts [{best:,}, {worst:,}]"


def _row(room: Room) -> tuple[str, ...]:
    each = room.fit.each
    ends = f" [{_amount(room.limit, each.low)}, {_amount(room.limit, each.high)}]"
    source = "as told" if room.told else "as on the measured one"
    free = _amount(room.limit, max(0.0, room.most - room.fit.base))
    name = f"{room.limit}, by {room.fit.by}" if room.fit.by != room.limit else room.limit
    return (
        name,
        _amount(room.limit, each.value) + ends,
        free,
        f"{room.fits:,}",
        f"[{room.low:,}, {room.high:,}]",
        source,
    )


def _amount(limit: str, value: float) -> str:
    return format_size(value) if limit == limits.MEMORY else number(value)


def _starts(plan: Plan) -> list[str]:
    lines = []
    for one in plan.rates:
        how = "one after another" if one.at_once == 1 else f"{one.at_once} at once"
        ends = (
            f"[{number(one.low)}, {number(one.high)}]{'' if one.confident else ', the slowest and the fastest trial'}"
        )
        lines.append(f"starts a second, {how}, on the measured host: {number(one.value)} {ends} ({one.source})")
    measured, planned = plan.cpus
    if plan.rates and planned > measured:
        best = max(one.value for one in plan.rates)
        scaled = number(best * planned / measured)
        lines.append(
            f"  on {planned} CPUs: at least {number(best)} if nothing is gained, {scaled} if all is; not measured"
        )
    if not any(one.at_once > 1 for one in plan.rates):
        lines.append(
            "  several at once were not measured: "
            f"isoscope compare -m startup:at-once=8 -b {plan.variant.split(' ')[0]}"
        )
    if plan.growth is None:
        return lines
    if not plan.growth.holds:
        lines.append("the start of one more grows, but not along a line: nothing is said of many")
    elif plan.growth.flat:
        lines.append("the start of one more is not shown to grow with those that run; one after another, "
                     f"a host fills at this pace in {format_duration(plan.growth.fill(plan.fits[0]))}")  # fmt: skip
    else:
        each = plan.growth.each
        lines.append(
            f"each one that runs adds {format_duration(each.value)} [{format_duration(each.low)}, "
            f"{format_duration(each.high)}] to the next start; one after another, a host fills at this pace in "
            f"{format_duration(plan.growth.fill(plan.fits[0]))}"
        )
    return lines


def _notes(plan: Plan) -> list[str]:
    each = plan.binding.fit.each
    kind = "95 % intervals of the median" if each.confident else "the least and the greatest: too few for an interval"
    lines = [f"from {plan.source}: {plan.blocks} ramps; in brackets above, {kind}"]
    if not plan.own:
        lines.append(f"measured with {plan.workload}, not with the workload itself: what that one takes comes on top")
    lines.append(
        f"{FLOOR:.0%} of the memory stays free, and what the measured host used without instances is taken; "
        "the instances were left idle"
    )
    return lines
