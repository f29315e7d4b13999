# %% [markdown]
# # Neighbours, and what each kind of isolation stops
#
# After this notebook you can say, of a limit, of a filter of system calls and of a second kernel, which harm each of
# them stops and which it lets through; write a filter by hand; and find out of any place where code runs which kernel
# answers it.
#
# Two things go wrong between neighbours. One *takes* too much: processors, memory, tasks. Limits are against that. Or
# one *gets at* what is not its own, through a defect of the kernel that all share. Filters and second kernels are
# against that. Neither helps against the other.

# %%
import ctypes
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from ipywidgets import IntSlider, interact
from isoscope.benchmarks import plot_style
from isoscope.core import Lab, Workload
from isoscope.core.errors import HostError, IsoscopeError

plt.rcParams.update(plot_style())
pd.set_option("display.max_colwidth", None)
lab = Lab()
here = Path(tempfile.mkdtemp(prefix="isoscope-neighbours-", dir=".")).absolute()


def run(workload, place):
    """The result, or None where this host lacks what it takes; then it says what."""
    try:
        return lab.run(workload, place, timeout=100)
    except HostError as error:
        print(f"not run here: {place}: {error.message} ({error.hint})")
        return None


# %% [markdown]
# ## Who answers?
#
# A program asks the kernel for everything. Which kernel that is decides what a defect of it is worth to whoever finds
# it. Four places: a plain process; a container; a container under `runsc`, gVisor's kernel, which is a process of the
# host; and a virtual machine. In each the same questions, and one request.

# %%
ASK = """
echo "release: $(uname -r)"
echo "version: $(head -c 30 /proc/version)"
echo "load: $(cat /proc/loadavg)"
echo "filter: $(grep Seccomp: /proc/self/status | tr -dc 0-9)"
echo "unshare(0): $(unshare echo granted 2>&1)"
echo "unshare(CLONE_NEWUSER): $(unshare -U echo granted 2>&1)"
"""
PLACES = ["process", "container", "oci:runtime=runsc", "vm"]
found = {place: run(Workload(command=["sh", "-c", ASK]), place) for place in PLACES}
told = {
    place: dict(line.split(": ", 1) for line in result.output.splitlines() if ": " in line)
    for place, result in found.items()
    if result is not None
}
pd.DataFrame(told)

# %% [markdown]
# Read the first two lines. In the container it is this host's kernel that answers, in the other two it is not. gVisor
# claims to be some Linux of long ago; that is a text in a program, and no Linux is there.

# %%
mine = os.uname().release
answers = {place: "this host's kernel" if told[place]["release"] == mine else "another" for place in told}
assert all((answer == "another") == (place in PLACES[2:]) for place, answer in answers.items())
answers

# %% [markdown]
# ## A request that is refused
#
# `unshare(0)` asks for nothing: to be given new namespaces of no kind. It takes no privilege and changes nothing, so
# no kernel has a reason to refuse it. The container does, with EPERM. Nobody looked at anybody's rights: a filter of
# system calls stood before the kernel, and `unshare(2)` is not on its list.

# %%
assert told["process"]["unshare(0)"] == "granted"
if "container" in told:
    assert "Operation not permitted" in told["container"]["unshare(0)"]
    assert told["container"]["filter"] == "2"  # SECCOMP_MODE_FILTER, proc_pid_status(5)
    print(told["container"]["unshare(0)"])

# %% [markdown]
# The plan of the container says where it comes from:

# %%
if "container" in told:
    filtered = [step for step in lab.plan("true", "container") if "SECCOMP" in step.text]
    assert len(filtered) == 1
    print(filtered[0].text)

# %% [markdown]
# Why that call? With CLONE_NEWUSER it makes a user namespace, and in one of their own everybody is root: of nothing
# but that namespace, yet with much more of the kernel within reach. Many a way out of a container began so
# (CVE-2022-0185). In the two places with another kernel the call is granted, and that is no contradiction: what it
# opens is gVisor's kernel, or the guest's. Who brings a kernel may be allowed more of it.

