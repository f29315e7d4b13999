import os
import socket
import struct
import threading

import pytest
from isoscope.core import errors
from isoscope.core.control import LONGEST_MESSAGE, pack_error, receive, send, unpack_error, unpack_exit
from isoscope.core.errors import InputError, IsoscopeError, StateError
from isoscope.core.instance import Exit


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_message_and_its_descriptors_arrive(pair, tmp_path):
    ours, theirs = pair
    with open(tmp_path / "file", "w+") as file:
        send(ours, {"operation": "exec", "text": "ü\udc80"}, [file.fileno()])
        message, descriptors = receive(theirs)
        assert message == {"operation": "exec", "text": "ü\udc80"}
        assert os.path.samestat(os.fstat(descriptors[0]), os.fstat(file.fileno()))
        assert not os.get_inheritable(descriptors[0])
        os.close(descriptors[0])


def test_a_message_larger_than_any_socket_buffer_arrives_whole_even_with_a_deadline(pair):
    ours, theirs = pair
    theirs.settimeout(60)
    text = "x" * (4 << 20)
    sender = threading.Thread(target=send, args=(ours, {"text": text}))
    sender.start()
    assert receive(theirs)[0] == {"text": text}
    sender.join()


@pytest.mark.parametrize("data", [b"", b"\0\0", struct.pack("!I", 10) + b"{}"])
def test_who_hangs_up_early_has_said_nothing(pair, data):
    ours, theirs = pair
    ours.sendall(data)
    ours.close()
    assert receive(theirs) is None


def test_descriptors_of_a_message_cut_short_are_closed(pair):
    ours, theirs = pair
    read, write = os.pipe()
    socket.send_fds(ours, [struct.pack("!I", 10)], [write])
    os.close(write)
    ours.close()
    assert receive(theirs) is None
    assert os.read(read, 1) == b""  # nobody holds the other end any more
    os.close(read)


@pytest.mark.parametrize("data", [b"no json", b"[1]", b"\xff"])
def test_what_is_no_message_is_refused(pair, data):
    ours, theirs = pair
    ours.sendall(struct.pack("!I", len(data)) + data)
    with pytest.raises(InputError):
        receive(theirs)


def test_an_endless_message_is_refused_unread(pair):
    ours, theirs = pair
    ours.sendall(struct.pack("!I", LONGEST_MESSAGE + 1))
    with pytest.raises(InputError, match="too long"):
        receive(theirs)


def every_error():
    for name, kind in sorted(vars(errors).items()):
        if isinstance(kind, type) and issubclass(kind, IsoscopeError):
            error = kind.__new__(kind)
            IsoscopeError.__init__(error, f"{name} message", hint=f"{name} hint", transient=name == "Timeout")
            if isinstance(error, errors.WorkloadFailed):
                error.command_status = 42
            yield pytest.param(error, id=name)


@pytest.mark.parametrize("error", list(every_error()))
def test_an_error_arrives_as_what_it_was(error):
    arrived = unpack_error(pack_error(error))
    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)
    assert arrived.exit_status == error.exit_status
    assert str(arrived) == error.message
    assert arrived.as_dict() == error.as_dict()


def test_an_error_with_a_constructor_of_its_own_arrives():
    error = StateError("web", operation="kill", status="stopped", allowed="running")
    arrived = unpack_error(pack_error(error))
    assert isinstance(arrived, StateError)
    assert (arrived.message, arrived.hint) == (error.message, error.hint)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("user", errors.InputError),
        ("host", errors.HostError),
        ("workload", errors.WorkloadFailed),
        ("x", errors.InstanceFailed),
    ],
)
def test_a_plugins_error_arrives_as_one_of_ours_with_the_same_fault(fault, kind):
    arrived = unpack_error({"error": "StrangeError", "fault": fault, "message": "m", "hint": "h"})
    assert type(arrived) is kind
    assert (arrived.message, arrived.hint) == ("m", "h")


def test_an_error_is_never_another_object_of_that_name():
    assert type(unpack_error({"error": "Fault", "fault": "user", "message": "m"})) is InputError


def test_an_exit_arrives():
    for end in (Exit(code=3), Exit(signal=9, oom_killed=True)):
        assert unpack_exit(end.as_dict()) == end
