"""From a job to its samples, seeds and shards: pure functions, no files."""
