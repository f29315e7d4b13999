"""LXC's lxc-start(1) as a backend: a peer, run as it is run by hand."""
