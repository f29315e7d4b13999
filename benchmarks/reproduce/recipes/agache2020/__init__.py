"""Agache et al., Firecracker: Lightweight Virtualization for Serverless Applications, NSDI 2020."""