# %%
assert all(told[place]["unshare(CLONE_NEWUSER)"] == "granted" for place in PLACES[2:] if place in told)
{place: answer["unshare(CLONE_NEWUSER)"] for place, answer in told.items()}

# %% [markdown]
# The plain process was refused as well, without a filter: the lab gives it the image by `chroot(2)`, and in there the
# kernel makes no user namespaces (`user_namespaces(7)`, ERRORS of `unshare(2)`). EPERM says that somebody refused,
# and never who. That is why the first request was the one that asks for nothing.

# %% [markdown]
# ## A filter by hand
#
# A filter is a program for a small machine in the kernel, the classic BPF that `tcpdump` uses for packets
# (`seccomp(2)`). Each instruction has eight bytes: what to do, how far to jump if so and if not, and a number. It
# gets the call's number and arguments to read, and says what becomes of it. This one refuses a single call:

# %%
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
EPERM = 1


def instruction(code, number, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, number)


def refuse(call):
    return b"".join(
        [
            instruction(LOAD, 0),  # the number of the call is the first field of struct seccomp_data
            instruction(EQUAL, call, yes=0, no=1),
            instruction(RETURN, REFUSE | EPERM),
            instruction(RETURN, ALLOW),
        ]
    )


#: Each architecture has numbers of its own; a real filter looks at that first.
NUMBERS = {"x86_64": {"uname": 63, "kill": 62}, "aarch64": {"uname": 160, "kill": 129}}.get(platform.machine(), {})
NUMBERS

# %% [markdown]
# A filter is installed with `prctl(2)`, holds for the process and all that it starts, and cannot be taken off again.
# So we give it to a child.

# %%
libc = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def under(filter_program, code):
    """Run Python code in a child that has a filter; what it printed, errors too."""

    def install():
        program = Program(len(filter_program) // 8, filter_program)
        no_new_privileges, mode, filters = 38, 22, 2  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(mode, filters, ctypes.byref(program)):
            raise OSError(ctypes.get_errno(), "prctl")

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=install, capture_output=True, text=True)
    return done.stdout + done.stderr


TRY = """
import os
try:
    print("uname says", os.uname().release)
except OSError as error:
    print("uname says", error)
print("/proc says", open("/proc/sys/kernel/osrelease").read())
"""
if NUMBERS:
    said = under(refuse(NUMBERS["uname"]), TRY)
    assert "Operation not permitted" in said
    print(said)
else:
    print("not run here: the numbers of system calls on", platform.machine(), "are not in the table above")

# %% [markdown]
# And there is what a filter does **not** stop. It stops *calls*. What the call would have told is told by a file as
# well, and `open(2)` has to stay allowed. Nor can it read what a pointer points to: it sees that a file is opened,
# never which one. A filter makes less of the kernel reachable; what it lets through meets the very kernel of all the
# others.

# %%
assert mine in said
[line for line in said.splitlines() if mine in line]

# %% [markdown]
# ## Too many tasks
#
# Now those who take. A fork bomb makes processes until there are no more to be had. This one stops at a hundred, for
# the host's sake. Under `pids=20` it does not get so far.

# %%
BOMB = """
i=0
while [ $i -lt 100 ]; do sleep 100 & i=$((i+1)); echo $i; done
"""
bomb = Workload(command=["sh", "-c", BOMB])


def children(limit):
    """How many a container with so many tasks lets it have, and the last thing that it said."""
    result = lab.run(bomb, f"container:pids={limit}", timeout=100)
    numbers = [int(line) for line in result.stdout.split()]
    return max(numbers, default=0), result.stderr.strip()


if "container" in told:
    made, said = children(20)
    assert made == 19  # the shell is a task as well
    print(f"{made} children, then: {said}")

# %% [markdown]
# All of them are gone with the container: when the first process of a pid namespace ends, the kernel kills the rest
# (`pid_namespaces(7)`). That is a second thing that stops a bomb, and a process without a namespace lacks it. Turn
# the knob:

# %%
if "container" in told:
    interact(
        lambda pids: print("children:", children(pids)[0]),
        pids=IntSlider(value=20, min=2, max=120, step=2, continuous_update=False),
    )

