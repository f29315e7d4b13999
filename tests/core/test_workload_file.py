from pathlib import Path

import pytest
from isoscope.core import Lab
from isoscope.core.errors import InputError
from isoscope.core.workload_file import WorkloadFile, line_of

GOOD = """\
image = "base"
# a comment
command = [
    "echo",
    "hello",
]

[resources]
memory = 67108864

[profile]
cpu = "heavy"

[requirements]
trust = "own"
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return write


def test_tables_about_a_workload_do_not_disturb_who_runs_it(write, tmp_path):
    workload = Lab(tmp_path / "home").workload(write(GOOD))
    assert workload.name == "mine"
    assert workload.command == ("echo", "hello")
    assert workload.resources.memory == 64 << 20


@pytest.mark.parametrize(
    ("old", "new", "line", "hint"),
    [
        ("command", "comand", 3, "did you mean command?"),
        ("memory", "memry", 9, "did you mean memory?"),
        ("[profile]", "[profil]", 11, "did you mean profile?"),
        ("67108864", "5", 9, "the least that is accepted"),
        ("67108864", '"64M"', 9, "workload reference"),
        ('"base"', '"base"\nnetwork = "wifi"', 2, "known: none"),
        ('    "hello",\n', "    7,\n", 3, "write"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(write, old, new, line, hint):
    path = write(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        WorkloadFile.read(path).workload()
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert hint in caught.value.hint


def test_a_wrong_field_of_a_later_mount_is_found(write):
    mounts = '\n[[mounts]]\nsource = "/a"\ntarget = "/b"\n\n[[mounts]]\nsource = "/c"\ntraget = "/d"\n'
    with pytest.raises(InputError, match=r":\d+: unknown workload field 'traget'") as caught:
        WorkloadFile.read(path := write(GOOD + mounts)).workload()
    line = int(caught.value.message.removeprefix(path).split(":")[1])
    assert Path(path).read_text().splitlines()[line - 1] == 'traget = "/d"'


def test_toml_that_is_none_is_told_with_the_parsers_line(write):
    with pytest.raises(InputError, match="at line 2"):
        WorkloadFile.read(write('image = "base"\ncommand = = 1\n'))


@pytest.mark.parametrize(
    ("place", "line"), [(("resources", "memory"), 9), (("command",), 3), (("profile",), 11), (("nothing",), None)]
)
def test_the_line_of_a_key_is_where_it_begins(place, line):
    assert line_of(GOOD, place) == line
