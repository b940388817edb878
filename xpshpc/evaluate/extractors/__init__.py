"""Networks that turn images, and samples of a run's own science, into features. TensorFlow is imported late."""

from xpshpc.evaluate.extractors.choice import describe_extractor, open_extractor
from xpshpc.evaluate.extractors.extractor import Answer, Extractor
from xpshpc.evaluate.extractors.sample_set import open_set

__all__ = ["Answer", "Extractor", "describe_extractor", "open_extractor", "open_set"]
