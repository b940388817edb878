"""Runs as batch jobs: the chain of them, their scripts, their records, and what becomes of each."""
