"""Changes to a map that leave its class as it is."""

from xpshpc.wafers.augmentation.augment import Augmenter, keep_wafer

__all__ = ["Augmenter", "keep_wafer"]
