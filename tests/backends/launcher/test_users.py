from __future__ import annotations

import pytest
from isoscope.backends.launcher.users import UnknownUser, resolve

PASSWD = """root:x:0:0:root:/root:/bin/sh
ada:x:1000:1001:Ada,,,:/home/ada:/bin/sh
nohome:x:7:8:::
broken:x:notanumber:0::/:
short:x:5
2000:x:3:4::/number:
"""
GROUP = """root:x:0:
lab:x:50:eve,ada
staff:x:60:ada
adamant:x:70:adamant
broken:x:x:ada
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0, (), "/root")),
        ("0", (0, 0, (), "/root")),
        ("ada", (1000, 1001, (50, 60), "/home/ada")),
        ("1000", (1000, 1001, (50, 60), "/home/ada")),
        ("ada:lab", (1000, 50, (), "/home/ada")),
        ("ada:99", (1000, 99, (), "/home/ada")),
        ("4242", (4242, 0, (), "/")),
        ("4242:4243", (4242, 4243, (), "/")),
        ("nohome", (7, 8, (), "/")),
        (":lab", (0, 50, (), "/root")),
    ],
)
def test_users_as_images_name_them(text, expected):
    assert resolve(text, PASSWD, GROUP) == expected


@pytest.mark.parametrize("text", ["eve", "broken", "short", "ada:nobody", "ada:", "../ada", "-1", "0x0", "ada\n"])
def test_users_that_do_not_exist(text):
    with pytest.raises(UnknownUser):
        resolve(text, PASSWD, GROUP)


def test_an_image_without_users_has_root_and_numbers():
    assert resolve("", "", "") == (0, 0, (), "/")
    assert resolve("12:13", "", "") == (12, 13, (), "/")
