# %% [markdown]
# # Layers, overlayfs, and why your build is slow
#
# After this notebook you can say what happens to a file of an image when a container writes to it or removes it, find
# that in the directories below, and predict which instructions of a Dockerfile run again after a change.
#
# Nothing here takes root.

# %%
import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pandas as pd
from isoscope.core import Lab, Workload

lab = Lab()
here = Path(tempfile.mkdtemp(prefix="isoscope-layers-", dir="."))

# %% [markdown]
# ## Two directories, seen as one
#
# `overlayfs` (Documentation/filesystems/overlayfs.rst in the kernel's source) shows several directories as one: the
# *lower* ones, which it never writes to, and one *upper*, where everything goes that changes. `work` is its scratch
# space, on the same file system as `upper`.

# %%
for name in ("lower", "upper", "work", "merged"):
    (here / name).mkdir()
(here / "lower/poem").write_text("line one\n")
(here / "lower/big").write_bytes(bytes(1 << 20))
(here / "lower/old").write_text("to be removed\n")
sorted(os.listdir(here / "lower"))

# %% [markdown]
# A mount takes rights, and a user namespace gives them (see the second notebook). So each script below gets a mount of
# its own, in a namespace of its own; only what it leaves in the directories stays.


# %%
def on_overlay(script, lower=("lower",), upper="upper", work="work"):
    """Run a shell script in the merged directory. The first of `lower` lies on top."""
    below = ":".join(str((here / name).absolute()) for name in lower)
    options = f"lowerdir={below},upperdir={here.absolute() / upper},workdir={here.absolute() / work},userxattr"
    steps = 'mount -t overlay overlay -o "$1" "$2" && cd "$2" && eval "$3"'
    words = ["sh", "-ec", steps, "sh", options, str(here.absolute() / "merged"), script]
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


print(on_overlay("ls -l"))

# %% [markdown]
# ## Copy-up
#
# One byte more in a file of the lower directory: the file is copied to the upper one first, all of it, and changed
# there. The lower one is as it was.

# %%
on_overlay("echo 'line two' >> poem; printf x >> big")
assert (here / "lower/poem").read_text() == "line one\n"
assert (here / "upper/poem").read_text() == "line one\nline two\n"
pd.DataFrame(
    {name: {file: (here / name / file).stat().st_size for file in ("poem", "big")} for name in ("lower", "upper")}
)

# %% [markdown]
# For `big` that was a megabyte for one byte. This is why a database does not belong on a container's own file system,
# and why the first write to a large file is slow and the second is not.
#
# ## Whiteouts
#
# How do you remove what you may not write to? You put a sign in front of it: a character device with the number 0:0,
# under the same name.

# %%
on_overlay("rm old")
sign = (here / "upper/old").lstat()
assert stat.S_ISCHR(sign.st_mode)
assert (os.major(sign.st_rdev), os.minor(sign.st_rdev)) == (0, 0)
print("merged:", on_overlay("ls").split(), "lower:", sorted(os.listdir(here / "lower")))

# %% [markdown]
# So removing makes nothing smaller: the file is still in the lower layer. A secret that one instruction of a
# Dockerfile copies and the next removes is still there for whoever unpacks the image.
#
# ## A stack
#
# Several lower directories are a stack, the first on top. That is what an image is: layers, each with what it changed.
# Here what we have just done becomes a layer itself, read-only from now on, below a new upper directory.

# %%
for name in ("upper2", "work2"):
    (here / name).mkdir()
seen = on_overlay("cat poem; echo 'line three' >> poem; ls", lower=("upper", "lower"), upper="upper2", work="work2")
assert "old" not in seen.split()
assert sorted(os.listdir(here / "upper2")) == ["poem"]
print(seen)

# %% [markdown]
# ## An image in the store
#
# In the store every layer is unpacked once, in a directory that has the digest of its content as its name, and serves
# all containers.

# %%
base = lab.images.rootfs("base")
for layer in base.layers:
    print(layer.name, sorted(os.listdir(layer))[:6], "...")

