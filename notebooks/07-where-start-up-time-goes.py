# %% [markdown]
# # Where start-up time goes
#
# After this notebook you can take the start of a process, a container and a virtual machine apart into phases, draw
# them on one axis without hiding the short ones or flattering the long ones, say which clock somebody else's figure
# was taken by, and tell what the measuring itself costs.
#
# Figures below are of the machine that made them. On a machine without KVM the virtual machine is translated
# instruction by instruction (TCG): its figure says nothing of one with KVM. No check asks how long anything took.

# %%
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from ipywidgets import FloatLogSlider, interact
from isoscope.benchmarks import plot_style
from isoscope.core import Lab, Timeline, Workload

plt.rcParams.update(plot_style())
lab = Lab()
backends = [name for name in ("process", "container", "vm") if name in lab.ready()]
for name in sorted({"process", "container", "vm"} - set(backends)):
    print(f"not run here: {name}: {lab.backend(name).lacks()[0]}")
print("accelerator:", "kvm" if lab.host.kvm.usable else "tcg")

# %% [markdown]
# ## One start is a row of moments
#
# Everything begins when somebody says *now*, and a moment is noted whenever something has come to its end. The last
# that counts here is `ready`: the first byte of the program's own output has reached the host.

# %%
hello = {name: lab.run("hello", name) for name in backends}
timeline = hello["process"].timeline
pd.Series(timeline.moments).sub(timeline.moments["start"]).rename("ns since start").to_frame()

# %% [markdown]
# A *phase* lasts from the moment before it to its own. So phases have no gaps and no overlaps, and what you add up is
# what you measured, to the nanosecond:

# %%
for result in hello.values():
    assert sum(result.timeline.phases().values()) == result.timeline.span("start", "ready")
timeline.phases()

# %% [markdown]
# That is why there is no phase "other". A moment that nobody could see is not guessed: its time counts into the phase
# behind it.
#
# ## Three kinds of start
#
# The same program from the same image. A process is one `execve(2)`:

# %%
hello["process"].timeline

# %% [markdown]
# A container has that as well, at the end. Before it there is what the fifth notebook did by hand:

# %%
if "container" in hello:
    phases = list(hello["container"].timeline.phases())
    assert phases[-2:] == list(hello["process"].timeline.phases())[-2:] == ["exec", "ready"]
    display(hello["container"].timeline)

# %% [markdown]
# And a virtual machine has none of the container's phases, for it builds another thing, a machine, and boots a kernel
# in it, in which the program is then executed like any other.

# %%
if "vm" in hello:
    phases = list(hello["vm"].timeline.phases())
    assert set(phases) & set(hello["process"].timeline.phases()) == {"exec", "ready"}
    print("accelerator:", hello["vm"].proof["accelerator"])
    display(hello["vm"].timeline)

# %% [markdown]
# Look at the axes before you compare the three pictures: each has its own.
#
# ## More than one
#
# One start is an anecdote. `compare` makes one of each, in random order, and again, and again: what drifts on the
# host then falls on all of them alike. Four are few; they are enough to see a form by.

# %%
run = lab.compare("hello", backends=backends, blocks=4, seed=7)
assert run.complete
assert not run.failed
run.figures["startup-phases"]

# %% [markdown]
# ## Two stacks on one axis
#
# Both halves of that picture show the same medians. Above, all of them stand on *one* axis, so that a bar's end is
# when the program ran. Below, each bar is stretched to the same length, so that one sees what its own time went into.
# Neither will do alone, and the reason is in the upper axis. Here are its numbers:


# %%
def measured(run, metric):
    """Values of one metric, one a row, without the warm-ups: variant, trial, value."""
    rows = run.trials[(run.trials["metric"] == metric) & (run.trials["status"] == "ok") & ~run.trials["warmup"]]
    return rows[["variant", "trial", "value"]]


def ends(run, variant):
    """When each phase ended, in milliseconds since the start: medians over the trials."""
    rows = run.trials[(run.trials["variant"] == variant) & (run.trials["status"] == "ok") & ~run.trials["warmup"]]
    rows = rows[rows["metric"].str.startswith("phase.")]
    table = rows.pivot(index="trial", columns="metric", values="value")[list(rows["metric"].unique())]
    return table.rename(columns=lambda name: name.removeprefix("phase.")).cumsum(axis=1).median() / 1e6


stacks = {name: ends(run, name) for name in backends}
pd.concat(stacks, names=["variant", "phase"]).rename("ended after, ms").round(2).to_frame()

# %% [markdown]
# (Medians of the phases themselves would not add up to the median of the whole: a median is taken of each by itself,
# and the trial in the middle is not the same for all. Medians of the moments do, and stay in order.)
#
# On a linear axis lengths are true: twice as long is twice as long. But then the smallest stack is a hair.


# %%
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"]  # Okabe and Ito
HATCHES = ["", "//", "..", "xx", "--"]


