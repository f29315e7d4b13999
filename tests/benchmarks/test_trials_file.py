from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from isoscope.benchmarks.results.trials import FIELDS, TrialsFile, Unwritable, lines
from isoscope.core.errors import HostError, InputError


def row(trial: int, metric: str = "harness.trial") -> dict[str, object]:
    return {**dict.fromkeys(FIELDS), "trial": trial, "metric": metric, "labels": {}}


def made(directory: Path, *rows: dict[str, object]) -> Path:
    file = TrialsFile.new(directory)
    for one in rows:
        file.append(one)
    file.close()
    return directory / "trials.jsonl"


def test_each_value_is_one_write_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: (writes.append(bytes(data)), real(fd, data))[1])
    path = made(tmp_path, row(0, "startup.ready"), row(0))
    assert len(writes) == 2
    assert all(data.count(b"\n") == 1 and data.endswith(b"\n") for data in writes)
    assert b"".join(writes) == path.read_bytes()


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_last_line_that_was_cut_short_is_passed_over(tmp_path: Path, cut: int) -> None:
    path = made(tmp_path, row(0), row(1))
    path.write_bytes(path.read_bytes()[:-cut])
    assert [line.row["trial"] for line in lines(path)] == [0]


def test_a_line_in_the_middle_that_is_no_trial_is_told(tmp_path: Path) -> None:
    path = made(tmp_path, row(0), row(1))
    path.write_bytes(b'{"schema": 1}\n' + path.read_bytes())
    with pytest.raises(InputError, match="line 1"):
        list(lines(path))


def test_going_on_cuts_off_what_stands_behind_the_last_whole_trial(tmp_path: Path) -> None:
    path = made(tmp_path, row(0, "startup.ready"), row(0), row(1, "startup.ready"), row(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: whole.index(b"\n") + 1] + b'{"torn')
    file, rows = TrialsFile.resume(tmp_path)
    file.close()
    assert [(one["trial"], one["metric"]) for one in rows] == [
        (0, "startup.ready"),
        (0, "harness.trial"),
        (1, "startup.ready"),
        (1, "harness.trial"),
    ]
    assert path.read_bytes() == whole


def test_going_on_with_a_run_that_made_no_whole_trial_begins_anew(tmp_path: Path) -> None:
    path = made(tmp_path, row(0, "startup.ready"))
    file, rows = TrialsFile.resume(tmp_path)
    file.append(row(0))
    file.close()
    assert rows == []
    assert [line.row["metric"] for line in lines(path)] == ["harness.trial"]


def test_a_folder_with_a_run_is_not_begun_again(tmp_path: Path) -> None:
    made(tmp_path, row(0))
    with pytest.raises(InputError) as refused:
        TrialsFile.new(tmp_path)
    assert "--resume" in refused.value.hint


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="not empty"):
        TrialsFile.new(tmp_path)
    assert os.listdir(tmp_path) == ["diary.txt"]


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"taken|not a folder"):
            TrialsFile.new(place)


def test_two_harnesses_do_not_write_into_one_folder(tmp_path: Path) -> None:
    first = TrialsFile.new(tmp_path)
    with pytest.raises(InputError, match="another isoscope"):
        TrialsFile.resume(tmp_path)
    first.close()
    second, _ = TrialsFile.resume(tmp_path)
    second.close()


def test_a_full_disk_is_told_with_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = TrialsFile.new(tmp_path)
    file.append(row(0))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    with pytest.raises(Unwritable) as short:
        file.append(row(1))
    assert isinstance(short.value, HostError)
    assert "--resume" in short.value.hint

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Unwritable, match="No space left"):
        file.append(row(1))
    monkeypatch.undo()
    file.close()
    assert [line.row["trial"] for line in lines(tmp_path / "trials.jsonl")] == [0]


def test_a_value_that_json_does_not_know_is_never_written(tmp_path: Path) -> None:
    file = TrialsFile.new(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        file.append({**row(0), "value": float("nan")})
    file.close()
    assert (tmp_path / "trials.jsonl").read_bytes() == b""
