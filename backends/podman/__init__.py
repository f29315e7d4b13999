"""The peer backend `podman`: podman(1), conmon(8) and a runtime on the image's tree, without a daemon."""
