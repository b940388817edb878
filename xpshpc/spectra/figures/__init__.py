"""Pictures of spectra and of what a network makes of them."""
