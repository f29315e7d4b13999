# %% [markdown]
# # Choose a backend for five workloads
#
# After this notebook you can write down what a workload does and what it demands, have the lab say what to run it on,
# read the reasons, tell a reason from a guess, and replace a guess by a measurement; and you can plan a host that you
# do not have.
#
# "Containers or virtual machines?" has no answer. "For this workload, on this host?" has one, and it can be argued.

# %%
import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from ipywidgets import Dropdown, interact_manual
from isoscope.benchmarks import plot_style
from isoscope.benchmarks.advise import advise
from isoscope.benchmarks.capacity import plan_capacity
from isoscope.core import Lab
from isoscope.core.errors import IsoscopeError

plt.rcParams.update(plot_style())
pd.set_option("display.max_colwidth", None)
lab = Lab()
here = Path(tempfile.mkdtemp(prefix="isoscope-advice-", dir=".")).absolute()
runs = here / "runs"
runs.mkdir()


def write(name, text):
    """Make a workload's file."""
    (here / f"{name}.toml").write_text(text)


def ask(name):
    """What `isoscope advise NAME.toml --json` says, by this host's runs in our folder."""
    return advise(lab, here / f"{name}.toml", runs=[runs]).as_dict()


# %% [markdown]
# ## Five workloads
#
# A workload's file says what to run. Two more tables say what the workload is *like*, and whatever runs it passes
# them by: `[profile]`, what it does, and `[requirements]`, what it demands. Every field may be left out.
#
# A script that cleans up at night, the administrator's own, on a host of its own:

# %%
write(
    "nightly",
    """
command = ["sh", "-c", "echo cleaned"]

[profile]
disk = "light"
lifetime = "60s"

[requirements]
trust = "own"
""",
)

# %% [markdown]
# A web service that runs beside others of the same house, with a hard limit of memory:

# %%
write(
    "web",
    """
command = ["sh", "-c", "echo ready; exec sleep 60"]

[profile]
cpu = "light"
network = "light"
lifetime = "24h"

[requirements]
trust = "shared"
memory_limit = true
""",
)

# %% [markdown]
# A judge that runs programs which anybody may hand in:

# %%
write(
    "judge",
    """
command = ["sh", "-c", "echo 42"]

[profile]
cpu = "heavy"
lifetime = "2s"

[requirements]
trust = "untrusted"
memory_limit = true
""",
)

# %% [markdown]
# Tests of a kernel module:

# %%
write(
    "module",
    """
command = ["sh", "-c", "echo loaded"]

[profile]
syscalls = "heavy"
lifetime = "60s"

[requirements]
trust = "own"
modules = true
""",
)

# %% [markdown]
# And the steps of a build, two seconds each and many of them, started by somebody who is not root:

# %%
write(
    "build",
    """
command = ["sh", "-c", "echo built"]

[profile]
lifetime = "2s"

[requirements]
trust = "shared"
rootless = true
""",
)

# %% [markdown]
# ## The answers
#
# Before you run this: write down your own. One answer in full, as `isoscope advise web.toml` prints it:

# %%
advise(lab, here / "web.toml", runs=[runs])

# %% [markdown]
# And all five, in short.

# %%
NAMES = ["nightly", "web", "judge", "module", "build"]
advice = {name: ask(name) for name in NAMES}
pd.DataFrame(
    {
        name: {
            "answer": said["answer"]["variant"],
            "a": said["answer"]["kind"],
            "ready here": said["answer"]["ready"],
            "rests on": said["rests_on"],
        }
        for name, said in advice.items()
    }
).T

# %% [markdown]
# The *kinds* follow from the requirements, and are the same on every host. Which of a kind is named depends on what
# is ready on yours, and on what was measured there.

# %%
kinds = {name: said["answer"]["kind"] for name, said in advice.items()}
assert kinds["nightly"] == "process"
assert kinds["web"] == kinds["build"] == "container"
assert kinds["judge"] in {"user-space kernel", "virtual machine"}
assert kinds["module"] == "virtual machine"

# %% [markdown]
# ## Reasons that exclude
#
# A requirement excludes whoever lacks a trait. Each rule says why, and who says so: a man page, a specification, a
# CVE. Who is out for the judge, and by what?


# %%
def excluded(said):
    return pd.DataFrame(
        [
            {"variant": one["variant"], "rule": rule["rule"], "source": rule["source"]}
            for one in said["excluded"]
            for rule in one["by"]
        ]
    )


reasons = excluded(advice["judge"])
assert {"process", "container"} <= set(reasons["variant"])
reasons.groupby(["rule", "source"], sort=False)["variant"].agg(", ".join).reset_index().style.hide()

# %% [markdown]
# Such a reason does not depend on any figure. However cheap a container is, it is out for programs that anybody may
# hand in; so is a virtual machine that QEMU emulates without KVM, for its developers promise no isolation of that
# one.
#
# ## Reasons that weigh
#
# Who is left is ordered by what the work costs: its time and memory, as a multiple of the same without isolation.
# Every figure in that says whose it is. For the web service, before anything was measured:


