"""The scores of two sets as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpshpc.report.quantities import write_count, write_percent, write_value

if TYPE_CHECKING:
    from rich.console import Console

_HASH_DIGITS = 12
_AS_STORED = "none"
"""How an extractor resizes that looks at maps of the size that it learned."""


def show_fid(console: Console, answer: Mapping[str, Any]) -> None:
    """A Fréchet distance with what is needed to judge it, and the other scores that were asked for."""
    _line(console, "Fréchet distance", write_value(answer["fid"], 6))
    _line(console, "samples", f"{write_count(answer['n_a'])} and {write_count(answer['n_b'])}")
    if answer["split_half_baseline"] is not None:
        _line(console, "split-half of A", write_value(answer["split_half_baseline"], 6))
    bootstrap = answer["bootstrap"]
    if bootstrap:
        interval = f"{write_value(bootstrap['low'], 6)} to {write_value(bootstrap['high'], 6)}"
        share = write_percent(bootstrap["level"], 0)
        _line(console, "bootstrap", f"{interval} ({share} of other sets of these sizes)")
        _line(console, "bias", f"{write_value(bootstrap['bias'], 3)} too large at these sizes, about")
    kid = answer["kid"]
    if kid:
        _line(console, "KID", write_value(kid["value"], 4))
        if kid["mean"] is not None:
            spread = f"{write_value(kid['mean'], 4)} ± {write_value(kid['std'], 2)}"
            _line(console, "", f"{spread} over {kid['subsets']} subsets of {write_count(kid['subset_size'])}")
    for side, score in (answer["inception_score"] or {}).items():
        spread = f"{write_value(score['mean'], 4)} ± {write_value(score['std'], 2)}"
        _line(console, f"IS of {side.upper()}", f"{spread} ({score['splits']} splits, {score['classes']} classes)")
    sha256, resize = answer["extractor_sha256"], answer["resize"]
    resized = f"{resize}, " if resize not in (None, _AS_STORED) else ""
    details = f" ({resized}SHA-256 {sha256[:_HASH_DIGITS]}…)" if sha256 else ""
    _line(console, "extractor", f"{answer['extractor']}{details}, {write_count(answer['dimensions'])} features")
    _line(console, "method", f"{answer['method']}, {answer['ranks']} rank(s)")


def _line(console: Console, name: str, text: str) -> None:
    console.print(f"{name:<16}  {text}", markup=False)
