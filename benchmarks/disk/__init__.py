"""Storage under fio: bandwidth, operations, latency, CPU time, and what a flush costs."""
