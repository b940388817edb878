"""Wafer defect maps: reading, patterns, augmentation, generation and classification."""
