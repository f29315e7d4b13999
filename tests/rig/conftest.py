"""What is in `inside` runs on the emulated host, by `test_rig.py`, where this file is not read."""

from __future__ import annotations

collect_ignore = ["inside"]
