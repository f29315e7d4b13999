"""The built-in workloads. Each runs from an image that we ship, so that every backend runs the same bytes."""

from __future__ import annotations

from isoscope.core.workload import Workload

#: By the names under which `isoscope compare NAME` and `Lab.workload(NAME)` know them.
WORKLOADS = {
    "hello": Workload(image="base", command=("echo", "hello")),  # prints one line and ends
    "true": Workload(image="base", command=("true",)),  # ends without output: ready when its end is seen
    # stays until it is killed, and says first that it is there: what neither prints nor ends is never ready
    "sleep": Workload(image="base", command=("sh", "-c", "echo ready; exec sleep infinity")),
    "python": Workload(image="python", command=("python3", "-c", "print('hello')")),  # a runtime's own start
    # stays, and is an end of what `network` measures; that one connects it, by the bridge where the backend has one
    "network": Workload(image="net", command=("sh", "-c", "echo ready; exec sleep infinity")),
    # stays, and is where the tools of `cpu`, `memory` and `syscall` are run
    "bench": Workload(image="bench", command=("sh", "-c", "echo ready; exec sleep infinity")),
    # stays, and is an end of what `redis` measures
    "redis": Workload(image="redis", command=("sh", "-c", "echo ready; exec sleep infinity")),
    # stays, and is an end of what `oltp` measures
    "mariadb": Workload(image="mariadb", command=("sh", "-c", "echo ready; exec sleep infinity")),
    # stays, and has the file that `disk` reads and writes
    "fio": Workload(image="fio", command=("sh", "-c", "echo ready; exec sleep infinity")),
    # stays, and is where the victim of `interference` does its work; its image has the neighbours' program, too
    "victim": Workload(image="neighbours", command=("sh", "-c", "echo ready; exec sleep infinity")),
}
