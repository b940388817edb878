"""A data set made while a killer strikes at random, on a real SLURM: what is lost, and what it costs."""
