"""Requests and responses, one at a time, over TCP and over UDP: what a round trip through a system's network takes."""
