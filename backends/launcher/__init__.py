"""Starts processes for the backends `container` and `process`: a small helper that forks so that we need not.

Split by process: `main`, `serve`, `step` and the modules of steps run in the helper and in the child that it forks, and
import next to nothing; `client`, `task`, `instance` and `cgroups` run in ours.
"""
