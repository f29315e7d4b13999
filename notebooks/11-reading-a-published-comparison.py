# %% [markdown]
# # Reading a published comparison
#
# After this notebook you can take a figure from a paper and say what it is of: by which clock, against which
# baseline, in which configuration, and whether anybody but its author ever saw it; you can say when a figure of your
# own confirms it; and you can repeat one.
#
# Two studies are read. Felter and others (IBM, 2014) compared native Linux, Docker and KVM, and are behind most
# sentences that begin with "containers have no overhead". Agache and others (2020) compared Firecracker with other
# virtual machine monitors.

# %%
import shutil
import tempfile
from math import exp, inf, log
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from ipywidgets import Dropdown, FloatSlider, interact
from isoscope.benchmarks import plot_style
from isoscope.benchmarks.reproduce import repeatable, reproduce
from isoscope.core import Lab

plt.rcParams.update(plot_style())
pd.set_option("display.max_colwidth", None)
lab = Lab()
here = Path(tempfile.mkdtemp(prefix="isoscope-published-", dir=".")).absolute()


# %% [markdown]
# The lab has some three hundred published figures, each with where it was read, and for most of them a recipe that
# repeats the comparison. `isoscope reproduce --list` shows them, and `--json` with it has what stands here:

# %%
items = repeatable(lab)
figures = pd.DataFrame(
    [{"study": item["study"], "item": item["item"], **row} for item in items for row in item["rows"]]
)
ours = figures["study"].isin(["felter2014", "agache2020"])
figures[ours].groupby(["study", "item"], sort=False).size().rename("figures").to_frame()

# %% [markdown]
# ## The configuration is part of the figure
#
# How fast does LINPACK compute in a KVM guest? Here are the published answers of one study, on one machine.


# %%
def rows(study, item):
    """An item's figures."""
    return figures[(figures["study"] == study) & (figures["item"] == item)]


linpack = rows("felter2014", "linpack").set_index("system")
linpack[["value", "unit", "basis"]]

# %%
_, axes = plt.subplots(figsize=(7.6, 2.6))
axes.barh(linpack.index, linpack["value"])
axes.invert_yaxis()
axes.set(xlabel="GFLOPS, as published (higher is better)")
plt.show()

# %% [markdown]
# 284, 241 or 130: "KVM costs 2 %", "17 %" and "more than half" are three sentences, all with a source. What is
# between the first and the last is no property of KVM. It is the processor that the guest was *shown*: QEMU's default
# model hides AVX, and a program that finds no AVX computes without. The recipe spells out what each row takes, as a
# variant of our `vm`:

# %%
recipe = next(item for item in items if (item["study"], item["item"]) == ("felter2014", "linpack"))
shown = linpack["value"].div(linpack.loc["native", "value"]).rename("to native").to_frame()
shown["what stands for it here"] = shown.index.map(recipe["systems"])
assert shown.loc["kvm-tuned", "to native"] > 2 * shown.loc["kvm-default-cpu", "to native"]
shown.round(3)

# %% [markdown]
# So the first question to a figure is not how large it is. It is: *with what settings?* Where that is not told, the
# figure cannot be repeated, and not refuted either.
#
# ## First-hand, or not
#
# The 241 is of another kind than the others. Those were computed again from the authors' own data; this one was read
# in a text that quotes it, and what its guest was shown is not told. Such figures are shown, and decide nothing.

# %%
assert linpack.loc["kvm-untuned-published", "basis"] == "second-hand"
pd.crosstab(figures["study"], figures["basis"])

# %% [markdown]
# ## Which clock?
#
# A boot "takes 110 ms" and "takes 161 ms" in the same paper, of the very same boots. The first clock runs from when
# Firecracker, up and configured, is told to start the guest, to the guest's first process; the second from the exec
# of Firecracker to its exit.

# %%
boots = rows("agache2020", "boot-serial").pivot(index="system", columns="metric", values="value")
boots