# %%
def costs(said):
    """What is known of each cost that counts, for all that are ready here."""
    found = []
    for one in said["here"]:
        for name in said["needed"]:
            figure = one["figures"].get(name)
            found.append(
                {
                    "variant": one["variant"],
                    "cost": name,
                    "value": figure and figure["value"],
                    "unit": figure and figure["unit"],
                    "basis": figure["basis"] if figure else "not known",
                    "source": figure and f"{figure['source']}: {figure['detail']}",
                }
            )
    return pd.DataFrame(found)


web = costs(advice["web"])
assert "measured" not in set(web["basis"])
web.style.hide().format(precision=3, na_rep="")

# %% [markdown]
# Published ratios stand in where nothing was measured, each with its study. You know from the notebook before what to
# ask of them. Where there is neither, the answer says so, and does not make up a number:

# %%
unknown = web.query("basis == 'not known'")
assert len(unknown)
assert advice["web"]["rests_on"] == "measure first"
print(advice["web"]["rests_on"], "-", len(unknown), "costs that count are not known")

# %% [markdown]
# ## One thing changed
#
# The best question to a piece of advice is what would change it. Here it is computed: every other value of every
# requirement is tried, by the same rules.

# %%
pd.DataFrame(advice["web"]["changes"])[["sentence", "answer"]].rename(columns={"answer": "it would be"}).style.hide()

# %% [markdown]
# We believe nothing that we have not seen. The same service, for anybody's code:

# %%
text = (here / "web.toml").read_text()
write("hosting", text.replace('trust = "shared"', 'trust = "untrusted"'))
hosting = ask("hosting")
assert hosting["answer"]["kind"] != "container"
foretold = next(one for one in advice["web"]["changes"] if (one["field"], one["value"]) == ("trust", "untrusted"))
assert foretold["answer"].startswith(hosting["answer"]["variant"])
print(advice["web"]["answer"]["variant"], "->", hosting["answer"]["variant"])

# %% [markdown]
# Turn the knob: one requirement, added to the build's. Which one moves it, and where to?

# %%
EXTRA = ["every_syscall = true", 'kernel = "own"', "live_migration = true", 'device = "nic"', 'os = "windows"']


def demand(extra):
    write("tried", (here / "build.toml").read_text() + extra + "\n")
    answer = ask("tried")["answer"]
    print(f"{answer['variant']}, a {answer['kind']}" if answer else "nobody meets all of it")


knob = interact_manual.options(manual_name="Ask")(demand, extra=Dropdown(options=EXTRA))

# %% [markdown]
# ## Measure first
#
# For the build one cost counts, the start: two seconds of life, and each of them has one. The advice has a command
# that measures what is missing.

# %%
assert advice["build"]["needed"] == ["start"]
assert advice["build"]["rests_on"] == "measure first"
for command in advice["build"]["measure_first"]:
    print(command)

# %% [markdown]
# We measure two of them, and the process that they are compared with; ten blocks, so that there are intervals.

# %%
ready = {one["variant"] for one in advice["build"]["here"]}
candidates = [name for name in ("container", "oci:runtime=runc") if name in ready]
if candidates:
    measured = lab.compare(
        lab.workload(str(here / "build.toml")),
        backends=["process", *candidates],
        blocks=10,
        seed=1,
        directory=here / "runs" / "starts",
    )
    display(measured.figures["startup-ready-ecdf"])
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# And ask again.

# %%
again = ask("build")
if candidates:
    known = costs(again).query("basis == 'measured'")
    assert set(known["variant"]) == set(candidates)
    assert again["answer"]["variant"] in candidates
    assert again["rests_on"] == "measured"
    display(known.style.hide().format(precision=0, thousands=" "))
print(f"{again['answer']['variant']}, rests on: {again['rests_on']}")
print("not measured, and so not weighed:", ", ".join(again["unweighed"]))

# %% [markdown]
# The advice now rests on this host, and says of whom it still knows nothing. How much does it matter? The total is
# how many times as long a step takes in all, its start spread over its two seconds:

# %%
if candidates:
    totals = pd.DataFrame({one["variant"]: one["total"] for one in again["here"] if one["total"]}).T
    display(totals.rename(columns={"value": "times as long", "low": "at least", "high": "at most"}).round(4))

# %% [markdown]
# Where those intervals have something in common, no difference was shown, and the one with fewer layers goes first.
# With a lifetime of a day the same starts would not count at all: the profile decides what a difference is worth.
#
# ## A host that you do not have
#
# `isoscope plan` carries on what was measured here, along a line, to a bigger host. Nothing was measured yet of a
# cache that holds 16 MiB, and so it refuses:

# %%
write(
    "cache",
    r"""
command = ["sh", "-c", "x=$(head -c 16777216 /dev/zero | tr '\\0' x); echo ready; sleep 600 & wait"]
""",
)


