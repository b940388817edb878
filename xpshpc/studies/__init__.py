"""Chains of runs that feed one another, as one command."""