# %%
outside = boots.loc["firecracker-end-to-end", "p50"] - boots.loc["firecracker-pre", "p50"]
assert outside > 0.4 * boots.loc["firecracker-pre", "p50"]
print(f"{outside:g} ms of the life of a machine lie outside the first clock")

# %% [markdown]
# Whoever compares the first with a QEMU that is timed from its exec has given one side a head start. The other
# systems in this table were timed from exec to exit, so `firecracker-end-to-end` is the row to hold against them.
#
# ## Which baseline?
#
# The same figures tell different stories, by what they are divided by. Turn the knob: storage, each system's IOPS as
# a multiple of one of them. (There is a menu once the cell has been run.)

# %%
storage = rows("agache2020", "fio")
storage = storage[storage["metric"] == "iops"].pivot(index="workload", columns="system", values="value")
storage.index = storage.index.str.removeprefix("fio libaio direct: ")


def against(baseline):
    ratios = storage.div(storage[baseline], axis=0)
    axes = ratios.plot.barh(figsize=(7.6, 4), logx=True, width=0.8)
    for bars, hatch in zip(axes.containers, ("", "//", "..", "xx"), strict=True):
        for bar in bars:
            bar.set_hatch(hatch)
    axes.axvline(1, color="#1c1e21", linewidth=0.8)
    axes.set(xlabel=f"IOPS, as a multiple of {baseline} (higher is better)", ylabel="")
    axes.legend(title="")
    plt.show()


against("native")
knob = interact(against, baseline=Dropdown(options=list(storage.columns), value="qemu"))

# %% [markdown]
# Against QEMU, Firecracker looks slow at reading and quick at writing; against native it looks slow at reading, and
# at large writes *twice as quick as the machine that it runs on*.
#
# ## Too good
#
# No isolation makes a disk faster. When a system beats the same work without it, something was left out, such as the
# flush that makes a write durable; or it is noise, and then the other rows may be noise as well. Every published gain
# of more than 5 % over native, in both studies:

# %%
known = figures[ours & figures["metric"].isin(["iops", "bandwidth", "throughput"])]
native = known[known["system"] == "native"].set_index(["study", "workload", "metric"])["value"].rename("native")
known = known.join(native, on=["study", "workload", "metric"], how="inner").query("system != 'native'")
known["ratio"] = known["value"] / known["native"]
gains = known[known["ratio"] > 1.05]
assert set(gains["study"]) == {"felter2014", "agache2020"}
gains[["study", "workload", "system", "native", "value", "ratio"]].round(2)

# %% [markdown]
# ## Ratios travel, absolute figures do not
#
# Both studies read 4 KiB at random from a fast disk, natively and in a QEMU guest, six years apart.

# %%
PAIRS = {
    "felter2014": ("fio libaio direct 16g: rand read 4K qd16 x8", "kvm-virtio"),
    "agache2020": ("fio libaio direct: 4k randread qd32", "qemu"),
}
by_name = known.set_index(["study", "workload", "system"])
reads = pd.DataFrame(
    {study: by_name.loc[(study, *which), ["native", "value", "ratio"]] for study, which in PAIRS.items()}
).T
assert reads.loc["agache2020", "native"] > 3 * reads.loc["felter2014", "native"]
reads.round(2)

# %% [markdown]
# The disks have nothing in common. That the guest halves them does. A repetition on your laptop can hope for the last
# column, and for nothing else; that is why what follows compares ratios, each to its own baseline on its own machine.
#
# ## When are two ratios the same?
#
# Not when both have an overlap of error bars, and not when "no significant difference" was found: whoever measures
# badly never finds one. The rule has to be there *before* the measuring. The lab's: around the published ratio lies a
# band of half the effect to either side, on a logarithmic scale, at least 5 %, at most a factor of 3.


# %%
def band(published):
    effect = log(published)
    reach = min(max(abs(effect) / 2, log(1.05)), log(3))
    return exp(effect - reach), exp(effect + reach)


