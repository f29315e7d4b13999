"""The backend `bubblewrap`: unprivileged sandboxing tool of Flatpak, bwrap(1), as a peer."""
