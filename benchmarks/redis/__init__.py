"""A store in memory under clients on the host: what a small request over TCP costs, with all that lies between."""
