"""EfficientNet-Lite0 is the network of its checkpoint: all of its arrays, its arithmetic, and what it recognises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.pretrained.efficientnet_lite0 import (
    BLOCKS,
    CLASSES,
    FEATURES,
    INPUT_SIZE,
    build_efficientnet_lite0,
    find_checkpoint,
    folded_weights,
)
from xpshpc.pretrained.torch_checkpoint import read_checkpoint

MILITARY_UNIFORM = 652
"""ImageNet's class of what Rear Admiral Grace Hopper wears on the picture that comes with Matplotlib."""

PUBLISHED_PARAMETERS = 4_652_008
"""Trained ones; 10.48550/arXiv.1905.11946's lite variant, told as 4.7 million."""


def test_the_checkpoint_has_as_many_weights_as_was_published() -> None:
    """Every array is taken once (or folding it would raise), and what training learned adds up."""
    arrays = read_checkpoint(find_checkpoint())
    learned = [values.size for name, values in arrays.items() if name.endswith((".weight", ".bias"))]
    assert sum(learned) == PUBLISHED_PARAMETERS
    folded = folded_weights(find_checkpoint())
    assert all(np.isfinite(values).all() for pair in folded.values() for values in pair)
    assert len(BLOCKS) == 16 and len(folded) == 3 + 3 * len(BLOCKS) - 1  # the first block does not expand


@pytest.mark.networks
def test_the_network_computes_what_the_checkpoint_says() -> None:
    """A forward pass written without a library, batch norms not folded, agrees; and the picture is recognised."""
    picture = hopper()
    network = build_efficientnet_lite0()
    answer = network(picture[None], training=False)
    features, probabilities = np.asarray(answer["features"])[0], np.asarray(answer["probabilities"])[0]
    expected_features, expected = plain_forward(picture, read_checkpoint(find_checkpoint()))
    assert features.shape == (FEATURES,) and probabilities.shape == (CLASSES,)
    np.testing.assert_allclose(features, expected_features, atol=1e-4)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert int(probabilities.argmax()) == MILITARY_UNIFORM


def damaged(tmp_path: Path, old: bytes, new: bytes) -> Path:
    """The package's checkpoint with its first `old` replaced."""
    data = find_checkpoint().read_bytes()
    assert old in data
    path = tmp_path / "damaged.pth"
    path.write_bytes(data.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"ctorch._utils\n_rebuild_tensor_v2\n", b"cposix\nsystem\n", r"asks for posix\.system"),
        (b"_fc.bias", b"_fc.bios", "has no array _fc.bias"),
        (b"K\x20K\x03K\x03K\x03", b"K\x21K\x03K\x03K\x03", "beyond its storage"),
        (b"K\x20K\x03K\x03K\x03", b"K\x10K\x03K\x03K\x03", r"has the shape \(16, 3, 3, 3\), not \(32, 3, 3, 3\)"),
        (b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"K\x01.", "first numbers"),
    ],
)
def test_a_changed_checkpoint_is_refused(old: bytes, new: bytes, why: str, tmp_path: Path) -> None:
    path = damaged(tmp_path, old, new)
    with pytest.raises(UsageError, match=why) as raised:
        folded_weights(path)
    assert raised.value.where == str(path)
    assert "pip install" in raised.value.try_


def test_a_torn_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "torn.pth"
    path.write_bytes(find_checkpoint().read_bytes()[:-1])
    with pytest.raises(UsageError, match="ends too early"):
        read_checkpoint(path)


def hopper() -> NDArray[np.float32]:
    """The picture's square around her, in the network's size."""
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    with get_sample_data("grace_hopper.jpg") as file, Image.open(file) as picture:
        side = min(picture.size)
        square = picture.convert("RGB").crop((0, 0, side, side))
        return np.asarray(square.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BICUBIC), np.float32)


def plain_forward(picture: NDArray[np.float32], arrays: Mapping[str, NDArray[Any]]) -> tuple[Any, Any]:
    """(features, probabilities) of a picture (rows, columns, 3), layer by layer as the checkpoint's network is told."""

    def norm(x: Any, name: str) -> Any:
        mean, variance = arrays[f"{name}.running_mean"], arrays[f"{name}.running_var"]
        normal = (x - mean[:, None, None]) / np.sqrt(variance[:, None, None] + 1e-3)
        return normal * arrays[f"{name}.weight"][:, None, None] + arrays[f"{name}.bias"][:, None, None]

    def windows(x: Any, kernel: int, stride: int) -> Any:
        """(channels, rows, columns, kernel, kernel), as many as ⌈size / stride⌉, the odd row of padding last."""
        size = x.shape[1]
        padding = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before, after = padding // 2, padding - padding // 2
        padded = np.pad(x, [(0, 0), (before, after), (before, after)])
        return np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (1, 2))[:, ::stride, ::stride]

    def convolve(x: Any, name: str, stride: int = 1) -> Any:
        kernel = arrays[f"{name}.weight"]
        return np.tensordot(kernel, windows(x, kernel.shape[2], stride), ((1, 2, 3), (0, 3, 4)))

    def relu6(x: Any) -> Any:
        return np.clip(x, 0, 6)

    x = (picture.astype(np.float64).transpose(2, 0, 1) - 127) / 128
    x = relu6(norm(convolve(x, "_conv_stem", 2), "_bn0"))
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for number, stride in enumerate(strides):
        block, inputs = f"_blocks.{number}", x
        if f"{block}._expand_conv.weight" in arrays:
            x = relu6(norm(convolve(x, f"{block}._expand_conv"), f"{block}._bn0"))
        kernel = arrays[f"{block}._depthwise_conv.weight"][:, 0]
        x = np.einsum("chwij,cij->chw", windows(x, kernel.shape[1], stride), kernel)
        x = norm(convolve(relu6(norm(x, f"{block}._bn1")), f"{block}._project_conv"), f"{block}._bn2")
        if stride == 1 and x.shape == inputs.shape:
            x = x + inputs
    features = relu6(norm(convolve(x, "_conv_head"), "_bn1")).mean(axis=(1, 2))
    logits = arrays["_fc.weight"] @ features + arrays["_fc.bias"]
    exponentials = np.exp(logits - logits.max())
    return features, exponentials / exponentials.sum()