# %% [markdown]
# The plain process cannot be limited at all, and the lab does not pretend:

# %%
try:
    lab.run(bomb, "process:pids=20")
except IsoscopeError as error:
    refusal = error
print(refusal.message)

# %% [markdown]
# ## Too much memory
#
# A victim lives in one container. Beside it comes a hog with 48 MiB, which it goes beyond at once. The kernel kills
# for want of memory *in the hog's group*, and the victim does not notice.

# %%
hog = Workload(command=["tail", "/dev/zero"])  # it keeps the last line, and this one does not end
if "container" in told:
    with lab.start(lab.workload("sleep"), "container") as victim:
        killed = lab.run(hog, "container:memory=48M")
        beside = victim.status
    assert killed.exit.oom_killed
    assert beside.value == "running"
    print("the hog:", killed.exit)
    print("the victim:", beside.value)

# %% [markdown]
# What the limit does **not** stop: harm within the group. It is one account for all that is in it, and who is killed
# is whoever the kernel finds to be the largest. In the next container the first process is a small and faithful
# server; a hog starts within, and the server sees that it was killed, and is lucky to have been the smaller one. The
# container as a whole ends well, and nothing in its exit tells of the kill.

# %%
WITHIN = """
tail /dev/zero &
wait $!
echo "the hog ended with status $?; the server still runs"
"""
if "container" in told:
    within = lab.run(Workload(command=["sh", "-c", WITHIN]), "container:memory=48M")
    assert "status 137" in within.output  # 128 + SIGKILL
    print(within.output)
    print(within.exit)

# %% [markdown]
# A virtual machine has no group: it has RAM, and the kernel that runs out of it is its own. The limit and the second
# kernel come together. Its processor is busy meanwhile, which we shall need below.

# %%
if "vm" in told:
    inside = lab.run(hog, "vm:memory=128M")
    assert inside.exit.oom_killed
    print("the hog in the guest:", inside.exit)

# %% [markdown]
# ## Too much of the processor
#
# The hog now is an endless loop on every processor, for two seconds. How much of the host does it get? The kernel
# counts for the whole container: nanoseconds of processor time.

# %%
SPIN = """
for n in $(seq {cpus}); do timeout 2 sh -c 'while :; do :; done' & done
wait
"""
spin = Workload(command=["sh", "-c", SPIN.format(cpus=os.cpu_count())])


def taken(place):
    """Processors that it had on average, over the whole of the container's life."""
    began = time.monotonic_ns()
    result = lab.run(spin, place)
    return result.stats.cpu_ns / (time.monotonic_ns() - began)


if "container" in told:
    shares = {limit: taken(f"container{limit}") for limit in ("", ":cpus=1", ":cpus=0.5", ":cpus=0.2")}
    assert shares[":cpus=0.2"] < 0.35
    display(pd.Series(shares, name="processors").rename(lambda limit: limit.lstrip(":") or "no limit").to_frame())

# %% [markdown]
# The limit holds whatever else goes on: it is a quota, and not a share of what is free. Without one the hog takes
# what the scheduler gives it, and that is a fair share, not everything. What does the *victim* feel? That is to be
# measured, and the lab has a benchmark for it: a fixed piece of work, alone and beside a hog, with limits on both and
# without.

# %%
if "container" in told:
    beside = lab.compare(
        backends=["container"],
        benchmarks=["interference:victim=cpu,neighbours=cpu,work=0.3s"],
        quick=True,
        seed=1,
        directory=here / "interference",
    )
    display(beside.figures["interference-slowdown"])

# %% [markdown]
# How far the two cases are apart is a matter of this host, and of what else it did just now. Two processors and one
# hog on each: the victim without limits has to share with somebody, with limits it need not. Never read such a figure
# without its intervals; three blocks have none.

# %% [markdown]
# And a second kernel? It stops nothing of this kind by itself. A guest's processors are threads of the host's, and
# without a limit a busy guest takes them as the hog did. The hog for memory kept its guest's kernel busy, and that
# was charged here:

