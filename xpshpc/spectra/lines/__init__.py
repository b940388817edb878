"""Which lines the elements emit: where they stand, how strong, how wide and of what shape."""
