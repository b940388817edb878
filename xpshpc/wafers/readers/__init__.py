"""Files of maps."""
