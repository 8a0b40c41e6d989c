"""What a scientist reads off a pattern: profiles, rings, orientation."""
