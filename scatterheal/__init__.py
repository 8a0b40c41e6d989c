"""scatterheal: heal X-ray scattering images with the Deep Image Prior."""

__version__ = "0.1.0"
