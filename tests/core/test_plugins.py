import subprocess
import sys

import pytest
from isoscope.core import errors
from isoscope.core.errors import Fault, InputError, IsoscopeError, NotFound
from isoscope.core.plugins import choose, offers


def test_two_plugins_cannot_offer_the_same_name():
    def hook(register):
        register("mine", object())
        register("mine", object())

    with pytest.raises(InputError, match="mine"):
        offers(hook, "backend")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(NotFound) as caught:
        choose({"vm": 1, "container": 2}, "vn", "backend")
    assert caught.value.hint == "there are: container, vm"


def test_importing_the_core_imports_nothing_heavy():
    code = (
        "import sys, isoscope.core; from isoscope.core import Lab, Workload\n"
        "heavy = {'pandas', 'numpy', 'matplotlib', 'libvirt', 'pyroute2', 'scipy', 'rich', 'lxml'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""


def test_every_error_says_whose_fault_it_is_and_how_the_command_line_ends():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IsoscopeError)]
    statuses = {Fault.USER: 2, Fault.HOST: 3, Fault.WORKLOAD: 1, Fault.ISOSCOPE: 1}
    assert len(kinds) > 10
    for kind in kinds:
        assert kind.exit_status == statuses[kind.fault], kind
        assert kind.__doc__
