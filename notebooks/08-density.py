# %% [markdown]
# # Density: memory shared and not shared
#
# After this notebook you can say what one more instance costs a host in memory, from five figures that each count
# something else, read them by hand from `/proc`, tell what instances share and what they could share, and say how far
# "so many fit" may be trusted.
#
# Pages of other people's processes are theirs to see: the last part of KSM's chapter needs root.

# %%
import json
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from ipywidgets import IntSlider, interact
from isoscope.benchmarks import plot_style
from isoscope.core import Lab

plt.rcParams.update(plot_style())
lab = Lab()
backends = [name for name in ("process", "container", "vm") if name in lab.ready()]
for name in sorted({"process", "container", "vm"} - set(backends)):
    print(f"not run here: {name}: {lab.backend(name).lacks()[0]}")
MIB = 1 << 20

# %% [markdown]
# ## One file, several readers
#
# We begin with something of which we know the answer. A file has 16 MiB. This program maps it and reads all of it; it
# has 4 MiB of its own as well. Then it says so, and waits.

# %%
here = Path(tempfile.mkdtemp(prefix="isoscope-density-", dir="."))
shared_file = here / "shared"
shared_file.write_bytes(os.urandom(16 * MIB))
READ = """
import mmap, os, sys
with open(sys.argv[1], "rb") as file:
    shared = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
for at in range(0, len(shared), mmap.PAGESIZE):
    shared[at]
own = bytearray(os.urandom(4 << 20))
print("ready", flush=True)
sys.stdin.read()
"""


def reader(stack):
    """One more process that runs the program; it ends with the stack."""
    command = [sys.executable, "-c", READ, shared_file]
    process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    stack.callback(process.stdin.close)
    assert process.stdout.readline() == b"ready\n"
    return process.pid


# %% [markdown]
# The kernel adds up every mapping of a process in `/proc/PID/smaps_rollup` (`proc_pid_smaps(5)`):

# %%
with ExitStack() as stack:
    text = Path(f"/proc/{reader(stack)}/smaps_rollup").read_text()
print(text)

# %% [markdown]
# Three figures are made of it. They differ in what they do with a page that somebody else has mapped, too:
#
# * **RSS**, the resident set size, counts it.
# * **PSS**, the proportional one, counts a part: one half if two have it, a third if three do.
# * **USS**, the unique one, does not count it. It is what would become free if this process ended.


# %%
def sizes(pid):
    """RSS, PSS and USS of a process in MiB."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    found = {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines}
    return {"RSS": found["Rss"], "PSS": found["Pss"], "USS": found["Private_Clean"] + found["Private_Dirty"]}


with ExitStack() as stack:
    alone = sizes(first := reader(stack))
    for _ in range(2):
        reader(stack)
    crowded = sizes(first)
assert alone["USS"] - crowded["USS"] > 15, "what was its own alone is now shared"
assert crowded["RSS"] > 20
pd.DataFrame({"alone": alone, "the same one among three": crowded}).round(1)

# %% [markdown]
# Nothing about that process has changed, and its USS has fallen by the file. No figure belongs to one process alone.
#
# ## Which of them may be added up
#
# Here is the file alone, of four readers: what each has of it by RSS, what by PSS, and the sums.


# %%
def of_mapping(pid, name):
    """RSS and PSS in MiB of those mappings of a process that are of one file."""
    found, inside = {"RSS": 0.0, "PSS": 0.0}, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word, *rest = line.split()
        if not word.endswith(":"):
            inside = line.endswith(name)
        elif inside and word in ("Rss:", "Pss:"):
            found[word[:3].upper()] += int(rest[0]) / 1024
    return found


with ExitStack() as stack:
    table = pd.DataFrame([of_mapping(pid, shared_file.name) for pid in [reader(stack) for _ in range(4)]])
assert table["RSS"].sum() == 4 * 16
assert abs(table["PSS"].sum() - 16) < 0.1
table.loc["sum"] = table.sum()
table.round(2)

# %% [markdown]
# The file is in memory once, and it has 16 MiB. Only sums of PSS are right; sums of RSS count it as often as somebody
# has it mapped, and sums of USS not at all. Turn the knob: how many readers?


# %%
def crowd(readers):
    """Sums over so many readers."""
    with ExitStack() as stack:
        sums = pd.DataFrame([sizes(pid) for pid in [reader(stack) for _ in range(readers)]]).sum()
    _, axes = plt.subplots(figsize=(7.6, 1.9), layout="constrained")
    for bar, colour, hatch in zip(sums.index, ("#d55e00", "#0072b2", "#009e73"), ("//", "", ".."), strict=True):
        axes.barh(bar, sums[bar], color=colour, hatch=hatch, edgecolor="#1c1e21", linewidth=0.5)
    axes.invert_yaxis()
    axes.set(xlim=(0, 300), xlabel=f"MiB, sum over {readers} processes of 16 MiB shared and 4 MiB of their own")
    plt.show()


_ = interact(crowd, readers=IntSlider(value=4, min=1, max=8, description="readers", continuous_update=False))

# %% [markdown]
# ## Instances
#
# Now the same figures for what we are after. A few instances of the lab's workload `sleep` run at once; of a virtual
# machine the processes are QEMU. Two figures are new:
#
# * what the **control group** is charged: pages that its members were the first to touch, and some of the kernel's own;
# * the fall of the host's **MemAvailable**: everything, for whatever reason, and of everybody. On a host on which
# others work it is noise, and may well be negative.


# %%
def available():
    """MiB of the host that could still be given out."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024


