"""Networks learned from stored samples by ranks that reduce their gradients."""
