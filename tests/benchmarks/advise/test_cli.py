"""The command, in processes of its own, on backends that pretend."""

import json
import sys

import pytest

FILE = """\
image = "base"
command = ["echo", "hello"]

[profile]
cpu = "heavy"
lifetime = "10m"

[requirements]
trust = "shared"
startup = "0.2s"
"""


@pytest.fixture
def write(tmp_path):
    def write(text=FILE):
        (tmp_path / "mine.toml").write_text(text)
        return tmp_path / "mine.toml"

    return write


def test_the_answer_its_costs_and_what_would_change_it(command, write):
    done = command("advise", write())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "mine: container"
    assert "  not known: ready within 200 ms: not measured here" in lines
    assert "felter2014/linpack: docker to native, Intel LINPACK N=45000, 2 sockets (raw-data)" in done.stdout
    assert "what would change it:" in lines
    assert lines[-3:] == [
        "measure first:",
        f"  isoscope compare {write()} -m startup -b process -b container -b vm",
        "  isoscope compare -m cpu -b process -b container -b vm",
    ]


def test_json_is_whole(command, write):
    done = command("advise", write(), "--json")
    found = json.loads(done.stdout)
    assert found["answer"]["variant"] == "container"
    assert found["workload"]["profile"] == {"cpu": 0.5, "lifetime": 600.0}
    assert {"process"} <= {one["variant"] for one in found["excluded"]}
    assert all(rule["source"] for rule in found["rules"])
    assert any(rule["fired"] for rule in found["rules"])
    assert found["answer"]["figures"]["cpu"]["citation"]


def test_explain_shows_every_rule(command, write):
    done = command("advise", write(), "--explain")
    assert "not fired: kernel modules" in done.stdout
    assert "fired: what runs beside others is kept apart from them" in done.stdout
    assert done.stdout.count("  source: ") >= 13


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("startup", "strtup"), "mine.toml:10: unknown field of requirements 'strtup'", "did you mean startup?"),
        (("cpu", "trust"), "mine.toml:5: 'trust' is no field of profile", "it stands in [requirements]"),
        (
            ('"shared"', '"shard"'),
            "mine.toml:9: requirements.trust: 'shard' is not known",
            "known: own, shared, untrusted",
        ),
        (('"0.2s"', '"soon"'), "mine.toml:10: requirements.startup: 'soon' is not a span of time", "write 90s"),
        (('"heavy"', "2"), "mine.toml:5: profile.cpu: 2 is not a share of its time", "0 to 1"),
        (("[profile]\ncpu", "profile = 1\n[other]\ncpu"), "mine.toml:5: unknown workload field 'other'", "known:"),
    ],
)
def test_a_wrong_field_is_told_with_line_and_hint(command, write, change, message, hint):
    done = command("advise", write(FILE.replace(*change)))
    assert done.returncode == 2
    assert message in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_terminal_nothing_is_asked(command):
    done = command("advise")
    assert done.returncode == 2
    assert "advise needs a workload" in done.stderr


def test_a_folder_that_is_not_there_is_refused(command, write, tmp_path):
    done = command("advise", write(), "--runs", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_questions_lead_to_the_same_answer(monkeypatch, tmp_path):
    from click.testing import CliRunner
    from isoscope.benchmarks.advise.questions import ask
    from isoscope.core import Lab

    runner = CliRunner()

    def answered():
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        return ask(Lab(tmp_path))

    with runner.isolation(input="untrustd\nuntrusted\n" + "\n" * 4 + "0.2s\nheavy\n" + "\n" * 4):
        found = answered()
    assert found.values == {"trust": "untrusted", "startup": 0.2, "cpu": 0.5}
