"""How good a network is, and how far apart two sets of features lie: the same numbers for any number of ranks."""