def plan():
    """What `isoscope plan -w cache.toml -b container --host cpus=64,memory=512G --hosts 10` says, or None."""
    try:
        return plan_capacity(lab, "container", here / "cache.toml", host="cpus=64,memory=512G", hosts=10, runs=[runs])
    except IsoscopeError as error:
        print(f"{error.message}\n{error.hint}")
        return None


assert plan() is None

# %% [markdown]
# A *ramp* starts one instance after another and looks at what each takes. Three short ones will do for a look.

# %%
if "container" in lab.ready():
    lab.compare(
        lab.workload(str(here / "cache.toml")),
        backends=["container"],
        benchmarks=["density:upto=4,settle=0.1s"],
        quick=True,
        seed=1,
        directory=here / "runs" / "ramps",
    )
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# With it the plan can be made, unless this host was so busy meanwhile that the points lie on no line; then it refuses
# once more, and says that.

# %%
planned = plan()
planned

# %% [markdown]
# Every limit has a line of its own, and the one that is used up first decides. Look which it is before you order
# memory: a process that keeps containers has open files for each, and there is a limit on those (`getrlimit(2)`),
# here as on the host where it was measured. The last column says which limits the new host was said to have.

# %%
if planned:
    fits = {room.limit: room.fits for room in planned.rooms}
    assert planned.fits[0] == min(fits.values())
    _, axes = plt.subplots(figsize=(7.6, 2))
    axes.barh(list(fits), list(fits.values()))
    axes.set(xscale="log", xlabel="instances that fit one host, by this limit alone")
    plt.show()
    print(f"{planned.fits[0]} fit one host, {planned.fits[0] * planned.hosts} fit ten; {planned.binding.limit} decides")

# %% [markdown]
# And look how far beyond the measured range that is. No interval covers the question whether the line goes on:

# %%
if planned:
    assert planned.beyond == planned.fits[0] / planned.measured_to
    print(f"measured to {planned.measured_to} instances; the plan is for {planned.beyond:.0f} times as many")

# %% [markdown]
# ## Exercises
#
# Each exercise has a check that you can call on your own answer; the folded cell below it has one that passes.
#
# **1.** Write `out_by(said, variant)`: the names of the rules that exclude a variant, by what `advise` said. Then
# `check_out_by(out_by)`.


# %%
def check_out_by(answer):
    assert answer(advice["module"], "container") == ["kernel modules"]
    assert len(answer(advice["web"], "process")) == 2, "it is not kept apart, and has no limit"
    assert answer(advice["web"], "container") == []
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def out_by(said, variant):
    return [rule["rule"] for one in said["excluded"] if one["variant"] == variant for rule in one["by"]]


check_out_by(out_by)

# %% [markdown]
# **2.** A group trains models on the GPUs of its own cluster, for half a day at a time, and accepts a tenth more
# time. Write its file, `training`, a text; the fields are in the table of `isoscope advise`,
# docs/reference/advice.md. Then `check_training(training)`.


# %%
def check_training(text):
    write("training", text)
    said = ask("training")
    assert said["workload"]["requirements"]["device"] == "gpu"
    assert said["workload"]["requirements"]["max_slowdown"] == 1.1
    assert said["workload"]["profile"]["lifetime"] == 12 * 3600
    assert said["answer"]["kind"] == "container"
    assert "vm" in {one["variant"] for one in said["excluded"]}, "the GPU is used through the host's driver"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
training = """
command = ["sh", "-c", "echo trained"]

[profile]
cpu = "heavy"
memory = "light"
lifetime = "12h"

[requirements]
trust = "shared"
device = "gpu"
max_slowdown = 1.1
"""
check_training(training)

# %% [markdown]
# **3.** The arithmetic of the total, without memory. A workload spends the share `w` of its time on a resource that
# takes `s` times as long when isolated, for several resources; what is left of its time takes as long as ever; and it
# lives `lifetime` seconds, after a start of `start` seconds. Write `times_as_long(shares, slowdowns, start,
# lifetime)`, with two dictionaries; then `check_times_as_long(times_as_long)`.


# %%
def check_times_as_long(answer):
    def near(one, other):
        return abs(one - other) < 1e-9

    assert near(answer({}, {}, 0.1, 2), 1.05), "a tenth of a second on top of two"
    assert near(answer({"cpu": 0.5}, {"cpu": 1.0}, 0, 60), 1)
    assert near(answer({"disk": 0.5}, {"disk": 3.0}, 0, 60), 2), "half of the time takes three times as long"
    assert near(answer({"disk": 0.1, "syscalls": 0.1}, {"disk": 2.0, "syscalls": 11.0}, 6, 60), 2.2)
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def times_as_long(shares, slowdowns, start, lifetime):
    return 1 + sum(share * (slowdowns[name] - 1) for name, share in shares.items()) + start / lifetime


check_times_as_long(times_as_long)

# %%
shutil.rmtree(here, ignore_errors=True)
lab.close()
