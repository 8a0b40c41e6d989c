"""What a scattering pattern is: its pixels, why some are missing, its units; known to every other room."""
