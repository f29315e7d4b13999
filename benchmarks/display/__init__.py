"""How a notebook shows what the public API returns."""