NAMES = list(dict.fromkeys(phase for one in stacks.values() for phase in one.index))


def draw(axes, left=0.0):
    """One stack a row; what lies left of the axis's beginning is cut off."""
    for row, one in enumerate(stacks.values()):
        for phase, (begin, end) in zip(one.index, pairwise([left, *one.clip(lower=left)]), strict=True):
            place = NAMES.index(phase)
            look = {"color": COLOURS[place % 6], "hatch": HATCHES[place % 5], "edgecolor": "#1c1e21", "linewidth": 0.5}
            known = phase in axes.get_legend_handles_labels()[1]
            axes.barh(row, end - begin, left=begin, height=0.6, label="" if known else phase, **look)
    axes.set_yticks(range(len(stacks)), list(stacks))
    axes.invert_yaxis()


_, (linear, logarithmic) = plt.subplots(2, 1, figsize=(7.6, 4.2), layout="constrained")
draw(linear)
linear.set_xlabel("ms since the start, linear")
left = 10 ** np.floor(np.log10(min(one.iloc[0] for one in stacks.values())))
draw(logarithmic, left)
logarithmic.set(xscale="log", xlim=(left, None), xlabel="ms since the start, logarithmic")
logarithmic.xaxis.set_major_formatter("{x:g}")
linear.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()

# %% [markdown]
# On a logarithmic one they all can be seen, and lengths lie. Equal lengths are equal *ratios*: from 1 to 10 is as
# long as from 100 to 1000. So the same duration shrinks the later it comes, and where the first phase begins nobody
# can say, since there is no zero. What does a millisecond take up, at the beginning and at the end?

# %%
last = max(one.iloc[-1] for one in stacks.values())
early, late = np.log10(2 / 1), np.log10((last + 1) / last)
assert early > late
print(f"from 1 to 2 ms: {early:.3f} decades; from {last:.0f} to {last + 1:.0f} ms: {late:.6f} decades")

# %% [markdown]
# Turn the knob instead: it moves the right end of a linear axis. Where is the process? When does the container fill
# the width? And what of the machine can be seen then?

# %%
knob = FloatLogSlider(value=last, base=10, min=-0.5, max=np.log10(last * 1.1), step=0.05, description="ms")


def zoom(milliseconds):
    _, axes = plt.subplots(figsize=(7.6, 2))
    draw(axes)
    axes.set(xlim=(0, milliseconds), xlabel="ms since the start")
    plt.show()


_ = interact(zoom, milliseconds=knob)

# %% [markdown]
# ## Which clock is which
#
# "It starts in 125 ms": from where to where? Four clocks, one around the other, on one and the same start:

# %%
workload = Workload(command=["true"])
before = time.monotonic_ns()
result = lab.run(workload, backends[-1])
around = time.monotonic_ns() - before
clocks = {
    "around lab.run, in this notebook": around,
    "start to deleted (startup.total)": result.timeline.span("start", "deleted"),
    "start to ready (startup.ready)": result.timeline.span("start", "ready"),
    "start to the program's execve": sum(result.timeline.phases().values()) - result.timeline.phases()["ready"],
}
assert list(clocks.values()) == sorted(clocks.values(), reverse=True)
pd.Series(clocks, name=f"ms, {backends[-1]}").div(1e6).round(1).to_frame()

# %% [markdown]
# All of them are honest, and none may be compared with another. Outside of all there is the command line, which first
# has to start an interpreter:

# %%
before = time.monotonic_ns()
command = Path(sys.executable).with_name("isoscope")
subprocess.run([command, "run", "--rm", "-b", "process", "--", "true"], check=True)
print(f"a command that runs `true` in a plain process: {(time.monotonic_ns() - before) / 1e6:.0f} ms")

# %% [markdown]
# Papers choose, too. Firecracker's 125 ms go from an API call to the guest's init: neither the program nor the end of
# the VMM is in it. The nearest that can be taken here are two of our phases:

# %%
if "vm" in hello:
    phases = hello["vm"].timeline.phases()
    theirs, ours = phases["vmm"] + phases["kernel"], sum(phases.values())
    assert theirs < ours
    print(f"VMM and kernel: {theirs / 1e6:.0f} ms; until the program's first byte: {ours / 1e6:.0f} ms")

# %% [markdown]
# A clock is also a thing that ticks. Ours is `CLOCK_MONOTONIC` of the host (`clock_gettime(2)`), which nobody sets
# back. The time of day may jump, and a guest has a clock of its own, which began when its kernel did: of what went
# before, it cannot know.

# %%
if "vm" in backends:
    uptime = lab.run(Workload(command=["cat", "/proc/uptime"]), "vm")
    inside = float(uptime.output.split()[0]) * 1000
    outside = uptime.timeline.span("start", "ready") / 1e6
    assert inside < outside
    print(f"the guest thinks that it has run for {inside:.0f} ms; the host has waited for {outside:.0f} ms")

