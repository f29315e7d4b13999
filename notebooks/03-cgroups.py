# %% [markdown]
# # Control groups, and what a limit feels like
#
# After this notebook you can put a process into a control group by hand, limit its processor time, its memory and its
# number of tasks, in both versions that are in use; and you can read from the kernel's own counters that a limit bit.
#
# Namespaces hide things; control groups count and limit them (`cgroups(7)`). Making one takes root, or a part of the
# tree that root has handed down.

# %%
import atexit
import os
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from ipywidgets import IntSlider, interact
from isoscope.benchmarks import plot_style
from isoscope.core import Lab, Workload

plt.rcParams.update(plot_style())
lab = Lab()
print(Path("/proc/self/cgroup").read_text())

# %% [markdown]
# That is where this notebook is: one line for each hierarchy. In version 1 every *controller* may have a tree of its
# own; version 2 has one tree for all, the line that begins with `0::`. What is this host's way, and may we use it?

# %%
cgroups = lab.host.cgroups
controllers = {name: cgroups.controllers[name] for name in ("cpu", "memory", "pids") if name in cgroups.controllers}
may = len(controllers) == 3 and all(one.top.writable.available for one in controllers.values())
print("layout:", cgroups.layout)
for name, one in controllers.items():
    print(f"{name}: version {one.version}, at {one.top.path}")
if not may:
    print("not run here: the cells that make a group by hand, for that takes root:", cgroups.reason)

# %% [markdown]
# ## A group is a directory
#
# `mkdir` makes one, writing a pid to its file `cgroup.procs` moves a process in, `rmdir` removes it. The rest of the
# files are its knobs and counters. The two versions name them differently, and that is all that we have to hide to
# have one notebook for both:

# %%
FILES = {
    1: {
        "cpu limit": "cpu.cfs_quota_us",
        "cpu counts": "cpu.stat",
        "memory limit": "memory.limit_in_bytes",
        "memory now": "memory.usage_in_bytes",
        "pids limit": "pids.max",
    },
    2: {
        "cpu limit": "cpu.max",
        "cpu counts": "cpu.stat",
        "memory limit": "memory.max",
        "memory now": "memory.current",
        "pids limit": "pids.max",
    },
}
pd.DataFrame(FILES).rename(columns=lambda version: f"version {version}")

# %%
NAME = f"isoscope-notebook-{os.getpid()}"


def group(what):
    """The path of one of our group's files, such as "cpu limit"; the group is made when it is missing."""
    controller = controllers[what.split()[0]]
    if controller.version == 2:  # children have only the controllers that their parent hands down
        (controller.top.path / "cgroup.subtree_control").write_text(f"+{controller.name}")
    directory = controller.top.path / NAME
    directory.mkdir(exist_ok=True)
    return directory / FILES[controller.version][what]


def enter(what):
    """For subprocess: called in the child before it executes its program, to move itself into the group."""
    return lambda: group(what).with_name("cgroup.procs").write_text(str(os.getpid()))


@atexit.register  # should you stop half-way, the groups go when the kernel of this notebook does
def remove_groups():
    for directory in {one.top.path / NAME for one in controllers.values()}:
        if directory.exists():
            directory.rmdir()


if may:
    print(group("cpu limit"), "says", group("cpu limit").read_text().strip())

# %% [markdown]
# ## Processor time
#
# The limit is a quota in each period: at most so many microseconds of processor time in every 100 000. Half a
# processor is 50 000. A program that does nothing but work shows what that means. We let it run free for a moment,
# then halve it, then leave it a fifth, and last a hundredth.


# %%
def limit_cpu(share):
    """Half a processor for 0.5, no limit for None. The period is the default, 100 ms."""
    if controllers["cpu"].version == 1:
        group("cpu limit").write_text("-1" if share is None else str(round(share * 100_000)))
    else:
        group("cpu limit").write_text("max 100000" if share is None else f"{round(share * 100_000)} 100000")


