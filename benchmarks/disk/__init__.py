"""What reading and writing costs, by storage path."""
