# %% [markdown]
# # Namespaces, one by one
#
# After this notebook you can say what each of the kernel's eight kinds of namespace hides, make one with `unshare(1)`
# and with the system call below it, enter one that somebody else made, and say how long one lives.
#
# Everything here works without root: the first namespace that we make is the one that gives us the right to make all
# the others.

# %%
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from IPython.display import display
from isoscope.core import Lab, Workload

lab = Lab()


# %% [markdown]
# `unshare(1)` starts a program in new namespaces. We will use it in every cell, always with a user namespace in which
# we are root, and so:


# %%
def inside(*kinds, script):
    """Run a shell script in new namespaces, and return what it said, errors too."""
    command = ["unshare", "--user", "--map-root-user", *kinds, "sh", "-c", script]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip()


print(inside(script="id -un; cat /proc/self/uid_map"))

# %% [markdown]
# ## User: who you are, and what you may do
#
# `/proc/PID/uid_map` reads: user 0 in here is that user out there, for one user (`user_namespaces(7)`). In here you
# have every capability. What are they good for? Setting the machine's name needs CAP_SYS_ADMIN:

# %%
refused = inside(script="hostname isoscope-was-here")
assert os.uname().nodename != "isoscope-was-here"
print(refused)

# %% [markdown]
# Refused, even if this notebook runs as root. A capability counts in the user namespace in which you have it, and for
# what belongs to that namespace. The machine's name belongs to the first one. So we need a name of our own.

# %% [markdown]
# ## UTS: the host name
#
# The smallest of all: `uname(2)`'s `nodename` and the NIS domain (`uts_namespaces(7)`).

# %%
told = inside("--uts", script="hostname isoscope-was-here && hostname")
assert told == "isoscope-was-here"
{"inside": told, "outside": os.uname().nodename}

# %% [markdown]
# ## Mount: which file systems are where
#
# A new mount namespace begins with a copy of all mounts (`mount_namespaces(7)`); from then on the two lists go their
# own ways. Here a `tmpfs` hides `/usr`, for one process.

# %%
told = inside(
    "--mount", script="mount -t tmpfs none /usr && /bin/ls /usr 2>&1 | wc -l || true; grep -c '' /proc/self/mountinfo"
)
outside = len(Path("/proc/self/mountinfo").read_text().splitlines())
assert os.path.exists("/usr/bin")
{"inside": told.splitlines(), "mounts outside": outside}

# %% [markdown]
# A mount outside must not reach in, nor one inside leak out. Whether it does is a property of each mount, its
# *propagation*; `unshare(1)` makes all of them private first. Without that, on most systems, what you mount inside
# would appear outside:

# %%
for mode in ("private", "unchanged"):
    print(mode, inside("--mount", f"--propagation={mode}", script="grep -c shared: /proc/self/mountinfo || true"))

# %% [markdown]
# ## PID: the numbers of processes
#
# The first process of a new pid namespace is number 1 (`pid_namespaces(7)`). `unshare(2)` cannot renumber a process
# that runs, so it is the *next child* that is in the new namespace: hence `--fork`.

# %%
told = inside("--pid", "--fork", script="echo $$; ls /proc | grep -c '^[0-9]'")
pid, processes = map(int, told.splitlines())
assert pid == 1
assert processes > 1
{"own pid": pid, "processes in /proc": processes}

# %% [markdown]
# Number 1, and yet the whole host is in `/proc`: that file system still is the one of the outer namespace. `proc(5)`
# shows the namespace of whoever mounted it, so mount another, which takes a mount namespace. No container works
# without both.

# %%
told = inside("--pid", "--fork", "--mount-proc", script="ls /proc | grep -c '^[0-9]'")
assert int(told) < 5
told

# %% [markdown]
# Number 1 is the init of its namespace: when it ends, the kernel kills all that is left there. The `sleep` here would
# live on for a thousand seconds in any other place.

# %%
command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "sh", "-c", "sleep 1000 & echo started"]
done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
assert done.stdout == "started\n"  # the pipe is at its end: nobody holds it open any more, the sleep neither
done.stdout

# %% [markdown]
# ## Network: devices, addresses, routes, ports
#
# A new one has a loopback device, and even that is down (`network_namespaces(7)`).

# %%
print(inside("--net", script="cat /proc/net/dev; echo; cat /proc/net/route"))

