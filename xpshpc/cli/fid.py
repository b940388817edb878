"""The command that compares two sets: fid."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from xpshpc.cli import options
from xpshpc.cli.answer import console, print_json
from xpshpc.errors import ExitCode


class Resizing(StrEnum):
    """How images come to the extractor's size."""

    LANCZOS = "lanczos"
    ANTIALIASED = "antialiased"


def add_commands(app: typer.Typer) -> None:
    """Adds this room's command to the program."""
    app.command()(fid)


def fid(
    a: Annotated[
        Path,
        typer.Argument(metavar="A", help="A run, a folder of images, or an .npz file of `images` or of `features`."),
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another; images or features as A.")],
    extractor: Annotated[
        str | None,
        typer.Option(
            "--extractor",
            metavar="NAME|RUN",
            help="What turns images into features: efficientnet-lite0 (the default), inception-v3, or a trained run.",
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="The extractor's weights, where it has none here.")
    ] = None,
    weights_sha256: Annotated[
        str | None, typer.Option("--weights-sha256", metavar="HASH", help="The hash that the weights file has to have.")
    ] = None,
    resize: Annotated[
        Resizing | None, typer.Option("--resize", help="How images come to the extractor's size.")
    ] = None,
    array: Annotated[str | None, typer.Option("--array", metavar="NAME", help="The array that holds images.")] = None,
    kid: Annotated[bool, typer.Option("--kid", help="The kernel distance too: without bias, for few samples.")] = False,
    inception: Annotated[
        bool, typer.Option("--inception-score", help="The inception scores of A and of B too.")
    ] = False,
    bootstrap: Annotated[
        int | None,
        typer.Option(
            "--bootstrap", min=0, metavar="N", help="Resamples for the interval (100 for sets up to 500, else none)."
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache", envvar="XPSHPC_CACHE", metavar="DIR", help="Keep features here, and take them from it."
        ),
    ] = None,
    on: options.On = "local",
    ranks: Annotated[
        int | None,
        typer.Option(
            "--ranks",
            envvar="XPSHPC_RANKS",
            min=1,
            help="Ranks that share the work; unset: the profile's where features are extracted, else one.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """Fréchet distance between two sets of images or of features, with what tells whether it is more than chance.

    With the profile of a SLURM site, the ranks run on its nodes, and meet in a folder beside A that goes afterwards.
    """
    from xpshpc.cli.show_fid import show_fid
    from xpshpc.cluster.profile import read_profile
    from xpshpc.cluster.ranks.step import step_of
    from xpshpc.evaluate.comparison import settle_comparison
    from xpshpc.evaluate.set_scores import score_sets
    from xpshpc.report.progress import TerminalProgress

    ways: dict[Resizing, Literal["lanczos", "antialiased"]]
    ways = {Resizing.LANCZOS: "lanczos", Resizing.ANTIALIASED: "antialiased"}
    profile = read_profile(on)
    comparison = settle_comparison(
        a,
        b,
        extractor=extractor,
        weights=weights,
        weights_sha256=weights_sha256,
        resize=None if resize is None else ways[resize],
        array=array,
        kid=kid,
        inception_score=inception,
        bootstrap=bootstrap,
        cache=cache,
    )
    if ranks is None:
        ranks = profile.ranks if comparison.extracts else 1
    step = step_of(profile, "evaluate", ranks)
    scratch = None if step is None else a.resolve().parent
    with TerminalProgress(quiet_in_logs=as_json) as listen:
        scores = score_sets(
            comparison, ranks=ranks, launcher=profile.launcher, step=step, scratch=scratch, on_event=listen
        )
    if as_json:
        print_json(scores.as_json())
    else:
        show_fid(console(), scores.as_json())
    return ExitCode.DONE
