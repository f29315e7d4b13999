"""Judging how fast Isoscope is on a machine that nobody has seen before: by ratios, not by times."""
