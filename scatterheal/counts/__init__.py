"""The statistics of counted photons."""
