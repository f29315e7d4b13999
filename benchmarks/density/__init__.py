"""How many instances a host takes: memory, CPU and start-up against how many run, and what ends it."""
