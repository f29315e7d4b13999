"""`isoscope lab` up to the point where it becomes JupyterLab: what it lists, copies, and refuses."""

import json

import pytest
from isoscope.core.cli import lab as command
from isoscope.core.cli.main import main
from isoscope.core.cli.notebooks import Notebook, deliver, installed
from isoscope.core.errors import HostError

OLD, NEW = (Notebook("01-x.ipynb", "X", "", content) for content in (b"old", b"new"))


def names(directory):
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))


def test_it_lists_what_is_installed(capsys):
    assert main(["lab", "--list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told] == [one.name for one in installed()]
    assert all(one["title"] and one["aim"].startswith("After this notebook you can") for one in told)
    assert main(["lab", "--list"]) == 0
    assert told[0]["title"] in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "status"), [(["99"], 2), (["nosuch"], 2), (["--json"], 2), (["--port", "0"], 2)])
def test_wrong_usage_is_told_and_starts_nothing(arguments, status, capsys, monkeypatch):
    monkeypatch.setattr(command.os, "execve", lambda *_: pytest.fail("it was started"))
    assert main(["lab", *arguments]) == status
    assert "hint: " in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(home, capsys, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name in ("jupyterlab", "ipywidgets") else object())
    assert main(["lab"]) == 3
    error, hint = capsys.readouterr().err.splitlines()
    assert "jupyterlab, ipywidgets" in error
    assert hint.endswith("-m pip install 'isoscope[lab]'")
    assert not (home / "notebooks").exists()


def test_it_opens_what_is_named_on_loopback_alone(home, monkeypatch):
    started = []
    monkeypatch.setattr(command.os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    monkeypatch.setenv("DISPLAY", ":0")
    assert main(["lab", "1", "--port", "8899"]) == 0
    [(python, arguments, environment)] = started
    assert arguments[:3] == [python, "-m", "jupyterlab"]
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert "--ServerApp.open_browser=True" in arguments
    assert f"--LabApp.default_url=/lab/tree/{installed()[0].name}" in arguments
    assert f"--ServerApp.root_dir={home / 'notebooks'}" in arguments
    assert "JUPYTER_TOKEN" not in environment
    assert environment["JUPYTER_CONFIG_DIR"].startswith(str(home))
    assert names(home / "notebooks") == [one.name for one in installed()]


def test_a_copy_is_made_once(tmp_path):
    assert list(deliver([OLD], tmp_path)) == [tmp_path / "01-x.ipynb"]
    assert list(deliver([OLD], tmp_path)) == []


def test_edits_are_never_overwritten_and_a_new_version_goes_beside(tmp_path):
    list(deliver([OLD], tmp_path))
    (tmp_path / "01-x.ipynb").write_bytes(b"mine")
    assert list(deliver([OLD], tmp_path)) == []
    assert list(deliver([NEW], tmp_path)) == [tmp_path / "01-x.new.ipynb"]
    assert (tmp_path / "01-x.ipynb").read_bytes() == b"mine"
    assert (tmp_path / "01-x.new.ipynb").read_bytes() == b"new"
    assert list(deliver([NEW], tmp_path)) == []


def test_what_was_removed_comes_back(tmp_path):
    list(deliver([OLD], tmp_path))
    (tmp_path / "01-x.ipynb").unlink()
    assert list(deliver([OLD], tmp_path)) == [tmp_path / "01-x.ipynb"]


def test_a_link_in_the_way_is_not_followed(tmp_path):
    treasure = tmp_path / "treasure"
    treasure.write_bytes(b"treasure")
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / "01-x.ipynb").symlink_to(treasure)
    list(deliver([OLD], copies))
    assert treasure.read_bytes() == b"treasure"


def test_where_nothing_can_be_written_it_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HostError) as caught:
        list(deliver([OLD], tmp_path / "file"))
    assert "--directory" in caught.value.hint
