"""What networks learn from maps."""
