# %% [markdown]
# # A virtual machine from nothing
#
# After this notebook you can boot a Linux kernel with a file system that you made yourself, in a machine that you put
# together device by device, first with QEMU alone and then with libvirt; and you can read a domain's XML and say what
# each part is for.
#
# It takes no root and no KVM: without KVM, QEMU translates the guest's instructions (TCG), which is slower, and the
# same otherwise.

# %%
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
from IPython.display import display
from ipywidgets import IntSlider, interact_manual
from isoscope.core import Lab, Workload

lab = Lab()
here = Path(tempfile.mkdtemp(prefix="isoscope-vm-", dir=".")).absolute()
may = "vm" in lab.ready()
for lack in [] if may else lab.backend("vm").lacks():
    print("not run here:", lack.what, "->", lack.remedy)
accelerator = "kvm" if lab.host.kvm.usable else "tcg"
print("accelerator:", accelerator, "because", lab.host.kvm.reason)

# %% [markdown]
# ## A kernel
#
# Any will do. We take the one that the lab boots, out of its plan for a virtual machine; we come back to the rest of
# that plan at the end.

# %%
if may:
    [definition] = [step.text for step in lab.plan("hello", "vm") if "<domain" in step.text]
    domain = ET.fromstring(definition[definition.index("<domain") :])
    kernel = domain.findtext("os/kernel")
    print(Path(kernel).name, Path(kernel).stat().st_size >> 20, "MiB")

# %% [markdown]
# ## A file system, by hand
#
# A kernel needs a first program. It looks for `/init` in an *initramfs*: a `cpio` archive that QEMU puts into the
# guest's memory beside the kernel (Documentation/driver-api/early-userspace/buffer-format.rst). The format is a header
# of thirteen hexadecimal numbers, the name, the content:


# %%
def entry(number, name, mode, content=b"", device=(0, 0)):
    """One file of an archive in cpio's format `newc`."""
    fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)

    def padded(data):
        return data + bytes(-len(data) % 4)

    return padded(header + name.encode() + b"\0") + padded(content)


def archive(files):
    """Bytes of an archive, from name to (mode, content) or (mode, content, device)."""
    named = [*files.items(), ("TRAILER!!!", (0,))]
    return b"".join(entry(number, name, *rest) for number, (name, rest) in enumerate(named, 1))


# %% [markdown]
# Two programs are enough. `busybox`, linked statically, is a shell and all the usual tools; `init` is a script of
# ours. The kernel opens `/dev/console` for it before anything is mounted, so that node has to be in the archive.

# %%
INIT = """#!/bin/busybox sh
/bin/busybox mkdir /proc /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
PATH=/bin
%s
busybox poweroff -f
"""
busybox = (lab.images.rootfs("base").layers[0] / "bin/busybox").read_bytes()


def initramfs(script):
    """Write an archive whose init runs a script, and name its file."""
    files = {
        "dev": (0o040755,),
        "dev/console": (0o020600, b"", (5, 1)),
        "bin": (0o040755,),
        "bin/busybox": (0o100755, busybox),
        "bin/sh": (0o120777, b"busybox"),
        "init": (0o100755, (INIT % script).encode()),
    }
    target = here / "initramfs"
    target.write_bytes(archive(files))
    return target


initramfs("busybox uname -a").stat().st_size >> 10

# %% [markdown]
# ## QEMU
#
# Six options make a machine. Note `-nodefaults`: without it QEMU adds what a PC of 2009 had.


