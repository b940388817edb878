"""A small run with wafer maps in it, on which two small networks train each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpshpc.config import JobFile, validate_job

SMALL_GAN = {"filters": 4, "group": 4}


def gan_job(folder: Path, *, task: dict[str, Any] | None = None, **train: Any) -> JobFile:
    """A job of maps of two classes, 16 dies across, and of the networks that learn to make them."""
    tables = {
        "name": "gan",
        "seed": 7,
        "generate": {"source": "synthetic", "samples": 120, "shard_samples": 12, "inner_chunk_samples": 12},
        "split": {"validation": 0.2, "held_out": 0.1},
        "wafers": {"size": 16, "patterns": {"classes": ["Center", "Donut"]}},
        "train": {
            "network": "dcgan",
            "epochs": 3,
            "global_batch": 24,
            "parameters": SMALL_GAN,
            "task": {"goal": "generate", "conditional": True, "latent": 6, **(task or {})},
            **train,
        },
    }
    return validate_job(tables, where="test", folder=folder)
