"""What is missing in a pattern, and why."""
