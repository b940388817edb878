"""From electrons to counts: analyser, dose, noise, and what can be told from it."""
