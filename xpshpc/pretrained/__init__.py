"""Networks that others trained: their weights read from files, their layers built anew."""
