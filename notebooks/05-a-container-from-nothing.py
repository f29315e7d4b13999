# %% [markdown]
# # A container from nothing, in forty lines
#
# After this notebook you can write a program that runs a command in a container, out of seven system calls, and say of
# every step of a real one why it is there.
#
# It takes no root, and works wherever user namespaces do. The second notebook has the namespaces, the fourth the
# overlay.

# %%
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from IPython.display import display
from isoscope.core import Lab, Workload

pd.set_option("display.max_colwidth", None)
lab = Lab()
here = Path(tempfile.mkdtemp(prefix="isoscope-container-", dir=".")).absolute()

# %% [markdown]
# ## The program
#
# Read it from top to bottom; the cells below take it apart. It wants a directory for what changes, the image's layers,
# and a command.

# %%
PROGRAM = """
import ctypes, os, sys, warnings  # execvpe imports the last, and by then there is no Python left

scratch, layers, *command = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000    # linux/sched.h
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, NOEXEC, BIND, REC, PRIVATE, DETACH = 2, 4, 8, 4096, 16384, 1 << 18, 2  # sys/mount.h

def call(function, *arguments):
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{function}{arguments}: {os.strerror(ctypes.get_errno())}")

def mount(source, target, kind, flags, options):
    call("mount", source, target, kind, flags, options)

user, group = os.getuid(), os.getgid()
call("unshare", NEWUSER | NEWNS | NEWPID | NEWNET | NEWUTS | NEWIPC | NEWCGROUP)
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
child = os.fork()
if child == 0:
    call("sethostname", b"forty", 5)
    mount(None, b"/", None, PRIVATE | REC, None)
    for name in ("upper", "work", "root"):
        os.mkdir(f"{scratch}/{name}")
    over = f"lowerdir={layers},upperdir={scratch}/upper,workdir={scratch}/work,userxattr"
    mount(b"overlay", f"{scratch}/root".encode(), b"overlay", 0, over.encode())
    os.chdir(f"{scratch}/root")
    mount(b"proc", b"proc", b"proc", NOSUID | NODEV | NOEXEC, None)
    for name in ("null", "zero", "urandom"):
        open(f"dev/{name}", "w").close()
        mount(f"/dev/{name}".encode(), f"dev/{name}".encode(), None, BIND, None)
    call("pivot_root", b".", b".")
    call("umount2", b".", DETACH)
    os.execvpe(command[0], command, {"PATH": "/bin:/usr/bin:/sbin:/usr/sbin"})
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
"""
lines = [line for line in PROGRAM.splitlines() if line.strip()]
assert len(lines) <= 40
(here / "container.py").write_text(PROGRAM)
len(lines)

# %% [markdown]
# ## It runs
#
# The image is one of the lab's, unpacked. Each container gets a scratch directory of its own.

# %%
layers = ":".join(str(layer.absolute()) for layer in reversed(lab.images.rootfs("base").layers))


def contain(*command, program=here / "container.py"):
    """Run a command in a container of ours."""
    scratch = tempfile.mkdtemp(dir=here)
    words = [sys.executable, str(program), scratch, layers, *command]
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


hello = contain("sh", "-c", "echo hello from $(hostname), process $$; ls /")
assert hello.stdout.startswith("hello from forty, process 1\n"), hello.stdout
print(hello.stdout)

# %% [markdown]
# And its exit status comes out, as that of a shell would:

# %%
assert contain("sh", "-c", "exit 7").returncode == 7
contain("sh", "-c", "exit 7").returncode

# %% [markdown]
# ## `unshare` and the fork
#
# All seven namespaces in one call; the user namespace first in the kernel, so that it gives the right to the other
# six. The maps say who root in there is out here: you. The fork is there because a new pid namespace begins with the
# next child.

# %%
print(contain("sh", "-c", "cat /proc/self/uid_map; ls /proc | grep '^[0-9]'").stdout)

# %% [markdown]
# ## The mounts
#
# First `/` becomes private, so that nothing of what follows is seen outside (`mount_namespaces(7)`, "Shared
# subtrees"). Then the overlay, and on it a `/proc` that shows the new pid namespace, and three devices. Making device
# nodes is refused to root in a user namespace, so those of the host are bound to empty files.

# %%
told = contain("cat", "/proc/mounts").stdout
assert [line.split()[1] for line in told.splitlines()] == ["/", "/proc", "/dev/null", "/dev/zero", "/dev/urandom"]
print("\n".join(line[:90] for line in told.splitlines()))

# %% [markdown]
# ## `pivot_root`, not `chroot`
#
# `chroot(2)` changes where a path begins, for one process; the rest of the host's tree is still mounted, and root
# knows ways back. `pivot_root(2)` swaps the root *mount*: with both arguments `.`, the old root ends up on top of the
# new one, and unmounting it leaves nothing of the host. The table of mounts above is the proof: it has five lines.
#
# For comparison, the same program with a `chroot`, and in both the oldest trick there is: `chroot` once more, into a
# directory below, without going along, and then up and up. In the image there is no Python, so these steps stand in the
# program, in the place of the command.

# %%
CHROOTED = PROGRAM.replace('call("pivot_root", b".", b".")', 'call("chroot", b".")').replace(
    'call("umount2", b".", DETACH)', "pass"
)
assert CHROOTED.count("chroot") == 1