# %% [markdown]
# So whatever listens on the host cannot be reached, and port numbers may be used again. A server of ours, asked from
# both sides:

# %%
import socket

ASK = "import socket, sys; print(socket.create_connection(('127.0.0.1', int(sys.argv[1]))) and 'connected')"
with socket.create_server(("127.0.0.1", 0)) as server:
    port = str(server.getsockname()[1])
    out = subprocess.run([sys.executable, "-c", ASK, port], capture_output=True, text=True)
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", ASK, port]
    within = subprocess.run(command, capture_output=True, text=True)
assert out.stdout == "connected\n"
assert "unreachable" in within.stderr
{"outside": out.stdout.strip(), "inside": within.stderr.splitlines()[-1]}

# %% [markdown]
# ## IPC: System V objects and POSIX queues
#
# Shared memory that has a key and no file is in a table of the namespace (`ipc_namespaces(7)`). Ours goes away
# together with its namespace, even though nobody removes it:

# %%
LIST = "ipcs --shmems | grep -c ^0x || true"
before = subprocess.run(LIST, shell=True, capture_output=True, text=True).stdout.strip()
told = inside("--ipc", script=f"{LIST}; ipcmk --shmem 4096 > /dev/null; {LIST}")
after = subprocess.run(LIST, shell=True, capture_output=True, text=True).stdout.strip()
assert told.split() == ["0", "1"]
{"inside, before and after": told.split(), "outside, before and after": [before, after]}

# %% [markdown]
# ## Time: the clocks that count from boot
#
# The youngest (`time_namespaces(7)`): the monotonic clock and the one since boot may have an offset, which lets a
# process that was frozen here be thawed elsewhere. The wall clock has none.

# %%
if lab.host.namespaces["time"].available:
    told = inside("--time", "--boottime=86400", script="cut -d. -f1 /proc/uptime; date +%s")
    uptime, now = map(int, told.split())
    outside = int(float(Path("/proc/uptime").read_text().split()[0]))
    assert abs(uptime - outside - 86400) < 60
    print(f"up for {outside} s outside, for {uptime} s inside")
else:
    print("not run here:", lab.host.namespaces["time"].reason)

# %% [markdown]
# ## Cgroup: where the tree of control groups begins
#
# This one hides a path, and nothing else (`cgroup_namespaces(7)`): what is a deep directory outside is `/` inside. Let
# a container read its own, and compare with what the host read at the same moment, which the result calls its proof.

# %%
if "container" in lab.ready():
    result = lab.run(Workload(command=["cat", "/proc/self/cgroup"]), "container")
    ours = [line for line in result.proof["cgroup"].splitlines() if "isoscope" in line]
    same = [line for line in result.stdout.splitlines() if line.split(":")[0] in {one.split(":")[0] for one in ours}]
    assert all(line.endswith(":/") for line in same)
    display(pd.DataFrame({"the host sees": ours, "it sees itself": same}))
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# ## The system call
#
# `unshare(1)` does little more than `unshare(2)`, one call with a bit for each kind. Python 3.12 has it as
# `os.unshare`; with `ctypes` it can be called from any. A process of its own does it here: this notebook has threads,
# and a process with threads may not leave its user namespace.

# %%
CALL = """
import ctypes, os
CLONE_NEWUTS, CLONE_NEWUSER = 0x04000000, 0x10000000        # linux/sched.h
libc = ctypes.CDLL(None, use_errno=True)
print(os.readlink("/proc/self/ns/uts"))
if libc.unshare(CLONE_NEWUSER | CLONE_NEWUTS):
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
print(os.readlink("/proc/self/ns/uts"))
"""
before, after = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True).stdout.split()
assert before == os.readlink("/proc/self/ns/uts") != after
before, after

# %% [markdown]
# ## Getting in
#
# `setns(2)` puts the caller into a namespace that exists already, named by an open file of `/proc/PID/ns`;
# `nsenter(1)` is the program for it. That is how `docker exec` and `isoscope exec` get into a container.

# %%
HOLD = "hostname isoscope-inner; echo ready; read line"
command = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", HOLD]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
    assert holder.stdout.readline() == "ready\n"
    enter = ["nsenter", "--target", str(holder.pid), "--user", "--preserve-credentials", "--uts", "hostname"]
    told = subprocess.run(enter, capture_output=True, text=True, check=True).stdout.strip()
    holder.communicate("\n")
assert told == "isoscope-inner"
told

