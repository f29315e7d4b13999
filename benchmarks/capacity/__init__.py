"""Capacity on paper: how many instances a host or a fleet would take, extrapolated from what was measured."""
