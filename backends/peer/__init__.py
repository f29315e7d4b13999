"""What peers have in common that are commands of this host, such as runc or bwrap; it registers no backend.

A peer gets the image's tree, merged and mounted before the clock starts, and is started from this process with nothing
of ours between: what is measured is its command. `start` returns when it executes the workload's.
"""
