"""The backend `example`: a command in a few namespaces and a chroot."""
