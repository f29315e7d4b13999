"""The host's network is read from a thread that runs an event loop, too, as that of a Jupyter kernel does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from isoscope.backends.network.device import is_ours
from isoscope.backends.network.names import Names
from isoscope.backends.network.subnet import routed, uplink_mtu


def test_a_running_event_loop_is_no_hindrance(tmp_path: Path) -> None:
    names = Names.of(tmp_path)

    async def look() -> tuple[int, bool]:
        routed()
        return uplink_mtu(), is_ours(names)

    assert asyncio.run(look()) == (uplink_mtu(), False)