def look(backend, count):
    """The five figures for each of so many instances, in MiB."""
    before = available()
    with ExitStack() as stack:
        running = [stack.enter_context(lab.start(lab.workload("sleep"), backend)) for _ in range(count)]
        for instance in running:
            instance.wait_ready()
        each = pd.DataFrame([sizes(pid) for instance in running for pid in instance.processes()]).sum() / count
        charged = [instance.stats().memory for instance in running] if backend != "process" else [None]
        each["control group"] = np.nan if None in charged else sum(charged) / MIB / count
        each["MemAvailable"] = (before - available()) / count
    return each


counts = {"process": 4, "container": 4, "vm": 2}
found = pd.DataFrame({f"{name} (of {counts[name]})": look(name, counts[name]) for name in backends}).T
assert ((found["USS"] <= found["PSS"] + 0.1) & (found["PSS"] <= found["RSS"] + 0.1)).all()
found.round(2)

# %% [markdown]
# Read it by line. The process and the container are the same program, so their PSS is about the same, and tiny:
# nearly all of it is one file, `busybox`, that they share. What a container costs beside that is in the *kernel*:
# namespaces, mounts, the group itself. No figure of a process has it; the last column has, if the host is quiet.
#
# The virtual machine has a kernel and page cache of its own, and all of that is QEMU's memory, in USS: to the host it
# is private data like any other.

# %%
if "vm" in backends and "container" in backends:
    assert found.loc["vm (of 2)", "USS"] > found.loc["container (of 4)", "USS"]
    print(f"{found.loc['vm (of 2)', 'USS'] / found.loc['vm (of 2)', 'RSS']:.0%} of a VM's resident memory is its alone")

# %% [markdown]
# ## What two machines have in common
#
# Two guests have booted the same kernel from the same file. So they hold equal pages, each its own copy, and nobody
# knows. We can: as root, read the pages of both that are in memory (`proc_pid_pagemap(5)`, bit 63), and compare.


# %%
GUEST = 128 * MIB


def ram(pid):
    """Where QEMU has the guest's memory, the mapping of that very size, and the kernel's flags for it."""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word, *rest = line.split()
        if not word.endswith(":"):
            start, end = (int(part, 16) for part in word.split("-"))
        elif word == "VmFlags:" and end - start == GUEST:
            return start, end, rest
    raise LookupError(f"{pid} has no mapping of that size")


