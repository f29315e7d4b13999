"""What sending and receiving costs, by path."""
