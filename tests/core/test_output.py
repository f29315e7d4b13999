import errno
import os

from hypothesis import given
from hypothesis import strategies as st
from isoscope.core.output import OutputLog, Stdio, read_log


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary())))
def test_a_log_gives_back_every_byte_in_order(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("log") / "log"
    log = OutputLog(path, Stdio())
    for stream, data in pieces:
        log.write(stream, data)
    log.close()
    assert list(read_log(path)) == pieces


def test_a_line_cut_short_is_passed_over(tmp_path):
    log = OutputLog(tmp_path / "log", Stdio())
    log.write("stdout", b"whole")
    log.write("stdout", b"cut")
    log.close()
    os.truncate(tmp_path / "log", (tmp_path / "log").stat().st_size - 3)
    assert list(read_log(tmp_path / "log")) == [("stdout", b"whole")]


def test_output_goes_on_to_the_callers_descriptors_and_the_log_survives_their_end(tmp_path):
    read_end, write_end = os.pipe()
    log = OutputLog(tmp_path / "log", Stdio(stdout=write_end))
    log.write("stdout", b"one")
    log.write("stderr", b"elsewhere")
    assert os.read(read_end, 100) == b"one"
    os.close(read_end)
    log.write("stdout", b"two")
    log.write("stdout", b"three")
    os.close(write_end)
    assert [data for _, data in read_log(tmp_path / "log")] == [b"one", b"elsewhere", b"two", b"three"]


def test_there_is_no_log_where_there_is_no_file(tmp_path):
    assert list(read_log(tmp_path / "log")) == []


def test_on_a_full_disk_output_goes_on_and_the_log_keeps_whole_lines(tmp_path, monkeypatch, caplog):
    read_end, write_end = os.pipe()
    log = OutputLog(tmp_path / "log", Stdio(stdout=write_end))
    log.write("stdout", b"before")
    real, left = os.write, [10, 0]

    def write(fd, data):
        if fd == write_end or not left:
            return real(fd, data)
        room = left.pop(0)  # at first for a part of the line, then for nothing
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[:room])

    monkeypatch.setattr(os, "write", write)
    for piece in (b"cut", b"lost", b"after"):
        log.write("stdout", piece)
    log.close()
    assert [data for _, data in read_log(tmp_path / "log")] == [b"before", b"after"]
    assert os.read(read_end, 100) == b"beforecutlostafter"
    assert caplog.text.count("the disk is full") == 1
    os.close(read_end)
    os.close(write_end)