def on_cpu(pid):
    """Nanoseconds that a process has been on a processor: /proc/PID/schedstat, its first field."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


# %%
def watch_cpu(plan, step=0.25):
    """Run a busy program through a plan of (share, seconds), and draw what it gets while it runs."""
    figure, axes = plt.subplots(figsize=(7.6, 3))
    handle = display(figure, display_id=True)
    at, used, allowed = [], [], []
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=enter("cpu limit")) as busy:
        began = before = time.monotonic_ns()
        spent = on_cpu(busy.pid)
        for share, seconds in plan:
            limit_cpu(share)
            for _ in range(round(seconds / step)):
                time.sleep(step)
                now, total = time.monotonic_ns(), on_cpu(busy.pid)
                at.append((now - began) / 1e9)
                used.append((total - spent) / (now - before))
                allowed.append(1 if share is None else share)
                before, spent = now, total
            axes.clear()
            axes.step(at, allowed, where="mid", label="allowed", marker="")
            axes.plot(at, used, label="used")
            axes.set(xlabel="seconds", ylabel="processors", ylim=(0, 1.15), xlim=(0, None))
            axes.legend(loc="upper right")
            handle.update(figure)
        busy.kill()
    plt.close(figure)
    return pd.DataFrame({"at": at, "allowed": allowed, "used": used})


if may:
    samples = watch_cpu([(None, 1), (0.5, 1.25), (0.2, 1.25), (0.01, 1.25)])

# %% [markdown]
# The limit does not make the processor slower. In each period the group runs at full speed until its quota is spent,
# and then not at all until the next period begins. The kernel counts how often that happened, and for how long:

# %%
if may:
    counts = dict(line.split() for line in group("cpu counts").read_text().splitlines())
    assert int(counts["nr_throttled"]) > 0
    display(pd.Series(counts)[["nr_periods", "nr_throttled"]])

# %% [markdown]
# So a quota costs latency, not just throughput: whoever has spent theirs 20 ms into the period answers 80 ms later. It
# is the first thing to look at when a container "is sometimes slow".
#
# ## Memory
#
# For memory there is no next period. This program takes four megabytes at a time and writes to them, for memory counts
# when it is touched; it tells us after each.

# %%
EAT = """
import sys
taken = []
while len(taken) < int(sys.argv[1]):
    taken.append(bytearray(b"x") * (4 << 20))
    print(len(taken) * 4, flush=True)
"""


def eat(limit, most=160):
    """Let the program take up to `most` MiB in a group with so many MiB. Returns what it had, and how it ended."""
    group("memory limit").write_text(str(limit << 20))
    command = [sys.executable, "-c", EAT, str(most // 4)]
    taken, charged = [], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=enter("memory limit")) as eater:
        for line in eater.stdout:
            taken.append(int(line))
            charged.append(int(group("memory now").read_text()) >> 20)
    return pd.DataFrame({"taken": taken, "charged": charged}), eater.returncode


if may:
    free, status = eat(limit=512)
    assert status == 0
    tight, status = eat(limit=64)
    assert status == -9
    print("it ended by signal", -status)

# %% [markdown]
# Under 64 MiB it did not get an error from `malloc(3)`: Linux promises memory freely, and when it cannot keep the
# promise within the group, it kills somebody in the group with SIGKILL. Both runs in one plot:


# %%
def draw(free, tight, limit):
    _, axes = plt.subplots(figsize=(7.6, 3))
    axes.plot(free["taken"], free["charged"], label="no limit to speak of", markevery=4)
    axes.plot(tight["taken"], tight["charged"], label=f"limit {limit} MiB", markevery=4)
    axes.axhline(limit, color="#1c1e21", linewidth=0.8)
    axes.set(xlabel="MiB that the program has taken", ylabel="MiB charged to the group")
    axes.legend()
    plt.show()


if may:
    draw(free, tight, 64)
    assert tight["charged"].max() <= 64

# %% [markdown]
# Turn the knob: where does the curve end, and when is there no kill at all? (There is a slider once the cell has been
# run.)

# %%
if may:
    interact(
        lambda limit: draw(free, eat(limit)[0], limit),
        limit=IntSlider(value=96, min=32, max=192, step=16, description="MiB", continuous_update=False),
    )

# %% [markdown]
# ## Tasks
#
# The third limit that everybody should set. Without it, a program that forks without end takes the whole host with it.
# With it, `fork(2)` says EAGAIN:

# %%
FORK = """
import os, signal
children = []
try:
    while len(children) < 50:
        if (child := os.fork()) == 0:
            signal.pause()
        children.append(child)