# %% [markdown]
# ## How long one lives
#
# As long as a process is in it, or anybody holds it: with an open descriptor, or a bind mount of its file (this is
# what `ip netns add` does). Here the holder ends, and the name that it gave is still there, for we have kept two
# descriptors.

# %%
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
    assert holder.stdout.readline() == "ready\n"
    user, uts = (os.open(f"/proc/{holder.pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "uts"))
    holder.communicate("\n")
assert holder.poll() == 0  # it has ended
enter = ["nsenter", f"--user=/proc/self/fd/{user}", "--preserve-credentials", f"--uts=/proc/self/fd/{uts}", "hostname"]
told = subprocess.run(enter, pass_fds=(user, uts), capture_output=True, text=True, check=True).stdout.strip()
os.close(user)
os.close(uts)
assert told == "isoscope-inner"
told

# %% [markdown]
# ## All of them
#
# | kind | flag of `unshare(2)` | hides | man page |
# |---|---|---|---|
# | user | `CLONE_NEWUSER` | users, groups, capabilities | `user_namespaces(7)` |
# | uts | `CLONE_NEWUTS` | the host name | `uts_namespaces(7)` |
# | mnt | `CLONE_NEWNS` | what is mounted where | `mount_namespaces(7)` |
# | pid | `CLONE_NEWPID` | the numbers of processes | `pid_namespaces(7)` |
# | net | `CLONE_NEWNET` | devices, addresses, routes, ports | `network_namespaces(7)` |
# | ipc | `CLONE_NEWIPC` | System V objects, message queues | `ipc_namespaces(7)` |
# | cgroup | `CLONE_NEWCGROUP` | the root of the tree of cgroups | `cgroup_namespaces(7)` |
# | time | `CLONE_NEWTIME` | the clocks since boot | `time_namespaces(7)` |
#
# `CLONE_NEWNS` has no better name because it was the first, in 2002, and nobody thought of others. Which of them does
# the lab's own container use? Its plan says so, in the same words:

# %%
if "container" in lab.ready():
    steps = [step.text for step in lab.plan("hello", "container") if "CLONE_NEW" in step.text]
    assert any("CLONE_NEWPID" in step for step in steps)
    print("\n".join(steps))
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# ## Exercises
#
# **1.** Give the list of options of `unshare(1)`, `options`, that takes to run `hostname inner; echo $$; ls /proc` so
# that it prints `1` and shows no process of the host. Then `check_options(options)`.


# %%
def check_options(options):
    told = inside(*options, script="hostname inner && hostname; echo $$; ls /proc | grep '^[0-9]'").splitlines()
    assert told[:2] == ["inner", "1"], told
    assert str(os.getpid()) not in told[2:], "the host's processes are in /proc"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
options = ["--uts", "--pid", "--fork", "--mount-proc"]
check_options(options)

# %% [markdown]
# **2.** `lsns(8)` lists namespaces by walking `/proc`. Write `members(kind)`: a dictionary from the link's text to the
# set of the pids that have it, for all processes that you may look at. Then `check_members(members)`.


# %%
def check_members(answer):
    found = answer("net")
    assert os.getpid() in found[os.readlink("/proc/self/ns/net")]
    command = ["unshare", "--user", "--net", "sh", "-c", "echo ready; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        assert answer("net")[os.readlink(f"/proc/{other.pid}/ns/net")] == {other.pid}
        other.communicate("\n")
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def members(kind):
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.setdefault(os.readlink(f"/proc/{pid}/ns/{kind}"), set()).add(int(pid))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


check_members(members)

# %% [markdown]
# **3.** Why is it safe to let anybody make a user namespace in which they are root? Find three things that root may do
# on the host and that root in there may not, as shell commands that must fail inside and leave no trace: `forbidden`.
# Then `check_forbidden(forbidden)`. (Try them with `inside` first, and never outside.)


# %%
def check_forbidden(commands):
    assert len(set(commands)) >= 3
    for command in commands:
        assert inside(script=f"({command}) > /dev/null 2>&1 && echo done || echo refused") == "refused", command
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
forbidden = [
    "hostname isoscope-was-here",  # the name is the first user namespace's
    "mknod /dev/shm/isoscope-null c 1 3",  # a device node would reach the host's hardware
    "date --set @0",  # nobody but the host's root sets the wall clock
]
check_forbidden(forbidden)

# %%
lab.close()
