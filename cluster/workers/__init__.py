"""Dask workers: on this machine, in SLURM jobs of their own, or all in one allocation."""