except OSError as error:
    print(len(children), error)
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""
if may:
    group("pids limit").write_text("10")
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, preexec_fn=enter("pids limit"))
    made, error = done.stdout.split(" ", 1)
    assert int(made) == 9
    print(f"{made} children, then {error}")

# %% [markdown]
# ## The same, by the lab
#
# A variant's terms are these very knobs. `memory=32M` writes one file, and the result says what the kernel did:

# %%
hungry = Workload(command=["tail", "/dev/zero"])  # it keeps the last line, and this one does not end
if "container" in lab.ready():
    killed = lab.run(hungry, "container:memory=32M")
    assert killed.exit.oom_killed
    display(killed)
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# And in a virtual machine? Its memory is not a limit on a share of ours, it is a machine's RAM. The kernel that runs
# out of it is the guest's, and so is the killer; the host sees a QEMU with that much memory, and nothing wrong.

# %%
if "vm" in lab.ready():
    killed_inside = lab.run(hungry, "vm:memory=128M")
    assert killed_inside.exit.oom_killed
    print(killed_inside.exit)
    print("QEMU and its guest's RAM took at most", (killed_inside.stats.memory_peak or 0) >> 20, "MiB of the host's")
else:
    print("not run here:", lab.backend("vm").lacks()[0].what)

# %% [markdown]
# Our own groups are empty by now, and so they can be removed.

# %%
remove_groups()
assert not any((one.top.path / NAME).exists() for one in controllers.values())

# %% [markdown]
# ## Exercises
#
# **1.** Write `cpu_max(share, period_us)`: the line for version 2's `cpu.max` that gives a group that share of *one*
# processor in periods of that length, and for `None` no limit. Then `check_cpu_max(cpu_max)`.


# %%
def check_cpu_max(answer):
    assert answer(0.5, 100_000) == "50000 100000"
    assert answer(2, 50_000) == "100000 50000", "two whole processors are 200 %"
    assert answer(None, 100_000) == "max 100000"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def cpu_max(share, period_us):
    return f"{'max' if share is None else round(share * period_us)} {period_us}"


check_cpu_max(cpu_max)

# %% [markdown]
# **2.** A group may use a fifth of a processor, with the default period of 100 ms. A request that needs 30 ms of
# processor time arrives at the very beginning of a period, and nothing else runs. After how many milliseconds is it
# answered? Work it out on paper; `check_answer(milliseconds)`.


# %%
def check_answer(milliseconds):
    quota, period, need = 20, 100, 30
    full, rest = divmod(need, quota)
    assert milliseconds == full * period + rest, "20 ms in the first period, and then?"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
check_answer(110)  # 20 ms, a wait of 80 ms, and the 10 ms that are left

# %% [markdown]
# **3.** Find the smallest memory, in whole MiB, with which the container below still says `done`, without trying every
# number. Write `least(runs)`, where `runs(megabytes)` tells whether it does; then `check_least(least)`.


# %%
def check_least(answer):
    asked = []

    def runs(megabytes):
        asked.append(megabytes)
        return megabytes >= 23

    assert answer(runs) == 23
    assert len(asked) <= 10, f"that took {len(asked)} containers"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def least(runs, low=1, high=256):
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if runs(middle) else (middle + 1, high)
    return low


check_least(least)

# %% [markdown]
# With your answer, ask the kernel: how much does a shell that reads eight megabytes into a variable need?

# %%
if "container" in lab.ready():
    reading = Workload(command=["sh", "-c", "x=$(head -c 8388608 /dev/zero | tr '\\0' x); echo done"])
    needed = least(lambda size: lab.run(reading, f"container:memory={size}M").output == "done\n")
    assert needed > 8
    print(needed, "MiB")

# %%
lab.close()
