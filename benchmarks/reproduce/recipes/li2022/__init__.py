"""Li et al., RunD: A Lightweight Secure Container Runtime, USENIX ATC 2022."""
