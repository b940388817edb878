"""Progress as people watch it: bars on a terminal, plain lines in a log, both from the same events."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from xpshpc.events import Event, StageFinished, StageProgressed, StageStarted
from xpshpc.report.curves import draw_loss
from xpshpc.report.epoch_table import draw_epochs
from xpshpc.report.event_sentence import describe_event
from xpshpc.report.pace import Pace
from xpshpc.report.quantities import write_count, write_duration, write_rate
from xpshpc.train.history import EpochFinished

LINE_INTERVAL_S = 10.0
_REFRESH_S = 0.1
_LINE_SHARE = 0.1


class TerminalProgress:
    """A listener that shows stages, one after another, and what happens on the way.

    On a terminal each stage has a bar with count, rate, time so far and time left, and a training has a table of its
    last epochs above it; otherwise a line is written at every tenth of the work, at every epoch, and at most every
    `interval_s` seconds between. Everything goes to stderr. With `quiet_in_logs` nothing is written unless stderr is a
    terminal (for commands whose stdout is read by programs).
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        quiet_in_logs: bool = False,
        interval_s: float = LINE_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False, soft_wrap=not sys.stderr.isatty())
        self._live = self._console.is_terminal
        self._silent = quiet_in_logs and not self._live
        self._interval_s = interval_s
        self._clock = clock
        self._stages: dict[str, _Stage] = {}
        self._epochs: list[EpochFinished] = []
        self._training = False
        # Two threads that write between each other's lines would leave the screen in disorder.
        self._turn = threading.RLock()
        self._over = threading.Event()
        self._refresher = threading.Thread(target=self._refresh, name="progress", daemon=True)
        self._bars = _Bars(
            self._epochs_under_way,
            TextColumn("[bold]{task.description:<10}"),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f} %"),
            _StageColumn(self._stages, clock),
            console=self._console,
        )

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        if self._live:
            self._refresher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._live:
            self._refresher.join()
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        if self._silent:
            return
        with self._turn:
            self._show(event)

    def _refresh(self) -> None:
        while not self._over.wait(_REFRESH_S):
            with self._turn:
                self._bars.refresh()

    def _show(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._start(event)
        elif isinstance(event, StageProgressed):
            self._progress(event)
        elif isinstance(event, StageFinished):
            self._finish(event)
        else:
            self._tell(event)

    def _start(self, event: StageStarted) -> None:
        now = self._clock()
        task = self._bars.add_task(event.stage, total=event.total or 1, completed=event.done)
        self._stages[event.stage] = _Stage(event.unit, Pace(event.total, event.done, now), task, now, event.done)
        if event.stage == "train":
            self._epochs.clear()
            self._training = True
        if not self._live:
            there = f", {write_count(event.done)} already there" if event.done else ""
            self._line(f"{event.stage}: {write_count(event.total)} {event.unit}{there}")

    def _progress(self, event: StageProgressed) -> None:
        stage = self._stages.get(event.stage)
        if stage is None:
            return
        now = self._clock()
        stage.pace.advance(event.done, now)
        stage.note = event.note
        self._bars.update(stage.task, completed=event.done)
        if not self._live and stage.owes_line(now, self._interval_s):
            self._line(f"{event.stage}: {stage.describe(now)} ({100 * stage.pace.share():.0f} %)")
            stage.lined_at, stage.lined_done = now, event.done

    def _finish(self, event: StageFinished) -> None:
        stage = self._stages.get(event.stage)
        if stage is not None:
            stage.wall_s = event.wall_s
            self._bars.update(stage.task, completed=stage.pace.total or 1)
        if event.stage == "train":
            self._end_training()
        if not self._live:
            self._line(f"{event.stage}: done in {write_duration(event.wall_s)}")

    def _end_training(self) -> None:
        """Leaves the table of epochs, which moved with the bars until now, and the loss curve where they are."""
        tables = self._epochs_under_way()
        self._training = False
        for table in tables:
            self._console.print(table)
        if len(self._epochs) > 1:
            width = min(100, self._console.width)
            self._console.print(Text.from_ansi(draw_loss(self._epochs, width=width, colour=self._live)))

    def _epochs_under_way(self) -> list[RenderableType]:
        if not (self._live and self._training and self._epochs):
            return []
        return [draw_epochs(self._epochs, width=self._console.width)]

    def _tell(self, event: Event) -> None:
        if isinstance(event, EpochFinished):
            self._epochs.append(event)
            if self._live and self._training:
                self._bars.refresh()
                return
        sentence = describe_event(event)
        if sentence:
            self._line(sentence)

    def _line(self, text: str) -> None:
        self._console.print(escape(text))


class _Bars(Progress):
    """The stages' bars, with what stands above them."""

    def __init__(
        self, above: Callable[[], Sequence[RenderableType]], *columns: ProgressColumn, console: Console
    ) -> None:
        self._above = above
        super().__init__(*columns, console=console, auto_refresh=False, disable=not console.is_terminal)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from self._above()
        yield from super().get_renderables()


class _Stage:
    """What is shown of one stage."""

    def __init__(self, unit: str, pace: Pace, task: TaskID, now: float, done: float) -> None:
        self.unit = unit
        self.pace = pace
        self.task = task
        self.note = ""
        self.wall_s: float | None = None
        self.lined_at = now
        self.lined_done = done

    def owes_line(self, now: float, interval_s: float) -> bool:
        grown = self.pace.total and (self.pace.done - self.lined_done) / self.pace.total >= _LINE_SHARE
        return bool(grown) or now - self.lined_at >= interval_s

    def describe(self, now: float) -> str:
        pace = self.pace
        done = write_count(pace.done) if float(pace.done).is_integer() else f"{pace.done:.1f}"
        parts = [f"{done}/{write_count(pace.total)} {self.unit}"]
        if self.wall_s is not None:
            made = pace.total - pace.before
            rate = f", {write_rate(made / self.wall_s)}/s" if made > 0 and self.wall_s > 0 else ""
            return f"{write_count(pace.total)} {self.unit} in {write_duration(self.wall_s)}{rate}"
        rate_now, left_s = pace.rate(now), pace.left_s(now)
        if rate_now is not None:
            parts.append(f"{write_rate(rate_now)}/s")
        parts.append(f"{write_duration(pace.elapsed_s(now))} so far")
        if left_s is not None and pace.done < pace.total:
            parts.append(f"{write_duration(left_s)} left")
        if self.note:
            parts.append(self.note)
        return ", ".join(parts)


class _StageColumn(ProgressColumn):
    """Count, rate and times of a stage; asked anew at every refresh, so that the clock runs between events."""

    def __init__(self, stages: Mapping[str, _Stage], clock: Callable[[], float]) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._stages = stages
        self._clock = clock

    def render(self, task: Task) -> Text:
        stage = self._stages.get(task.description)
        return Text(stage.describe(self._clock()) if stage else "", style="dim")
