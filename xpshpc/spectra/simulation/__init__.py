"""Spectra from matter: the batch simulator, and the exact one for any stack of layers."""
