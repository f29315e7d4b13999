"""How long until a workload is ready, phase by phase."""
