"""What redis-benchmark prints, and what is not believed."""

from __future__ import annotations

import pytest
from isoscope.benchmarks.redis import tool
from isoscope.core.errors import WorkloadFailed

ANSWER = """"test","rps","avg_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","3703.70","0.240","0.199","0.423","0.871","1.559"
"GET","4347.83","0.210","0.175","0.399","0.815","1.031"
"""


def test_both_requests_are_read() -> None:
    found = tool.read(ANSWER)
    assert found["GET"] == tool.Report(4347.83, 175_000, 815_000)
    assert found["SET"].rate == 3703.7


@pytest.mark.parametrize(
    "output",
    ["", "Could not connect to Redis at 127.0.0.1:1", ANSWER.replace("GET", "LPUSH"), ANSWER.replace("4347.83", "inf")],
)
def test_what_is_no_answer_is_refused(output: str) -> None:
    with pytest.raises(WorkloadFailed, match="redis-benchmark printed what it does not print"):
        tool.read(output)


def test_the_load_is_the_study_s() -> None:
    words = " ".join(tool.client("10.0.0.2", 7, connections=30, requests=5000))
    assert words == "redis-benchmark -h 10.0.0.2 -p 7 -c 30 -n 5000 -t set,get -d 50 -r 100000 --csv"
    assert "-P" not in words.split()
    assert tool.server("127.0.0.1", 7)[:5] == ("redis-server", "--port", "7", "--bind", "127.0.0.1")
