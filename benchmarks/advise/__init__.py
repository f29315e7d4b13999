"""Container or virtual machine for this workload: requirements exclude, measured costs rank."""
