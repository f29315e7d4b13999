# %% [markdown]
# # What a process shares with the host
#
# After this notebook you can take any process, in a container or not, and say which parts of the host it shares with
# all the others and which it has for itself; and you can prove it with nothing but `/proc`.
#
# Run the cells one after the other with Shift+Enter. Each makes one claim and checks it.

# %%
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from isoscope.core import Lab, Workload

lab = Lab()
lab.ready()

# %% [markdown]
# Those are the ways to run something that this machine is ready for. We need three of them: `process` does nothing to
# isolate, `container` uses what the kernel has for it, `vm` brings a kernel of its own. What is missing is said here,
# with what gets it; the cells below then do without.

# %%
backends = [name for name in ("process", "container", "vm") if name in lab.ready()]
for name in sorted({"process", "container", "vm"} - set(backends)):
    print(f"not run here: {name}: {lab.backend(name).lacks()[0]}")

# %% [markdown]
# ## One question, asked in three places
#
# A workload is an image and a command. This one tells what it sees of the machine around it.

# %%
LOOK = """
echo "kernel: $(uname -r)"
echo "host name: $(hostname)"
echo "processes: $(ls /proc | grep -c '^[0-9]')"
echo "own pid: $$"
echo "network devices: $(ls /sys/class/net | tr '\\n' ' ')"
echo "memory: $(grep MemTotal /proc/meminfo | tr -s ' ' | cut -d' ' -f2) KiB"
for kind in mnt pid net uts ipc cgroup user; do echo "$kind: $(readlink /proc/self/ns/$kind)"; done
"""
look = Workload(command=["sh", "-c", LOOK])
lab.run(look, "process")

# %% [markdown]
# The same question for all of them, side by side. Keep this table in sight: the rest of the notebook reads it line by
# line.


# %%
def seen(workload, backend):
    """What the workload saw, as a dictionary."""
    return dict(line.split(": ", 1) for line in lab.run(workload, backend).output.splitlines())


table = pd.DataFrame({name: seen(look, name) for name in backends})
table

# %% [markdown]
# ## The kernel
#
# A process is something that the kernel does. `uname(2)` asks that kernel for its name, and so does this notebook:

# %%
assert table.loc["kernel", "process"] == os.uname().release
os.uname().release

# %% [markdown]
# A container has no kernel: it is a process as well, of the same kernel. Only a virtual machine has another.

# %%
{name: table.loc["kernel", name] == os.uname().release for name in backends}

# %%
assert all((table.loc["kernel", name] == os.uname().release) == (name != "vm") for name in backends)

# %% [markdown]
# ## Memory: for itself, from the first write
#
# `fork(2)` makes a copy of a process. Both then have a variable `number`, in the same place of their address spaces,
# and yet the child's write does not reach its parent: the kernel copies a page when one of them writes to it.

# %%
FORK = """
import os
number = 1
child = os.fork()
if child == 0:
    number = 2
    os._exit(0)
os.waitpid(child, 0)
print(number)
"""
told = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True).stdout
assert told == "1\n"
print(told)

# %% [markdown]
# ## Open files: shared, with their position
#
# A descriptor is a number that names an *open file description* (`open(2)`), and `fork(2)` copies the number, not the
# description. So when the child reads five bytes, its parent goes on after them.

# %%
OPEN = """
import os, tempfile
with tempfile.TemporaryFile() as file:
    os.write(file.fileno(), b"helloworld")
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    if (child := os.fork()) == 0:
        os.read(file.fileno(), 5)
        os._exit(0)
    os.waitpid(child, 0)
    print(os.read(file.fileno(), 5).decode())
"""
told = subprocess.run([sys.executable, "-c", OPEN], capture_output=True, text=True, check=True).stdout
assert told == "world\n"
print(told)

# %% [markdown]
# ## The table of processes
#
# Whoever shares the pid namespace (`pid_namespaces(7)`) sees every process in `/proc`, and may send signals to those
# of the same user. Here is this notebook's own, as the workload on the backend `process` finds it:

# %%
find_me = Workload(command=["sh", "-c", f"tr '\\0' ' ' < /proc/{os.getpid()}/cmdline"])
found = lab.run(find_me, "process")
assert "ipykernel" in found.output
found.output.partition(" -f ")[0]

