from pathlib import Path

import pytest
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import InputError, Unsupported
from isoscope.core.workload import Mount, Network, Resources, Workload


def test_a_workload_survives_the_way_through_plain_data(tmp_path):
    workload = Workload(
        image="python",
        command=["python3", "-c", "print('ü\udcff')"],
        environment={"A": "1=2"},
        resources=Resources(cpus=0.5, memory=64 << 20, pids=10),
        mounts=[Mount.parse(f"{tmp_path}:/data:ro")],
        network="bridge",
        working_directory="/data",
        terminal=True,
    )
    assert Workload.from_dict(workload.as_dict()) == workload


@pytest.mark.parametrize(
    "data",
    [
        {"comand": ["true"]},
        {"resources": {"memry": 1}},
        {"resources": {"memory": 5}},
        {"mounts": [{"source": "/"}]},
        {"network": "wifi"},
        {"command": ["a\0b"]},
        {"environment": {"A=B": "1"}},
        {"environment": {"": "1"}},
    ],
)
def test_a_malformed_workload_is_refused_with_a_hint(data):
    with pytest.raises(InputError) as caught:
        Workload.from_dict(data)
    assert caught.value.hint


def test_a_variants_terms_change_the_workload_and_nothing_else():
    workload = Workload(command=("true",), resources=Resources(pids=7))
    changed = workload.with_overrides({"memory": "64M", "cpus": "2", "network": "host", "accelerator": "tcg"})
    assert changed.resources == Resources(cpus=2, memory=64 << 20, pids=7)
    assert changed.network is Network.HOST
    assert changed.command == workload.command
    assert workload.resources == Resources(pids=7)


@pytest.mark.parametrize("text", ["/a", "a:/b", "/:b", "/:/b:rx", "/:/b/../c", "/does/not/exist:/b", "/:/b:ro:x"])
def test_a_malformed_mount_is_refused(text):
    with pytest.raises(InputError):
        Mount.parse(text)


def test_a_read_only_mount_is_told_from_a_writable_one():
    assert Mount.parse("/:/b:ro") == Mount(Path("/"), Mount.parse("/:/b").target, read_only=True)
    assert not Mount.parse("/:/b:rw").read_only


@pytest.mark.parametrize(
    "workload",
    [
        Workload(network=Network.BRIDGE),
        Workload(resources=Resources(memory=64 << 20)),
        Workload(mounts=[Mount.parse("/:/b")]),
        Workload(terminal=True),
    ],
)
def test_what_a_backend_does_not_declare_is_refused(workload):
    with pytest.raises(Unsupported, match="mine"):
        Capabilities().check("mine", workload)
    Capabilities(networks=frozenset(Network), limits=frozenset({"memory"}), mounts=True, terminal=True).check(
        "mine", workload
    )
