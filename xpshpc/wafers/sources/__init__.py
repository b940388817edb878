"""Where maps come from: measured originals, patterns, augmentation, a generator, and mixtures of these."""

from xpshpc.wafers.sources.make import make_source

__all__ = ["make_source"]
