"""What sysbench prints of a database, and what is not believed; what the server lets its clients do."""

from __future__ import annotations

import pytest
from isoscope.benchmarks.oltp import client, server
from isoscope.core.errors import WorkloadFailed

REPORT = """sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Threads started!

SQL statistics:
    queries performed:
        read:                            10276
        write:                           0
        other:                           1468
        total:                           11744
    transactions:                        734    (723.77 per sec.)
    queries:                             11744  (11580.38 per sec.)
    ignored errors:                      0      (0.00 per sec.)
    reconnects:                          0      (0.00 per sec.)

General statistics:
    total time:                          1.0136s
    total number of events:              734

Latency (ms):
         min:                                    2.96
         avg:                                   15.11
         max:                                  177.78
         99th percentile:                       41.85
         sum:                                11090.99

Threads fairness:
    events (avg/stddev):           66.7273/9.35
    execution time (avg/stddev):   1.0083/0.00
"""


def test_a_report_is_read() -> None:
    found = client.read(REPORT)
    assert found.rate == 723.77
    assert found.mean == pytest.approx(15.11e6)
    assert found.p99 == pytest.approx(41.85e6)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "FATAL: unable to connect to MySQL server",
        REPORT.replace("723.77", "0.00"),
        REPORT.replace("99th percentile", "95th percentile"),
        REPORT.replace(
            "ignored errors:                      0      (0.00", "ignored errors:                      3      (2.96"
        ),
        REPORT.replace("    ignored errors:                      0      (0.00 per sec.)\n", ""),
        REPORT.replace("723.77", "7.2.3"),
    ],
)
def test_what_is_no_report_is_refused(output: str) -> None:
    with pytest.raises(WorkloadFailed, match="sysbench printed what it does not print"):
        client.read(output)


def test_the_load_is_the_study_s() -> None:
    words = client.ask("10.0.0.2", 7, rows=100_000, threads=11, seconds=3)
    assert words[:2] == ("sysbench", "oltp_read_only")
    assert {"--mysql-host=10.0.0.2", "--mysql-port=7", "--table-size=100000", "--threads=11"} < {*words}
    assert {"--rand-type=special", "--time=3"} < {*words}
    assert words[-1] == "run"
    assert client.fill("10.0.0.2", 7, rows=5)[-1] == "prepare"


def test_the_server_listens_at_one_address_and_its_pool_holds_all_rows() -> None:
    words = server.command("/data/isoscope.oltp", "10.0.0.2", 7, rows=2_000_000, connections=20)
    assert words[:2] == ("sh", "-c")
    assert words[3:8] == ("oltp", "sbtest", "/data/isoscope.oltp", "10.0.0.2", "7")
    [granted] = [line for line in words[2].splitlines() if "GRANT" in line]
    assert '"GRANT ALL ON $user.* TO $user"' in granted, "nothing beyond the clients' own tables"
    assert granted.count("GRANT") == 1
    assert server.pool(2_000_000) > 2_000_000 * 300
    assert server.pool(1) % (1 << 20) == 0
