"""What networks learn from spectra: the question, how a spectrum is handed in, the losses, the scores, the spread."""
