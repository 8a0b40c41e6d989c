"""The methods that are no network."""