# %% [markdown]
# In a container the same path leads nowhere. Its first process is number 1 of a table of its own.

# %%
if "container" in backends:
    lost = lab.run(find_me, "container")
    assert lost.exit_status != 0
    assert table.loc["own pid", "container"] == "1"
    print(lost.output)

# %% [markdown]
# ## What makes the difference: seven links
#
# Almost all of this sharing hangs on a handful of numbers. For each kind of namespace (`namespaces(7)`) a process has
# a link in `/proc/PID/ns`; two processes share a thing if their links are equal.

# %%
KINDS = ["mnt", "pid", "net", "uts", "ipc", "cgroup", "user"]
mine = pd.Series({kind: os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS})
mine

# %% [markdown]
# Compare those with what the workloads told of theirs. A virtual machine has links, too, but they are numbers of
# another kernel, and say nothing about ours.

# %%
of_this_kernel = [name for name in backends if name != "vm"]
shared = table.loc[KINDS, of_this_kernel].eq(mine, axis=0)
assert shared["process"].all()
shared.replace({True: "shared with this notebook", False: "its own"})

# %% [markdown]
# ## What no namespace hides
#
# There is no namespace for memory and processors. Give a container 64 MiB, and it still reads the host's total in
# `/proc/meminfo`: the limit is a control group's (`cgroups(7)`), which is the subject of the third notebook, and
# `/proc/meminfo` does not know about it. A virtual machine reads the size of the memory that it was given.

# %%
with_limit = [f"{name}:memory={size}" for name, size in (("container", "64M"), ("vm", "256M")) if name in backends]
total = Workload(command=["sh", "-c", "grep MemTotal /proc/meminfo"])
memory = {"host": Path("/proc/meminfo").read_text().splitlines()[0]}
memory |= {name: lab.run(total, name).output.strip() for name in with_limit}
memory

# %%
if "container" in backends:
    assert memory["container:memory=64M"] == memory["host"]

# %% [markdown]
# ## Exercises
#
# Each exercise has a check that you can call on your own answer; the folded cell below it has one that passes.
#
# **1.** Write `shared_kinds(one, other)`: the set of the kinds of namespaces that two processes, given by pid, share.
# Then try it: `check_shared_kinds(shared_kinds)`.


# %%
def check_shared_kinds(answer):
    """Two processes, of which the second has a user and a uts namespace of its own (unshare(1))."""
    command = ["unshare", "--user", "--uts", "sh", "-c", "echo $$; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        pid = int(other.stdout.readline())
        found = answer(os.getpid(), pid)
        other.communicate("\n")
    assert found == set(KINDS) - {"user", "uts"}, f"it gives {found}"
    assert answer(os.getpid(), os.getpid()) == set(KINDS), "a process shares everything with itself"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def shared_kinds(one, other):
    return {kind for kind in KINDS if os.readlink(f"/proc/{one}/ns/{kind}") == os.readlink(f"/proc/{other}/ns/{kind}")}


check_shared_kinds(shared_kinds)

# %% [markdown]
# **2.** Before you run anything: on which of the three backends does `date` print the same second as on the host, and
# why can it not be otherwise on two of them? Write down a workload that finds out, `clock`, whose output is the
# seconds since 1970; then `check_clock(clock)`.


# %%
def check_clock(workload):
    """There is no namespace for the wall clock: time_namespaces(7) has the monotonic and the boot-time clock alone."""
    import time

    for name in of_this_kernel:
        before = int(time.time())
        told = int(lab.run(workload, name).output)
        assert before <= told <= time.time(), f"{name} tells {told}"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
clock = Workload(command=["date", "+%s"])
check_clock(clock)

# %% [markdown]
# **3.** A container of which you only know a process seems to have no network of its own. Which two links do you
# compare? Write `uses_hosts_network(pid)`; then `check_uses_hosts_network(uses_hosts_network)`.


# %%
def check_uses_hosts_network(answer):
    assert answer(os.getpid()) is True
    command = ["unshare", "--user", "--net", "sh", "-c", "echo $$; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        pid = int(other.stdout.readline())
        found = answer(pid)
        other.communicate("\n")
    assert found is False
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def uses_hosts_network(pid):
    return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")


check_uses_hosts_network(uses_hosts_network)

# %%
lab.close()