# %%
def boot(script, *options, machine="q35", memory=128):
    """Boot, and return what the guest wrote to its serial port."""
    command = [
        "qemu-system-x86_64",
        *("-machine", f"{machine},accel={accelerator}"),  # the board: a chip set with PCI Express, from 2007
        *("-cpu", "max"),  # every feature that the accelerator has
        *("-m", str(memory)),  # MiB of RAM
        *("-kernel", kernel, "-initrd", str(initramfs(script))),
        *("-append", "console=ttyS0 quiet panic=-1"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-serial", "stdio"),  # the guest's first serial port is our standard output
        *options,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\r", "")


if may:
    told = boot('echo "init is process $$"; busybox uname -r; busybox ls /')
    assert "init is process 1\n" in told
    assert os.uname().release not in told
    print(told)

# %% [markdown]
# That is a whole computer, with a kernel of its own. From here on we look at what it is made of.
#
# ## Memory is a promise, again
#
# How much of what `-m` gives does the guest's own kernel leave?

# %%
MEMORY = "busybox grep -E '^(MemTotal|MemFree)' /proc/meminfo"


def left(memory):
    """MiB that a guest with so many MiB of RAM has in all, and free, by what its kernel says."""
    found = dict(line.split(":") for line in boot(MEMORY, memory=memory).splitlines() if line.startswith("Mem"))
    return {name: int(text.split()[0]) >> 10 for name, text in found.items()}


if may:
    found = left(96)
    assert found["MemFree"] < found["MemTotal"] < 96
    print(found)

# %% [markdown]
# Turn the knob and boot another. What the kernel keeps for itself is not a constant: for each page it has a `struct
# page` of 64 bytes, and more.

# %%
if may:
    size = IntSlider(value=192, min=64, max=1024, step=64, description="MiB")
    interact_manual.options(manual_name="Boot")(left, memory=size)

# %% [markdown]
# ## Devices
#
# The guest finds them by asking each place on the PCI bus for its identity. So shall we: vendor, device, and class
# (the first two digits: 01 storage, 02 network, 03 display, 06 bridge).

# %%
LIST = 'for d in /sys/bus/pci/devices/*; do echo "pci ${d##*/} $(busybox cat $d/vendor $d/device $d/class)"; done'
NAMES = {
    "0x8086 0x29c0": "host bridge of the q35 board",
    "0x8086 0x2918": "bridge to what is older than PCI: the serial port",
    "0x8086 0x2922": "AHCI, for SATA disks",
    "0x8086 0x2930": "SMBus",
    "0x8086 0x10d3": "e1000e, an Intel network card",
    "0x1234 0x1111": "a display",
    "0x1af4 0x1005": "virtio-rng: random numbers, the first half of virtio's numbers",
    "0x1af4 0x1044": "virtio-rng: random numbers",
}


def devices(*options):
    """The PCI devices that a guest finds, one a row."""
    lines = boot(f"for d in 1; do {LIST}; done", *options).split("pci ")[1:]
    rows = [dict(zip(("address", "vendor", "device", "class"), line.split(), strict=False)) for line in lines]
    frame = pd.DataFrame(rows)
    frame["what"] = (frame["vendor"] + " " + frame["device"]).map(NAMES).fillna("")
    return frame


if may:
    bare = devices()
    display(bare)

# %% [markdown]
# Those came with the board. One more option, one more device: `virtio-rng-pci`. `virtio` is a family of devices that
# no factory ever made: the guest knows that it talks to a hypervisor, and both save the trouble of pretending.

# %%
if may:
    more = devices("-device", "virtio-rng-pci")
    assert len(more) == len(bare) + 1
    added = more[~more["address"].isin(bare["address"])]
    assert list(added["vendor"]) == ["0x1af4"]
    display(added)

# %% [markdown]
# ## libvirt
#
# Nobody types such command lines twice. libvirt keeps the machine as XML, knows which option each QEMU wants, and
# starts, watches and limits it. This is the same machine as above, as a *domain*
# (https://libvirt.org/formatdomain.html):

# %%
XML = """
<domain type="{kind}">
  <name>isoscope-notebook</name>
  <memory unit="MiB">128</memory>
  <os>
    <type arch="x86_64" machine="q35">hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 quiet panic=-1</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <serial type="file"><source path="{output}"/></serial>
    <memballoon model="none"/>
  </devices>
</domain>
"""

# %% [markdown]
# libvirt's QEMU driver runs inside this very program, without a daemon (`qemu:///embed`), in a directory that we give
# it. We ask to be told when the machine has stopped, start it, and wait for that event. It is a program of its own
# because a process can have one such directory only, and the lab has its own.

# %%
RUN = """
import sys, libvirt
directory, xml = sys.argv[1:]
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open(f"qemu:///embed?root={directory}")
ended = []
connection.domainEventRegisterAny(
    None,
    libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    lambda _, domain, event, detail, __: ended.append(detail) if event == libvirt.VIR_DOMAIN_EVENT_STOPPED else None,
    None,
)
connection.createXML(xml, 0)
while not ended:
    libvirt.virEventRunDefaultImpl()
"""
SETTINGS = """
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""  # nobody else's files, nobody to protect them from


def start_by_libvirt(xml):
    """Run a domain to its end."""
    with tempfile.TemporaryDirectory(prefix="isoscope-") as root:  # short: sockets go there
        (Path(root) / "etc").mkdir()
        as_root = 'user = "+0"\ngroup = "+0"\n' if os.geteuid() == 0 else ""
        (Path(root) / "etc/qemu.conf").write_text(SETTINGS + as_root)
        logged = os.environ | {"LIBVIRT_LOG_OUTPUTS": f"1:file:{root}/libvirt.log"}
        subprocess.run([sys.executable, "-c", RUN, root, xml], check=True, timeout=170, env=logged)


if may:
    output = here / "serial"
    kind = "kvm" if accelerator == "kvm" else "qemu"
    start_by_libvirt(XML.format(kind=kind, kernel=kernel, initrd=initramfs("echo by libvirt"), output=output))
    assert "by libvirt" in output.read_text()
    print(output.read_text())

# %% [markdown]
# ## The lab's own machine, taken apart
#
# Now the XML that the lab makes for the workload `hello`, as it stands in its plan.

# %%
if may:
    ET.indent(domain)
    print(ET.tostring(domain, encoding="unicode"))

# %% [markdown]
# Every part of it is there for a reason:

# %%
REASONS = {
    "memory": "RAM; the backend's default, or the workload's limit",
    "vcpu": "virtual processors: each is a thread of QEMU's",
    "os/loader": "qboot, a firmware that does nothing but start a kernel; SeaBIOS takes longer",
    "os/kernel": "loaded by QEMU itself: no boot loader, no disk to search",
    "os/initrd": "the lab's own init, and the three modules that it takes to reach the disk",
    "os/cmdline": "a console on the serial port; a crash ends the machine (panic=-1); no waiting for absent timers",
    "features/acpi": "so that the guest can switch itself off",
    "cpu": "every feature that the accelerator has, so that the guest is not slower than need be",
    "devices/controller[@type='usb']": "model none: there is no USB to be probed",
    "devices/controller[@type='virtio-serial']": "carries the channel below",
    "devices/disk": "the image as a disk: what changes goes to a qcow2 file, on top of one that all machines share",
    "devices/serial": "the console: what the kernel says before there is anything else",
    "devices/channel": "how the lab and its init in the guest talk: what to run, its output, its end",
    "devices/memballoon": "model none: nobody takes memory back from this guest",
}
if may:
    parts = {path: domain.find(path) for path in REASONS}
    missing = [path for path, part in parts.items() if part is None]
    assert not missing, missing
    display(pd.DataFrame({"part": parts.keys(), "what for": REASONS.values()}).style.hide())

# %% [markdown]
# Count what is *not* there, too: no display, no keyboard, no network (the workload asked for none), no USB. Each
# device that a guest does not have is one that it does not probe while it boots, and one whose emulation cannot have a
# hole.
#
# And run:

# %%
if may:
    result = lab.run("hello", "vm")
    assert result.exit_status == 0
    assert result.proof["accelerator"] == accelerator
    display(result)

# %% [markdown]
# Compare with the timeline of the container in the notebook before: the axes do not have the same unit.

# %% [markdown]
# ## Exercises
#
# **1.** Write `init_script`, a script for `boot` whose output has a line `cpus: N` with the number of processors that
# the guest sees. Then `check_cpus(init_script)`.


# %%
def check_cpus(script):
    if may:
        assert "cpus: 2\n" in boot(script, "-smp", "2")
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
check_cpus('echo "cpus: $(busybox grep -c ^processor /proc/cpuinfo)"')

# %% [markdown]
# **2.** Write `without(xml, path)`: the text of a domain without the part at `path`. Take the serial port out of
# `XML`: the guest boots all the same, and nobody hears of it. Then `check_without(without)`.


# %%
def check_without(answer):
    left_over = ET.fromstring(answer(XML, "devices/serial"))
    assert left_over.find("devices/serial") is None
    assert left_over.find("devices/memballoon") is not None
    assert left_over.findtext("name") == "isoscope-notebook"
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
def without(xml, path):
    tree = ET.fromstring(xml)
    parent, _, last = path.rpartition("/")
    holder = tree.find(parent) if parent else tree
    holder.remove(holder.find(last))
    return ET.tostring(tree, encoding="unicode")


check_without(without)

# %% [markdown]
# **3.** The kernel on the host and the one in the guest differ. What else must be different, and what may be the same?
# Give a workload, `look`, that prints its boot's id (`random(4)`, /proc/sys/kernel/random/boot_id). Then
# `check_boot(look)` compares it with the host's, for a container and, by the machine's own proof, for a VM.


# %%
def check_boot(look):
    mine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if "container" in lab.ready():
        assert lab.run(look, "container").stdout.strip() == mine, "the same kernel, booted once"
    if may:
        assert result.proof["boot_id"] != mine
    return "right"


# %% jupyter={"source_hidden": true} tags=["solution"]
look = Workload(command=["cat", "/proc/sys/kernel/random/boot_id"])
check_boot(look)

# %%
shutil.rmtree(here, ignore_errors=True)
lab.close()
