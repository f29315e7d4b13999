import pytest
from isoscope.core.errors import InputError
from isoscope.core.variant import Option, Variant

CACHE = Option("cache", "host page cache", ("none", "writeback"), "none")


@pytest.mark.parametrize("text", ["vm", "vm:network=none", "vm:memory=256M,cache=none", "my-own:a-b=c"])
def test_a_variant_is_written_as_it_is_read(text):
    assert str(Variant.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", ":", "vm:", "VM", "vm:cache", "vm:cache=", "vm:=1", "vm:a=1,a=2", "vm:a=1,", "v m"]
)
def test_a_malformed_variant_is_refused_with_a_hint(text):
    with pytest.raises(InputError) as caught:
        Variant.parse(text)
    assert caught.value.hint


def test_declared_options_take_their_defaults_and_workload_options_pass():
    assert Variant.parse("vm:memory=1G").backend_options((CACHE,)) == {"cache": "none"}
    assert Variant.parse("vm:cache=writeback").backend_options((CACHE,)) == {"cache": "writeback"}


@pytest.mark.parametrize("text", ["vm:cache=unsafe", "vm:cahce=none"])
def test_an_undeclared_option_or_value_is_refused_with_the_known_ones(text):
    with pytest.raises(InputError) as caught:
        Variant.parse(text).backend_options((CACHE,))
    assert "none" in caught.value.hint or "cache" in caught.value.hint


def test_equal_variants_are_one_key():
    assert len({Variant.parse("vm:memory=1G"), Variant.parse("vm:memory=1G"), Variant.parse("vm")}) == 2
