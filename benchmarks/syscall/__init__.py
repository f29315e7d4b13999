"""What system calls cost."""
