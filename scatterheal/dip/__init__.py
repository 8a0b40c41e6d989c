"""The Deep Image Prior: a network fitted to one pattern."""
