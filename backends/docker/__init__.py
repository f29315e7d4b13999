"""The peer backend `docker`: containers of a Docker Engine, by its API."""