# %%
if "vm" in told:
    print(f"the guest with the hog took {inside.stats.cpu_ns / 1e9:.1f} s of this host's processors")

# %% [markdown]
# ## What stops what
#
# Most of this was a cell above; for the rest, the last column has a source. The last row is what nobody here stops.

# %%
HARMS = [
    ("tasks without end", "stops (pids)", "no", "stops: they are its guest's", "exercise 3; cgroup-v2.rst, PID"),
    ("memory without end", "stops (memory), not within the group", "no", "stops at its RAM", "notebook 3"),
    ("processors", "stops (cpus)", "no", "no: its threads are the host's", "notebook 3"),
    ("a defect of a call", "no", "stops calls off its list", "it is the guest's kernel", "CVE-2022-0185"),
    ("a defect of a call that is allowed", "no", "no", "it is the guest's kernel", "NIST SP 800-190, 3.5.2"),
    ("shared caches, memory bandwidth", "no", "no", "no", "Kocher et al., Spectre, S&P 2019"),
]
pd.DataFrame(HARMS, columns=["harm", "a limit", "a filter", "a second kernel", "more"]).style.hide()

# %% [markdown]
# ## Exercises
#
# Each exercise has a check that you can call on your own answer; the folded cell below it has one that passes.
#
# **1.** Write `same_kernel(place)`: whether what runs in that place is answered by the kernel that answers this
# notebook. Do not trust its release alone, two machines may have the same. Then `check_same_kernel(same_kernel)`.


# %%
def check_same_kernel(answer):
    """Two boots never have the same id: random(4), /proc/sys/kernel/random/boot_id."""
    for place in told:
        if place != "vm":  # one boot less to wait for; try it
            assert answer(place) is (place in PLACES[:2]), f"wrong for {place}"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def same_kernel(place):
    return lab.run(Workload(command=["cat", BOOT_ID]), place).stdout == Path(BOOT_ID).read_text()


check_same_kernel(same_kernel)

# %% [markdown]
# **2.** `kill(pid, 0)` sends nothing: it asks whether a process is there. Write `look_only(call)`, a filter that lets
# `kill(2)`, whose number is `call`, through with signal 0 alone and refuses it with any other. In `struct
# seccomp_data` the arguments begin at byte 16, eight bytes each; load the low half of the second. Then
# `check_look_only(look_only)`.


# %%
def check_look_only(answer):
    if not NUMBERS:
        return "not run here: the numbers of system calls are not known"
    code = """
import os, signal
os.kill(os.getpid(), 0)
print("looked")
try:
    os.kill(os.getpid(), signal.SIGCONT)
    print("sent")
except PermissionError:
    print("refused")
"""
    assert (said := under(answer(NUMBERS["kill"]), code)) == "looked\nrefused\n", said
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def look_only(call):
    return b"".join(
        [
            instruction(LOAD, 0),
            instruction(EQUAL, call, yes=0, no=3),
            instruction(LOAD, 24),
            instruction(EQUAL, 0, yes=1, no=0),
            instruction(RETURN, REFUSE | EPERM),
            instruction(RETURN, ALLOW),
        ]
    )


check_look_only(look_only)

# %% [markdown]
# **3.** A server and its ten helpers, each a task, run under a limit on tasks. Once a day a script runs in there that
# starts a pipeline of four programs at once, from a shell. Give the least `pids` with which all of it runs:
# `check_pids(pids)` tries it out.


# %%
def check_pids(pids):
    """The server is a shell, its helpers are `sleep`; the pipeline lives as long as its first program."""
    helpers = "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done"
    script = "sh -c 'sleep 2 | cat | cat | cat; echo all'"
    day = Workload(command=["sh", "-c", f"{helpers}; {script}; true"])
    if "container" in told:
        assert "all" in lab.run(day, f"container:pids={pids}").stdout, "that is too few"
        assert "all" not in lab.run(day, f"container:pids={pids - 1}").stdout, "it goes with fewer"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
check_pids(1 + 10 + 1 + 4)  # the server, its helpers, the script's shell, and the pipeline

# %%
shutil.rmtree(here, ignore_errors=True)
lab.close()
