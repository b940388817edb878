"""Sets of gray images, wherever they are: a run's store, a folder of pictures, an archive of arrays."""

from xpshpc.evaluate.images.image_set import Images, ImageSet
from xpshpc.evaluate.images.opening import is_run, open_images

__all__ = ["ImageSet", "Images", "is_run", "open_images"]