steps = "os.mkdir('/x'); os.chroot('/x'); os.chdir('../../../../../../..'); os.chroot('.')"
probe = f"{steps}; print(os.path.exists({str(here / 'container.py')!r}))"
outcome = {}
for name, text in (("chroot", CHROOTED), ("pivot_root", PROGRAM)):
    (here / f"{name}-escape.py").write_text(text.replace("os.execvpe(", f"{probe}; sys.stdout.flush(); os._exit(0); ("))
    outcome[name] = contain("true", program=here / f"{name}-escape.py").stdout.strip()
assert outcome == {"chroot": "True", "pivot_root": "False"}
{"the host's files can be seen after": outcome}

# %% [markdown]
# ## What forty lines leave out
#
# The lab's container takes the same way, and some more. Here is its plan: nothing is done yet, these are the steps
# that starting would take, in the kernel's own words.

# %%
if "container" in lab.ready():
    plan = lab.plan(Workload(command=["sh", "-c", "echo hello"]), "container")
    display(plan)
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# Which of these steps have we, and what is each of the others for?

# %%
WHY = {
    "clone3": ("ours: unshare and fork", "one call, straight into its cgroup, and a descriptor to wait on"),
    "overlay": ("ours", "the image below, what changes above"),
    "pivot_root": ("ours", "nothing of the host's tree is left"),
    "fsopen proc": ("ours", "a /proc of its own pid namespace"),
    "mkdir /sys/fs/cgroup": ("missing", "limits, and counters for what it uses"),
    "PR_CAPBSET_DROP": ("missing", "root in there keeps 14 of 41 capabilities"),
    "PR_SET_SECCOMP": ("missing", "system calls that no workload needs are refused"),
    "hide /proc": ("missing", "files of /proc that tell about the host, or change it"),
    "close_range": ("missing", "no descriptor of ours leaks in"),
    "RLIMIT": ("missing", "limits that do not depend on who started it"),
}
if "container" in lab.ready():
    rows = []
    for word, (have, why) in WHY.items():
        found = next((step for step in plan if word in step.text), None)
        if found is not None:
            rows.append({"phase": found.phase, "step": word, "in our forty lines": have, "what for": why})
    assert len(rows) >= 8
    display(pd.DataFrame(rows))

# %% [markdown]
# The difference can be read in `/proc/self/status`: the set of capabilities in force, the state of the system call
# filter (2 is a filter), and whether a set-user-ID program could still give more rights.

# %%
LOOK = ["grep", "-E", "^(CapEff|Seccomp|NoNewPrivs):", "/proc/self/status"]


def facts(text):
    return dict(line.split(":\t") for line in text.splitlines())


compared = {"forty lines": facts(contain(*LOOK).stdout)}
if "container" in lab.ready():
    result = lab.run(Workload(command=LOOK), "container")
    compared["the lab's"] = facts(result.stdout)
    assert compared["the lab's"]["Seccomp"] == "2"
    assert int(compared["the lab's"]["CapEff"], 16) < int(compared["forty lines"]["CapEff"], 16)
pd.DataFrame(compared)

# %% [markdown]
# And now the plan, run: the same phases on one axis, with the time that each took.

# %%
if "container" in lab.ready():
    display(lab.run("hello", "container"))

# %% [markdown]
# ## Exercises
#
# **1.** Make the container's root read-only: change `PROGRAM` so that `touch /x` fails and `ls /` still works, by one
# more `mount` before the `exec`. (`mount(2)`, "Remounting": MS_REMOUNT is 32, MS_RDONLY is 1, and for a mount in a
# user namespace MS_BIND has to be with them.) Then `check_read_only(your_program)`.


# %%
def check_read_only(program):
    (here / "answer.py").write_text(program)
    assert contain("touch", "/x", program=here / "answer.py").returncode != 0, "it can still be written to"
    listing = contain("ls", "/", program=here / "answer.py")
    assert listing.returncode == 0, listing.stdout
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
check_read_only(PROGRAM.replace("    os.execvpe", '    mount(None, b"/", None, 32 | 1 | BIND, None)\n    os.execvpe'))

# %% [markdown]
# **2.** `CapEff` is a bit mask; bit 21 is CAP_SYS_ADMIN (`capabilities(7)`, linux/capability.h). Write `has(mask,
# bit)` for the text that `/proc/self/status` has. Then `check_has(has)`: it asks about the lab's container, too.


# %%
def check_has(answer):
    mine = compared["forty lines"]["CapEff"]
    assert answer(mine, 21) is True
    assert answer("00000000a80425fb", 21) is False
    assert answer("00000000a80425fb", 0) is True, "CAP_CHOWN"
    if "the lab's" in compared:
        assert answer(compared["the lab's"]["CapEff"], 21) is False
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def has(mask, bit):
    return bool(int(mask, 16) >> bit & 1)


check_has(has)

# %% [markdown]
# **3.** Why does `kill -TERM 1` not end a shell that is number 1 of its namespace, and what does end it, from inside
# and from outside? (`pid_namespaces(7)`, "The namespace init process".) Give the shell command, to be run in the
# container by `sh -c`, that tries SIGTERM on number 1 and says `still here`: `check_term(command)`.


# %%
def check_term(command):
    assert "kill" in command
    assert "TERM" in command
    assert contain("sh", "-c", command).stdout.strip() == "still here"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
check_term("kill -TERM 1; echo still here")  # the kernel drops signals for which the init has no handler

# %%
shutil.rmtree(here, ignore_errors=True)
lab.close()
