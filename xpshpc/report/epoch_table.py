"""The last epochs of a training as a table that grows on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from xpshpc.report.labels import is_share, write_label, write_score
from xpshpc.report.quantities import write_percent, write_rate, write_value
from xpshpc.report.rivals import FIRST_METRICS, are_rivals
from xpshpc.train.history import EpochFinished

SHOWN_EPOCHS = 12
_GAP = 2
"""Characters between columns: a space of padding and the box's own."""


@dataclass(frozen=True)
class _Column:
    head: str
    write: Callable[[EpochFinished], str]


def draw_epochs(history: Sequence[EpochFinished], *, width: int, rows: int = SHOWN_EPOCHS) -> Table:
    """The last `rows` epochs, in as many columns as `width` characters hold, the most telling ones first.

    The epoch with the smallest validation loss of the whole history is bold and has a star. Of two networks that train
    each other none has: the last one is kept, and losses are told for each.
    """
    shown = history[-rows:]
    rivals = bool(shown) and are_rivals(shown[-1].validation)
    best = None if rivals else min(history, key=_validation_loss, default=None)
    columns = _fitting(_columns_of_rivals(shown) if rivals else _columns(shown, best), shown, width)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.head, justify="right", no_wrap=True)
    for epoch in shown:
        cells = [column.write(epoch) for column in columns]
        table.add_row(*cells, style="bold" if epoch is best else None)
    return table


def _columns_of_rivals(history: Sequence[EpochFinished]) -> list[_Column]:
    """All columns, the most telling first; the sum of both losses is none of them."""
    others = _metrics_of(history) - set(FIRST_METRICS)
    return [
        _Column("Epoch", lambda epoch: f"{epoch.epoch}/{epoch.epochs}"),
        *(_metric(name) for name in (*FIRST_METRICS, *sorted(others))),
        *_pace(),
    ]


def _columns(history: Sequence[EpochFinished], best: EpochFinished | None) -> list[_Column]:
    """All columns, the most telling first; shares such as accuracy come before the other metrics."""
    metrics = sorted(_metrics_of(history))
    shares = [name for name in metrics if is_share(name)]
    return [
        _Column("Epoch", lambda epoch: f"{'* ' if epoch is best else ''}{epoch.epoch}/{epoch.epochs}"),
        _Column("Loss", lambda epoch: write_value(epoch.loss, 4)),
        _Column("Validation loss", lambda epoch: write_value(_validation_loss(epoch), 4)),
        *(_metric(name) for name in shares),
        *_pace(),
        *(_metric(name) for name in metrics if name not in shares),
    ]


def _metrics_of(history: Sequence[EpochFinished]) -> set[str]:
    return {name for epoch in history for name in epoch.validation} - {"loss"}


def _pace() -> list[_Column]:
    return [
        _Column("Samples/s", lambda epoch: write_rate(epoch.spectra_per_s)),
        _Column("Learning rate", lambda epoch: write_value(epoch.learning_rate, 3)),
        _Column("Waiting for data", lambda epoch: write_percent(epoch.data_wait_share)),
    ]


def _metric(name: str) -> _Column:
    def write(epoch: EpochFinished) -> str:
        return write_score(name, epoch.validation[name]) if name in epoch.validation else ""

    return _Column(write_label(name), write)


def _validation_loss(epoch: EpochFinished) -> float:
    return epoch.validation.get("loss", float("inf"))


def _fitting(columns: Sequence[_Column], history: Sequence[EpochFinished], width: int) -> list[_Column]:
    fitting: list[_Column] = []
    taken = 0
    for column in columns:
        taken += max(len(text) for text in (column.head, *map(column.write, history))) + _GAP
        if taken > width and fitting:
            break
        fitting.append(column)
    return fitting