least, most = band(reads.loc["felter2014", "ratio"])
assert least < reads.loc["agache2020", "ratio"] < most
{published: tuple(round(edge, 2) for edge in band(published)) for published in (1.0, 0.51, 0.45, 0.1)}

# %% [markdown]
# A ratio that we measure comes with an interval. It has the same shape when *all* of the interval is in the band, is
# different when all of it is outside, and else the question is left open. So a wide interval never confirms anything:


# %%
def judge(low, high, published):
    least, most = band(published)
    if least <= low and high <= most:
        return "same shape"
    return "different" if high < least or low > most else "left open"


def draw(published, ratio, width):
    low, high = ratio / (1 + width), ratio * (1 + width)
    _, axes = plt.subplots(figsize=(7.6, 1.8))
    axes.axvspan(*band(published), alpha=0.25, label="band")
    axes.axvline(published, linestyle="--", label="published")
    axes.errorbar([ratio], [0], xerr=[[ratio - low], [high - ratio]], fmt="o", capsize=5, color="#1c1e21", label="ours")
    axes.set(xscale="log", xlim=(0.1, 3), yticks=[], title=judge(low, high, published), xlabel="ratio to native")
    axes.legend(loc="upper left")
    plt.show()


draw(0.51, 0.6, 0.1)
knob = interact(
    draw,
    published=FloatSlider(value=0.51, min=0.2, max=1.2, step=0.01, continuous_update=False),
    ratio=FloatSlider(value=0.6, min=0.2, max=1.5, step=0.01, continuous_update=False),
    width=FloatSlider(value=0.5, min=0.01, max=1, step=0.01, continuous_update=False),
)

# %%
assert judge(0.55, 0.65, 0.51) == "same shape"
assert judge(0.30, 0.95, 0.51) == "left open"
assert judge(0.95, 1.05, 0.51) == "different"

# %% [markdown]
# ## Felter, redone
#
# The claim is that Docker computes as fast as native: 290.87 to 290.83. Here a container of ours and a process solve
# equations by turns, in nine blocks: with fewer there is no interval.

# %%
redone = lab.compare(
    backends=["process", "container"],
    benchmarks=["cpu:tool=linpack,time=0.3s"],
    blocks=9,
    seed=1,
    directory=here / "linpack",
)
display(redone.figures["cpu-flops"])

# %% [markdown]
# Look at the unit first: our figures are far from the 290 GFLOPS of 32 threads, and nobody should mind. Then the
# ratio, with its interval, against the band.

# %%
claim = linpack.loc["docker", "value"] / linpack.loc["native", "value"]
found = redone.summary.query("metric == 'cpu.flops' and variant == 'container'").iloc[0]
verdict = judge(found["ratio_low"], found["ratio_high"], claim)
print(f"published {claim:.4f}, its band {band(claim)[0]:.3f} to {band(claim)[1]:.3f}")
print(f"ours {found['ratio']:.3f}, from {found['ratio_low']:.3f} to {found['ratio_high']:.3f}: {verdict}")

# %% [markdown]
# If it says `left open`, then this host was too noisy for a claim that is 5 % wide, and *that* is what was found: not
# that Felter was wrong, and not that Felter was right. What would help is more blocks, or a quieter host.
#
# ## Agache, redone
#
# `isoscope reproduce` does the same in full: it scales the study's settings by rules that it prints, measures the
# baseline *twice* in every block, and judges each published row. Here it makes a single block, for a look: that shows
# everything but a verdict.

# %%
again = reproduce(lab, "agache2020/boot-serial", blocks=1, directory=here / "again")
assert again.verdict == "not comparable"
print(again.sentence)

# %% [markdown]
# The clock, and what was scaled and why. Would you have accepted each rule? That is where to object.

# %%
print(again.clock)
pd.DataFrame(again.settings).style.hide()

