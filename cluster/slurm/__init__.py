"""SLURM spoken to: its commands, its words, its tables, and the time it leaves a job."""