def pages(pid):
    """How often each content of a page occurs in a guest's memory."""
    start, end, _ = ram(pid)
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap, open(f"/proc/{pid}/mem", "rb") as memory:
        pagemap.seek(start // mmap.PAGESIZE * 8)
        entries = np.frombuffer(pagemap.read((end - start) // mmap.PAGESIZE * 8), dtype=np.uint64)
        seen = Counter()
        for place in np.flatnonzero(entries >> np.uint64(63)):
            memory.seek(start + int(place) * mmap.PAGESIZE)
            seen[hash(memory.read(mmap.PAGESIZE))] += 1
    return seen


def compare_two():
    """How many pages two guests hold, how many of them are zeros, and how many one would do for."""
    with ExitStack() as stack:
        running = [stack.enter_context(lab.start(lab.workload("sleep"), "vm:memory=128M")) for _ in range(2)]
        for instance in running:
            instance.wait_ready()
        machines = [max(instance.processes(), key=lambda pid: sizes(pid)["RSS"]) for instance in running]
        flags = [ram(pid)[-1] for pid in machines]
        one, other = (pages(pid) for pid in machines)
    both = one + other
    zeros = both.pop(hash(bytes(mmap.PAGESIZE)), 0)
    in_both = sum(min(one[content], other[content]) for content in both)
    equal = {"of both": both.total() + zeros, "zeros": zeros, "equal in both": in_both, "distinct": len(both)}
    return flags, equal


if "vm" in backends and os.geteuid() == 0:
    flags, equal = compare_two()
    assert equal["equal in both"] > 0
    assert equal["distinct"] < equal["of both"]
    display(pd.Series(equal, name="pages of 4 KiB").to_frame())
elif "vm" in backends:
    print("not run here: reading a QEMU's memory takes root")

# %% [markdown]
# ## KSM
#
# The kernel can do what we did, and act on it. *Kernel samepage merging* looks through memory that somebody has
# offered with `madvise(2)`, MADV_MERGEABLE; of equal pages it keeps one, for all to read, and who writes to it gets a
# copy again (Documentation/admin-guide/mm/ksm.rst). QEMU offers its guests' memory, so the kernel's flags for it have
# `mg`:

# %%
if "vm" in backends and os.geteuid() == 0:
    assert all("mg" in one for one in flags)
    print(" ".join(flags[0]))
    mine = Path("/proc/self/smaps").read_text()
    assert " mg" not in mine, "nothing of this notebook is offered"

# %% [markdown]
# Whether the kernel looks is another question. This is the host's state:

# %%
KSM = Path("/sys/kernel/mm/ksm")
if KSM.exists():
    names = ["run", "pages_to_scan", "sleep_millisecs", "pages_shared", "pages_sharing", "full_scans"]
    display(pd.Series({name: (KSM / name).read_text().strip() for name in names}, name=str(KSM)).to_frame())
else:
    print("this kernel has no KSM")

# %% [markdown]
# `run` is 0 for off, 1 for on, and 2 for "off, and take apart what was merged". We do not switch it here. It would
# merge pages of *every* machine on this host, those of others as well, and a 2 would take those of others apart
# again; and Isoscope changes no setting of a host by itself, since it could not know whose it is. On a host of your
# own, as root:
#
#     cat /sys/kernel/mm/ksm/run                  # remember it
#     echo 1 >/sys/kernel/mm/ksm/run
#     watch cat /sys/kernel/mm/ksm/pages_sharing  # pages saved; it takes minutes
#     echo 2 >/sys/kernel/mm/ksm/run              # and then what it was
#
# How long does it take? By default a hundred pages are looked at, and then nothing for 20 ms. A page must be found
# unchanged in two rounds before it is merged. One round for a guest of 256 MiB:

# %%
pages_to_scan, sleep_ms = 100, 20
rounds = 256 * MIB / mmap.PAGESIZE / pages_to_scan
print(f"{rounds * sleep_ms / 1000:.0f} s for one guest, {50 * rounds * sleep_ms / 60_000:.0f} min for fifty")
assert 50 * rounds * sleep_ms / 60_000 > 10

# %% [markdown]
# So a figure of density says little without two facts more: whether KSM was on, and for how long. (What it saves is
# not for nothing: one guest can tell by the time of a write that another one holds the same page. That is why hosts
# with tenants who do not trust each other leave it off. A virtual function's guest has its memory pinned, and cannot
# merge at all.)
#
# ## The marginal instance
#
# The first instance pays for what all share; what counts is what *one more* takes. The benchmark `density` runs more
# and more of them, looks at one, two, five of them, and puts a line through it. Its slope is the price of one more,
# and what only the first one paid is in the intercept.

# %%
run = lab.compare(backends=backends, benchmarks=["density:upto=5,settle=0.1s"], blocks=1, seed=8)
assert run.complete
assert not run.failed
run.figures["density-pss"]

# %% [markdown]
# The line is nothing but least squares. By hand, from the run's own values:


# %%
def looks(run, variant, metric):
    """Instances, and the metric at each step of the ramp."""
    rows = run.trials[(run.trials["variant"] == variant) & (run.trials["metric"] == metric) & ~run.trials["warmup"]]
    return np.array([labels["instances"] for labels in rows["labels"]]), rows["value"].to_numpy()


def told(run, variant, metric):
    rows = run.trials[(run.trials["variant"] == variant) & (run.trials["metric"] == metric) & ~run.trials["warmup"]]
    return rows["value"].iloc[0]


table = pd.DataFrame(index=["first", "one more", "intercept"], columns=backends, dtype=float)
for name in backends:
    count, pss = looks(run, name, "density.pss")
    slope, intercept = np.polyfit(count, pss, 1)
    assert np.isclose(slope, told(run, name, "density.marginal_pss"), rtol=1e-6)
    table[name] = np.array([pss[0], slope, intercept]) / MIB
table.round(2)

# %% [markdown]
# The same for the whole host, by MemAvailable. On a busy host, and with five instances, this is noise for processes
# and containers; the report's cautions say so when it is.

# %%
run.figures["density-used_memory"]

# %% [markdown]
# ## How many would fit?
#
# `isoscope plan` carries the line on, for a host that you do not have. It names the limit that is used up first,
# which need not be memory, and says how far beyond the measured it goes. Where the points lie on no line, it refuses:


# %%
def plan(backend, host):
    """What `isoscope plan` says of the run above."""
    command = [Path(sys.executable).with_name("isoscope"), "plan", "--host", host, "-b", backend, "--json"]
    done = subprocess.run([*command, "--runs", run.directory], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


planned = {name: plan(name, "cpus=64,memory=512G") for name in backends}
for name, answer in planned.items():
    if isinstance(answer, str):
        print(f"{name}: {answer}")
    else:
        fits = answer["fits"]
        far = f"{answer['beyond']:,.0f} x what was measured"
        print(f"{name}: {fits['value']:,}, {fits['binding']} is used up first; {far}")

# %% [markdown]
# Those are numbers to be distrusted, and the last one says how much. A line was fitted to five instances of a program
# that sleeps, and is read at hundreds or thousands.
#
# ## The limits of a line
#
# Here is a host on which one more is a little dearer for each that runs: a tree that grows deeper, a list that is
# searched. We make the numbers up, so that we know the truth. Within the measured range, nobody would doubt the line:

# %%
count = np.array([1, 2, 5, 10, 20])
bent = lambda n: 5 + 2 * n + 0.004 * n**2  # noqa: E731 -- MiB
slope, intercept = np.polyfit(count, bent(count), 1)
deviation = np.abs(bent(count) - (intercept + slope * count)).max() / np.ptp(bent(count))
assert deviation < 0.01
print(f"{deviation:.1%} of the rise is the most that a point lies off the line")

# %% [markdown]
# Turn the knob: up to where do you read it?


# %%
def read_at(instances):
    line, truth = intercept + slope * instances, bent(instances)
    n = np.linspace(1, instances, 200)
    _, axes = plt.subplots(figsize=(7.6, 2.8), layout="constrained")
    axes.plot(n, bent(n), marker="", label="what it would take")
    axes.plot(n, intercept + slope * n, marker="", label="the line")
    axes.axvspan(1, count[-1], color="#9aa0a6", alpha=0.4, label="measured")
    axes.set(xlabel="instances", ylabel="MiB", title=f"at {instances}: {truth / line:.2f} times what the line says")
    axes.legend()
    plt.show()
    return truth / line


assert bent(1000) / (intercept + slope * 1000) > 2
_ = interact(read_at, instances=IntSlider(value=200, min=20, max=2000, step=20, continuous_update=False))

# %% [markdown]
# A confidence interval would not have warned you: it is about how well the line is known, not about whether it is
# one. The remedy is dull: measure further up. At 200 the bend can be seen.

# %% [markdown]
# ## Exercises
#
# **1.** Write `pss(mappers)`: the PSS in KiB of a process of which each page of 4 KiB is in the list once, as the
# number of processes that have it mapped. Then `check_pss(pss)`.


# %%
def check_pss(answer):
    assert answer([1, 1]) == 8, "pages that nobody else has"
    assert answer([2, 4]) == 3
    assert np.isclose(sum(answer([3] * 100) for _ in range(3)), 400), "over all of them it is the memory that there is"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def pss(mappers):
    return sum(4 / number for number in mappers)


check_pss(pss)

# %% [markdown]
# **2.** You stop one process. Which of its figures says how much the host gets back? Write `freed(pid)`, in MiB, with
# nothing but `/proc/PID/smaps_rollup`. Then `check_freed(freed)`: there are two readers of one file, and then one.


# %%
def check_freed(answer):
    with ExitStack() as stack:
        first = reader(stack)
        with ExitStack() as other:
            reader(other)
            assert 4 <= answer(first) < 16, "somebody else still has the file"
        assert answer(first) >= 20, "now nobody has"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def freed(pid):
    return sizes(pid)["USS"]


check_freed(freed)

# %% [markdown]
# **3.** Write `fits(limits, each)`: how many instances a host takes, and the name of the limit that says so. `limits`
# has what is free of each, `each` what one more instance takes of it. What it takes nothing of limits nothing. Then
# `check_fits(fits)`.


# %%
def check_fits(answer):
    free = {"memory": 460 * 1024, "descriptors": 20_000, "mounts": 100_000}
    assert answer(free, {"memory": 162, "descriptors": 1, "mounts": 0}) == (2907, "memory")
    assert answer(free, {"memory": 1, "descriptors": 4, "mounts": 8}) == (5000, "descriptors")
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def fits(limits, each):
    room = {name: int(limits[name] / each[name]) for name in limits if each.get(name)}
    first = min(room, key=room.get)
    return room[first], first


check_fits(fits)

# %%
shutil.rmtree(here)
lab.close()
