"""The truth: what is hidden, and how well it is healed."""