# %% [markdown]
# The plan of a container has the mount that you know by now. Its upper directory is new, and goes with it.

# %%
if "container" in lab.ready():
    [mount] = [step.text for step in lab.plan("hello", "container") if "lowerdir=" in step.text]
    assert str(base.layers[0]) in mount
    print(mount.replace(",", ",\n    "))
else:
    print("not run here:", lab.backend("container").lacks()[0].what)

# %% [markdown]
# Whatever a container does to its files, the next one begins where this one began:

# %%
if "container" in lab.ready():
    vandal = Workload(command=["sh", "-c", "rm /bin/date && ! ls /bin/date"])
    assert lab.run(vandal, "container").exit_status == 0
    assert lab.run(Workload(command=["ls", "/bin/date"]), "container").stdout == "/bin/date\n"
    assert (base.layers[0] / "bin/date").is_symlink() or (base.layers[0] / "bin/date").exists()

# %% [markdown]
# ## A builder in thirty lines
#
# A Dockerfile is a list of instructions, each of which makes a layer on top of those before it. A builder would like
# to run none of them twice. Its question is: *have I done this very thing before?* The thing is named by what goes
# into it: the name of everything below, the instruction's text, and for COPY the content of the files.


# %%
def name_of(parent, instruction, context):
    """The key under which a layer is cached."""
    key = hashlib.sha256(f"{parent}\n{instruction}".encode())
    if instruction.startswith("COPY "):
        key.update((context / instruction.split()[1]).read_bytes())
    return key.hexdigest()


def make(instruction, layers, context, target):
    """Do one instruction, on top of `layers`, the uppermost first; what changes is left in `target`."""
    kind, rest = instruction.split(" ", 1)
    target.mkdir()
    if kind == "COPY":
        source, path = rest.split()
        shutil.copy(context / source, target / path.lstrip("/"))
    else:
        work = target.with_suffix(".work")
        work.mkdir()
        on_overlay(f"chroot . sh -c '{rest}'", lower=layers, upper=target.absolute(), work=work.absolute())


def build(dockerfile, context):
    """Build, with a cache. Returns what was done for each instruction."""
    parent, layers, told = base.digest, [layer.absolute() for layer in base.layers][::-1], []
    for instruction in dockerfile.strip().splitlines()[1:]:  # the first is FROM
        parent = name_of(parent, instruction, context)
        layer = here / "cache" / parent
        if fresh := not layer.exists():
            make(instruction, layers, context, layer)
        layers.insert(0, layer.absolute())
        told.append({"instruction": instruction, "key": parent[:12], "done": "run" if fresh else "cached"})
    return pd.DataFrame(told)


(here / "cache").mkdir()
context = here / "context"
context.mkdir()
(context / "packages.txt").write_text("left-pad\n")
(context / "app.txt").write_text("hello\n")

# %% [markdown]
# `tr` stands for what takes minutes in your builds: the package manager.

# %%
SLOW = """
FROM base
COPY app.txt /app.txt
COPY packages.txt /packages.txt
RUN tr a-z A-Z < /packages.txt > /installed
RUN cat /installed /app.txt > /program
"""
first = build(SLOW, context)
assert list(first["done"]) == ["run"] * 4
first

# %% [markdown]
# Again, with nothing changed:

# %%
again = build(SLOW, context)
assert list(again["done"]) == ["cached"] * 4
again

# %% [markdown]
# Now change one word of the application. Every key is made of the one before it, so whatever stands below the change
# has another name, and is run again: the packages, too, which have nothing to do with it.

# %%
(context / "app.txt").write_text("good morning\n")
changed = build(SLOW, context)
assert list(changed["done"]) == ["run"] * 4
changed

# %% [markdown]
# The cure is order: what changes most often comes last.

