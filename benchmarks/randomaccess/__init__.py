"""How many places of a large table are updated a second: memory's latency, and the TLB's reach."""
