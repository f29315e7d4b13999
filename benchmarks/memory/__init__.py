"""What memory costs: its bandwidth, and its faults."""
