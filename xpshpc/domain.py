"""A domain joins one science to the engine: its section of the job file, sources, learning problem and figures.

Domains are found by the entry-point group `xpshpc.domains`; a job file belongs to the domain whose section it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from xpshpc.errors import UsageError
from xpshpc.source import Source

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by name, equal in length along their first axis."""


def sound_rows(*arrays: NDArray[Any]) -> NDArray[np.bool_]:
    """Which samples have nothing but finite numbers in all of these arrays (n, …), as (n,)."""
    finite = [np.isfinite(values).all(axis=tuple(range(1, values.ndim))) for values in arrays]
    sound: NDArray[np.bool_] = np.logical_and.reduce(finite)
    return sound


def check_sound(shard: int, inputs: NDArray[Any], truth: Arrays) -> None:
    """Raises UsageError where samples of a shard are not finite.

    A network would answer all the same: a rectifier turns NaN into 0.
    """
    bad = int(np.sum(~sound_rows(inputs, *truth.values())))
    if bad:
        raise UsageError(f"{bad} sample(s) are not finite", where=f"shard {shard}", try_="xpshpc verify RUN")


@dataclass(frozen=True)
class Place:
    """Where rows stand in a training's order: from row `first` on in the global batch `step` of `epoch`.

    Random draws for a training depend on this alone, so that they do not depend on how many ranks share a batch.
    """

    seed: int
    epoch: int
    step: int
    first: int


class Problem(Protocol):
    """What training and evaluation must know of a science. TensorFlow is imported only inside the methods.

    Every loss and every metric is a mean over samples of a value that one sample has by itself, so that sums over
    ranks give what one rank would have found.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the store's arrays that `features` and `targets` need."""
        ...

    def augment(self, rows: Arrays, place: Place) -> Arrays:
        """Rows to train on, changed at random as the job asks; each row's draws follow from its place alone."""
        ...

    def features(self, rows: Arrays) -> NDArray[np.float32]:
        """Network input of stored samples, shape (n, …)."""
        ...

    def targets(self, rows: Arrays) -> dict[str, NDArray[np.float32]]:
        """What the network shall answer, by output name, each (n, …)."""
        ...

    def network(self, name: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], seed: int) -> Any:
        """A fresh `keras.Model` with a layer `features`; its outputs have the keys of `targets`, and more."""
        ...

    def check_network(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Raises UsageError for an unknown network or parameter, without importing TensorFlow."""
        ...

    def losses(self, truth: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
        """Loss of each sample, a tensor (n,)."""
        ...

    def metrics(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        """Metrics of each sample by name, each (n,) (for training's history)."""
        ...

    def calibration_sums(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        """Sums over these samples from which `calibrate` learns how far answers may be trusted; empty for nothing."""
        ...

    def calibrate(self, sums: Arrays) -> dict[str, Any]:
        """JSON for the model's card, as "calibration", from the sums over all validation samples."""
        ...

    def score(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        """Sums over these samples; sums of two sets add up to those of their union."""
        ...

    def summarise(self, sums: Arrays, calibration: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics that the sums of `score` give, as JSON; `calibration` is the model card's, {} for none."""
        ...

    def model_card(self) -> dict[str, Any]:
        """JSON that is saved beside a model so that it can be used on new data: axis, units, output names."""
        ...


@dataclass(frozen=True)
class Rivals:
    """Two `keras.Model`s that train each other, and the one that is kept.

    The discriminator tells what the generator makes from what is real. `saved` has the variables of the generator, in
    the same order, and Keras' own layers alone.
    """

    generator: Any
    discriminator: Any
    saved: Any


@runtime_checkable
class AdversarialProblem(Problem, Protocol):
    """A problem of two networks that are trained in turn, the discriminator first: `network` makes `Rivals`.

    The losses are those of `discriminator_losses` and `generator_losses`. What is trained and kept is the generator of
    the last epoch: no loss tells which one is best, and samples have no answer that could be scored.
    """

    @property
    def rounds(self) -> int:
        """Steps of the discriminator for one of the generator."""
        ...

    @property
    def discriminator_rate(self) -> float:
        """The discriminator's learning rate, of the generator's."""
        ...

    @property
    def average(self) -> float:
        """How much of the saved generator's weights a step leaves; the rest are the trained ones. 0: all of them."""
        ...

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names that `conclude` gives."""
        ...

    def check_share(self, name: str, parameters: Mapping[str, Any], share: int) -> None:
        """Raises UsageError where a rank's share of a batch, in samples, does not fit the networks."""
        ...

    def compare(self, rivals: Rivals, real: Any, truth: Mapping[str, Any], turn: int) -> tuple[Any, Any]:
        """The discriminator's verdicts (n,) on real samples and on new fakes, both networks training."""
        ...

    def deceive(self, rivals: Rivals, truth: Mapping[str, Any]) -> Any:
        """The discriminator's verdicts (n,) on fakes that were made for the generator's own step."""
        ...

    def discriminator_losses(self, real: Any, fake: Any) -> Any:
        """The discriminator's loss of each sample (n,) from its verdicts on real ones and on fakes."""
        ...

    def generator_losses(self, fake: Any) -> Any:
        """The generator's loss of each sample (n,) from the verdicts on its fakes."""
        ...

    def answer(self, rivals: Rivals, real: Any, truth: Mapping[str, Any]) -> dict[str, Any]:
        """What validation looks at, by name, each (n, …), nothing training; `losses` and `metrics` read it."""
        ...

    def conclude(self, means: Mapping[str, float]) -> dict[str, float]:
        """The loss and the metrics of a history, from the means of `loss` and of what `metrics` gives."""
        ...

    def pictures(self, network: Any) -> NDArray[np.uint8]:
        """A sheet of what a saved generator makes from latents that are always the same, gray levels (h, w)."""
        ...


@dataclass(frozen=True)
class Panel:
    """One figure of the report: a title, a sentence below it, and an SVG picture."""

    title: str
    caption: str
    svg: str


class Domain(Protocol):
    """One science."""

    section: str
    """Name of its section in the job file."""

    settings: type[BaseModel]
    """The section's model; it forbids unknown keys."""

    def decisive(self, settings: BaseModel) -> dict[str, Any]:
        """The settings (JSON) that decide the bytes of a data set; what is only for later stages is left out."""
        ...

    def decisive_options(self, source: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a source's own options (JSON) that decides the bytes: not where it is, nor how patient one is."""
        ...

    def sources(self) -> tuple[str, ...]:
        """Names that `generate.source` may have."""
        ...

    def source(self, name: str, settings: BaseModel, options: Mapping[str, Any], seed: int) -> Source:
        """The source of that name; `options` is the table [generate.<name>] of the job file."""
        ...

    def problem(self, settings: BaseModel, task: Mapping[str, Any]) -> Problem:
        """The learning problem of these settings; `task` is the table [train.task], the science's own.

        Raises UsageError for a task that cannot be.
        """
        ...

    def panels(
        self, settings: BaseModel, rows: Arrays, truth: Arrays, answer: Arrays, metrics: Mapping[str, Any]
    ) -> list[Panel]:
        """The science's own figures: example samples (`rows` of the store), and held-out truth against answer."""
        ...


@cache
def installed_domains() -> dict[str, Domain]:
    """The domains of this installation by section name."""
    found: dict[str, Domain] = {}
    for point in entry_points(group="xpshpc.domains"):
        domain: Domain = point.load()()
        found[domain.section] = domain
    return found
