"""What a user may ask for: the models of the two YAML files, how they are read, the grid of runs."""
