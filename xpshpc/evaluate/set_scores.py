"""How alike two sets are: their Fréchet distance with all that is needed to judge it, by this process or by ranks."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.cluster.communicator import Solo
from xpshpc.evaluate.bootstrap import BootstrapInterval
from xpshpc.evaluate.comparison import Comparison
from xpshpc.evaluate.inception_score import InceptionScore
from xpshpc.evaluate.kid import Kid
from xpshpc.events import Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.follow import Follower

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Launcher
    from xpshpc.cluster.ranks.step import Step

_TOLD = (StageStarted, StageProgressed, StageFinished)
COMPARISON, ANSWER, EVENTS = "comparison.json", "answer.json", "events.jsonl"
"""Files in the folder where the ranks are told what to do and leave what they found."""


@dataclass(frozen=True)
class SetScores:
    """The scores of two sets.

    `split_half_baseline` is the distance between two random halves of A, `split_half_n` their sizes: a `fid` below it
    cannot be told from none. `from_cache` tells for A and B whether their features were there before.
    """

    fid: float
    n_a: int
    n_b: int
    dimensions: int
    extractor: str
    extractor_sha256: str | None
    resize: str | None
    method: str
    ranks: int
    mean_term: float
    trace_term: float
    split_half_baseline: float | None
    split_half_n: tuple[int, int] | None
    bootstrap: BootstrapInterval | None
    kid: Kid | None
    inception_score: dict[str, InceptionScore] | None
    from_cache: tuple[bool, bool]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """JSON; the extractor's name, or "as given" for features that were read."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> SetScores:
        """What `as_json` told."""
        halves, bootstrap, kid, scores = (
            told[name] for name in ("split_half_n", "bootstrap", "kid", "inception_score")
        )
        return cls(
            **told
            | {
                "split_half_n": None if halves is None else tuple(halves),
                "bootstrap": None if bootstrap is None else BootstrapInterval(**bootstrap),
                "kid": None if kid is None else Kid(**kid),
                "inception_score": None
                if scores is None
                else {side: InceptionScore(**score) for side, score in scores.items()},
                "from_cache": tuple(told["from_cache"]),
            }
        )


def score_sets(
    comparison: Comparison,
    *,
    ranks: int = 1,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    scratch: Path | None = None,
    on_event: Listener | None = None,
) -> SetScores:
    """Extracts what is to be extracted and computes the scores, shared by `ranks` processes; see `settle_comparison`.

    Whoever extracts does it in processes of their own with one thread each, a single rank as well: features are then
    the same bits for any number of ranks, and the scores the same to rounding. Ranks meet in a temporary folder within
    `scratch`, which the nodes of a `step` have to share.
    """
    from xpshpc.evaluate.set_scores_rank import score_on_rank

    began = time.monotonic()
    if ranks == 1 and step is None and not comparison.extracts:
        return score_on_rank(comparison, Solo())
    from xpshpc.cluster.ranks.gang import run_gang

    with tempfile.TemporaryDirectory(prefix="xpshpc-fid-", dir=scratch) as folder:
        meeting = Path(folder)
        (meeting / COMPARISON).write_text(comparison.model_dump_json())
        run_gang(
            "xpshpc.evaluate.set_scores_rank",
            [str(meeting)],
            ranks=ranks,
            launcher=launcher,
            step=step,
            log_directory=meeting,
            while_waiting=Follower(meeting / EVENTS, _TOLD, on_event).pass_on,
        )
        found = SetScores.from_json(json.loads((meeting / ANSWER).read_text()))
    return replace(found, seconds=round(time.monotonic() - began, 3))
