"""What a run holds: its trials, their statistics, and their words on a terminal."""