# %%
QUICK = """
FROM base
COPY packages.txt /packages.txt
RUN tr a-z A-Z < /packages.txt > /installed
COPY app.txt /app.txt
RUN cat /installed /app.txt > /program
"""
build(QUICK, context)
(context / "app.txt").write_text("good evening\n")
quick = build(QUICK, context)
assert list(quick["done"]) == ["cached", "cached", "run", "run"]
quick

# %% [markdown]
# ## The key is not the digest
#
# A key names what goes in, a layer's *digest* what comes out: the SHA-256 of its tar archive. `RUN date` has the same
# key for ever, and so a builder never runs it again, although it would give another result. That is why `RUN apt-get
# update` in a line of its own goes stale.


# %%
def digest(layer):
    """As a layer has it in an image: of its files in a tar archive, here with the times left out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(layer.rglob("*")):
            entry = archive.gettarinfo(path, str(path.relative_to(layer)))
            entry.mtime = 0
            archive.addfile(entry, open(path, "rb") if entry.isreg() else None)  # noqa: SIM115
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def twice(command):
    """Run a command in two layers of its own; whether they are the same."""
    found = set()
    for count in range(2):
        target = here / f"twice-{count}"
        make(f"RUN {command}", [layer.absolute() for layer in base.layers], context, target)
        found.add(digest(target))
        shutil.rmtree(target)
        shutil.rmtree(target.with_suffix(".work"), ignore_errors=True)
    return len(found) == 1


{command: twice(command) for command in ("echo hello > /file", "mktemp -u > /file")}

# %%
assert twice("echo hello > /file")
assert not twice("mktemp -u > /file")

# %% [markdown]
# ## Exercises
#
# **1.** Write `removed(upper)`: the names of what an upper directory hides. Then `check_removed(removed)`.


# %%
def check_removed(answer):
    assert set(answer(here / "upper")) == {"old"}
    assert set(answer(here / "upper2")) == set()
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def removed(upper):
    return [path.name for path in upper.iterdir() if stat.S_ISCHR(path.lstat().st_mode) and path.lstat().st_rdev == 0]


check_removed(removed)

# %% [markdown]
# **2.** Without building anything: which instructions run again when `file` has changed? Write `rebuilt(dockerfile,
# file)`, a list of instructions. Then `check_rebuilt(rebuilt)`.


# %%
def check_rebuilt(answer):
    assert answer(SLOW, "app.txt") == SLOW.strip().splitlines()[1:]
    assert answer(QUICK, "app.txt") == QUICK.strip().splitlines()[3:]
    assert answer(QUICK, "README.md") == []
    for dockerfile in (SLOW, QUICK):  # and what the builder makes of it
        build(dockerfile, context)
        (context / "packages.txt").write_text((context / "packages.txt").read_text() + "more\n")
        told = build(dockerfile, context)
        assert answer(dockerfile, "packages.txt") == list(told[told["done"] == "run"]["instruction"])
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def rebuilt(dockerfile, file):
    instructions = dockerfile.strip().splitlines()[1:]
    touched = [place for place, one in enumerate(instructions) if one.startswith(f"COPY {file} ")]
    return instructions[touched[0] :] if touched else []


check_rebuilt(rebuilt)

# %% [markdown]
# **3.** `SECRET` copies a password, uses it, and removes it. Find the password in what a stranger gets, the layers:
# write `leaked(layers)`, which returns it. Then `check_leaked(leaked)`.

# %%
SECRET = """
FROM base
COPY password /password
RUN wc -c < /password > /used
RUN rm /password
"""


def check_leaked(answer):
    (context / "password").write_text("swordfish")
    before = set((here / "cache").iterdir())
    build(SECRET, context)
    layers = [path for path in set((here / "cache").iterdir()) - before if path.suffix != ".work"]
    assert answer(layers) == "swordfish"
    shutil.rmtree(here / "cache")
    (here / "cache").mkdir()
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def leaked(layers):
    return next((layer / "password").read_text() for layer in layers if (layer / "password").is_file())


check_leaked(leaked)

# %%
shutil.rmtree(here, ignore_errors=True)
lab.close()
