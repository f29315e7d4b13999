"""What computing costs."""
