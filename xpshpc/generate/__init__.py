"""Fan-out of a plan's shards over workers, under supervision, until the data set is complete."""
