"""Whether a network fits its input: checked before TensorFlow is loaded."""

from __future__ import annotations

from xpshpc.errors import UsageError

_WHERE = "train.parameters"


def channels_of(network: str, input_shape: tuple[int, ...]) -> int:
    """The channels of an input that is a whole spectrum. Raises UsageError for a list of peaks."""
    if len(input_shape) != 1:
        raise UsageError(
            f"{network} slides over the channels of a spectrum; a list of peaks has none",
            where="train.network",
            try_='network = "dnn" or "multikernel", or another train.task.input',
        )
    return input_shape[0]


def check_kernel(name: str, kernel: int, width: int) -> None:
    """Raises UsageError where a kernel is wider than what it slides over."""
    if kernel > width:
        raise UsageError(
            f"{name} ({kernel}) is wider than the {width} channels it slides over",
            where=_WHERE,
            try_="a smaller kernel, or more instrument.channels",
        )


def check_width(name: str, width: int, fewest: int) -> None:
    """Raises UsageError where strides and poolings leave fewer channels than a layer needs."""
    if width < fewest:
        raise UsageError(
            f"only {width} channels are left at {name}, which needs {fewest}: the network shrinks the axis too often",
            where=_WHERE,
            try_="fewer stages, smaller strides, or more instrument.channels",
        )


def strided(width: int, stride: int) -> int:
    """Channels that a layer with padding leaves."""
    return -(-width // stride)
