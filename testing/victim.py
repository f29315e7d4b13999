"""A process that makes instances and then waits to be killed: `python -m isoscope.testing.victim HOME VARIANT IMAGE`.

Prints the ids of an instance that was created and of one that runs, and then does nothing, for good.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from isoscope.core import Lab, Workload

COMMAND = ("sh", "-c", "echo up; sleep 1000")


def main(home: str, variant: str, image: str) -> None:
    """Make the two instances and wait."""
    lab = Lab(Path(home))
    workload = Workload(image=image, command=COMMAND)
    created = lab.create(workload, variant)
    running = lab.start(workload, variant)
    running.wait_ready(120)
    sys.stdout.write(f"{created.record.id} {running.record.id}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
