"""Small files that sources of maps read: originals of three classes, and generators that have learned nothing."""

import json
from pathlib import Path

import numpy as np

from xpshpc.config import JobFile, validate_job
from xpshpc.plan.seeds import Streams
from xpshpc.wafers.maps import MapSet
from xpshpc.wafers.patterns import draw_maps
from xpshpc.wafers.readers.packed import write_packed
from xpshpc.wafers.settings import Patterns

CLASSES = ("Center", "Donut", "Scratch")
EACH = 4


def write_originals(path: Path, seed: int = 1) -> Path:
    """Four maps of each class, of different sizes; all are for training."""
    label = np.repeat(np.arange(len(CLASSES)), EACH)
    index = np.arange(len(label))
    maps = draw_maps(Patterns(classes=CLASSES, dies=(18, 30)), Streams(seed), index, label)
    write_packed(path, MapSet(maps, label.astype(np.uint8), np.zeros(len(label), np.uint8), index, CLASSES))
    return path


def write_generator(folder: Path, *, size: int = 12, conditional: bool = True, **card: object) -> Path:
    """A generator with random weights, and its card."""
    import keras

    latent = keras.Input((5,), name="latent")
    inputs = {"latent": latent}
    values = latent
    if conditional:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
        values = keras.layers.Concatenate()([latent, keras.layers.Embedding(len(CLASSES), 3)(inputs["label"])])
    values = keras.layers.Dense(size * size, activation="tanh", kernel_initializer="random_normal")(values)
    image = keras.layers.Reshape((size, size, 1))(values)
    folder.mkdir(parents=True)
    keras.Model(inputs, {"image": image}).save(folder / "model.keras")
    told = {
        "goal": "generate",
        "size": size,
        "latent": 5,
        "conditional": conditional,
        "classes": CLASSES if conditional else ("Donut",),
        "encoding": "fail",
        "mask": {"disc_diameter": size},
        **card,
    }
    (folder / "model.json").write_text(json.dumps(told))
    return folder / "model.keras"


def wafer_job(folder: Path, source: str, samples: int, **wafers: object) -> JobFile:
    """A job of small maps."""
    return validate_job(
        {
            "name": "maps",
            "seed": 5,
            "generate": {"source": source, "samples": samples, "shard_samples": 16, "inner_chunk_samples": 8},
            "split": {"validation": 0.2, "held_out": 0.2},
            "train": {"network": "wafer_cnn"},
            "wafers": {"size": 24, **wafers},
        },
        where="test",
        folder=folder,
    )