# %% [markdown]
# ## The whole distribution, not its mean
#
# Containers start quickly enough to be started often. Each curve below goes up by one step at each value: at a height
# of one half stands the median, at 0.9 the time within which nine of ten were ready. That is the *empirical
# cumulative distribution function*, ECDF: every value is in it, and nothing had to be assumed or rounded.

# %%
quick = [name for name in backends if name != "vm"]
many = lab.compare("hello", backends=[*quick, "null"], blocks=30, seed=7)
assert many.complete
assert not many.failed
many.figures["startup-ready-ecdf"]

# %% [markdown]
# Waiting times have a tail on one side: nothing makes a start much shorter than usual, and anything may make it
# longer. A mean follows the tail. We take the real values and delay one single start by a second:

# %%
values = measured(many, "startup.ready").query("variant == @quick[-1]")["value"].to_numpy() / 1e6
delayed = values.copy()
delayed[0] += 1000
table = pd.DataFrame({"measured": values, "one delayed": delayed}).agg(["mean", "median", "max"])
assert np.isclose(table.loc["mean", "one delayed"] - table.loc["mean", "measured"], 1000 / len(values))
assert table.loc["median", "one delayed"] <= np.sort(values)[len(values) // 2 + 1]  # one place further, at most
table.round(2)

# %% [markdown]
# The mean of thirty has moved by a thirtieth of a second, and describes no start that ever was. The median has gone
# to its neighbour, at most. That does not make the delayed start unimportant: it stands in the ECDF, at the upper
# right, where whoever promises something to somebody has to look.
#
# How sure is a median? The table has an interval for it, and one for the ratio, which is taken within blocks:

# %%
many

# %% [markdown]
# ## What the measuring costs
#
# The variant `null` above is a backend that runs nothing and is ready at once. Whatever the harness finds there is
# its own cost: `startup.ready` of `null` is what marks and locks take *within* the clock. `harness.trial` is a whole
# trial with all that is around it, records on disk and the look at the host included.

# %%
METRICS = ["startup.ready", "startup.total", "harness.trial"]
own = pd.DataFrame({metric: measured(many, metric).groupby("variant")["value"].median() / 1e6 for metric in METRICS})
own = own.loc[[*quick, "null"]]
own.round(3)

# %%
parts = measured(many, "startup.total").merge(measured(many, "harness.trial"), on=["variant", "trial"])
assert (parts["value_y"] >= parts["value_x"]).all(), "a trial holds the clocks that it takes"
share = own.loc["null", "startup.ready"] / own.loc[quick[0], "startup.ready"]
print(f"within the clock, the harness is {share:.1%} of the start of a plain {quick[0]}")

# %% [markdown]
# So if you measure something as short as a process, look at `null` first: a difference smaller than that is not one
# of what you compare. The rest of the trial, outside the clock, costs your time and not your figures.

# %% [markdown]
# ## Exercises
#
# **1.** Write `between(timeline, first, last)`: nanoseconds from the *beginning* of phase `first` to the *end* of
# phase `last`, of a timeline's `phases()`. Then `check_between(between)`.


# %%
def check_between(answer):
    one = Timeline(("define", "vmm", "kernel", "init", "exec", "ready"))
    for moment, at in (("start", 5), ("define", 15), ("vmm", 40), ("kernel", 100), ("init", 107), ("ready", 120)):
        one.mark(moment, at)
    assert answer(one, "vmm", "kernel") == 85
    assert answer(one, "define", "ready") == one.span("start", "ready"), "from the first to the last is all of it"
    assert answer(one, "ready", "ready") == 13, "the end of exec was not seen: its time counts into the next"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def between(timeline, first, last):
    names = list(timeline.phases())
    chosen = names[names.index(first) : names.index(last) + 1]
    return sum(timeline.phases()[name] for name in chosen)


check_between(between)

# %% [markdown]
# **2.** Write `ecdf(values, x)`: the share of the values that are at most `x`. Then `check_ecdf(ecdf)`.


# %%
def check_ecdf(answer):
    assert answer([3, 1, 2, 2], 2) == 0.75, "a value that is x itself counts"
    assert answer([3, 1, 2, 2], 0.5) == 0
    assert answer(values, values.max()) == 1
    assert answer(values, np.median(values)) >= 0.5
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def ecdf(values, x):
    return sum(value <= x for value in values) / len(values)


check_ecdf(ecdf)

# %% [markdown]
# **3.** Somebody tells you the 99th percentile of 30 starts. Write `beyond(count, percent)`: how many of so many
# values one may expect above that percentile. Fewer than one means that the figure is hardly more than the largest
# value that happened to come. Then `check_beyond(beyond)`.


# %%
def check_beyond(answer):
    assert np.isclose(answer(30, 99), 0.3)
    assert np.isclose(answer(1000, 99), 10)
    assert np.isclose(answer(30, 50), 15)
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def beyond(count, percent):
    return count * (100 - percent) / 100


check_beyond(beyond)

# %%
lab.close()
