"""Ranks that work together: started here, by MPI or by srun, and never outliving each other."""
