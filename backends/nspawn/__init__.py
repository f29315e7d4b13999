"""systemd-nspawn(1) as a backend: a peer, run as it is run by hand."""
