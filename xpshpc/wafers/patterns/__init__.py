"""Synthetic wafer maps: the nine patterns of failed dies, drawn at random by (seed, index)."""

from xpshpc.wafers.patterns.draw import draw_classes, draw_maps

__all__ = ["draw_classes", "draw_maps"]