# %% [markdown]
# The baseline against itself, two series of the same variant. Nothing differs between them but the moment; whatever
# their ratio is, an effect of that size is none.

# %%
noise = {one.metric: one.ratio.value for one in again.noise}
print(f"the median of its boots, to itself: {noise['p50']:.3f}")

# %% [markdown]
# And the rows of the median: theirs, ours, the band, and the reason for each verdict.


# %%
def edges(band):
    """As text; a band of a direction has no end on one side."""
    return f"{band.low:.2f} to {band.high:.2f}" if band.high < inf else f"{band.low:.2f} and more"


table = pd.DataFrame(
    [
        {
            "system": row.system,
            "accelerator": row.accelerator,
            "published": row.published_ratio,
            "ours": row.ratio and row.ratio.value,
            "band": edges(row.band),
            "verdict": row.verdict,
            "reason": row.reason,
        }
        for row in again.rows
        if row.verdict and row.metric == "p50"
    ]
)
table.style.hide().format(precision=2, na_rep="none")

# %% [markdown]
# Three kinds of rows are in it. Some systems are not to be had here, Firecracker for one, so nothing is said of them.
# Of one block there is no interval. And where the accelerator is `tcg`, QEMU translated every instruction of the
# guest: that is another machine than the study's, so no *size* is compared, and of most items nothing at all. A ratio
# of two firmwares, both under TCG, may still have a direction, which is why a band can reach from 1 without an end.

# %%
measured = table.dropna(subset=["ours"])
emulated = measured[measured["accelerator"] == "tcg"]
assert not set(emulated["verdict"]) - {"not comparable"}
print(len(measured), "rows have a figure of ours;", len(emulated), "of them are of an emulated machine")

# %% [markdown]
# ## Exercises
#
# Each exercise has a check that you can call on your own answer; the folded cell below it has one that passes.
#
# **1.** Felter's abstract could say "KVM takes 80 % longer for a round trip" or "KVM does 45 % fewer transactions".
# Is one of them worse? Write `as_rate(ratio)`: from the ratio of two latencies, the ratio of the transactions a
# second of one client that waits for each answer. Then `check_as_rate(as_rate)`.


# %%
def check_as_rate(answer):
    trips = rows("felter2014", "net-rr")
    trips = trips[trips["workload"].str.contains("TCP")].pivot(index="metric", columns="system", values="value")
    ratio = trips["kvm"] / trips["native"]
    assert abs(answer(ratio["latency"]) - ratio["transactions"]) < 0.01, "both are of the same round trips"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def as_rate(ratio):
    return 1 / ratio


check_as_rate(as_rate)

# %% [markdown]
# **2.** Write `decides(study)`: whether a study has any figure on which a verdict may rest, that is one that is not
# second-hand. Then `check_decides(decides)`.


# %%
def check_decides(answer):
    assert answer("felter2014")
    assert answer("agache2020")
    assert not answer("sharma2016"), "its figures were read in texts that quote it"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def decides(study):
    return bool((figures[figures["study"] == study]["basis"] != "second-hand").any())


check_decides(decides)

# %% [markdown]
# **3.** A blog says: "we repeated the study, which has a ratio of 0.97; ours is 0.99, from 0.90 to 1.09, so there is
# no significant difference and the result is confirmed". Write `widest(published)`: by which factor an interval
# around exactly the published ratio may reach to either side, at most, to confirm it. Then `check_widest(widest)`.


# %%
def check_widest(answer):
    for published in (0.97, 0.5, 0.02):
        factor = answer(published)
        assert judge(published / factor * 1.0001, published * factor / 1.0001, published) == "same shape"
        assert judge(published / factor / 1.01, published * factor * 1.01, published) == "left open"
    assert answer(0.97) < 1.06, "an interval from 0.90 to 1.09 confirms nothing"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def widest(published):
    return band(published)[1] / published


check_widest(widest)

# %%
shutil.rmtree(here, ignore_errors=True)
lab.close()
