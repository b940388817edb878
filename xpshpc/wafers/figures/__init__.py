"""Pictures of maps, and of how well they are told apart."""
