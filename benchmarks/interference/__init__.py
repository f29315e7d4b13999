"""How well neighbours are held apart."""
