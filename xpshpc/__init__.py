"""Simulated XPS spectra by the million, networks that read them, and the batch system that makes both overnight."""

__version__ = "0.1.0"
