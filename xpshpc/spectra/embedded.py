"""The source `embedded`: spectra from the built-in simulator, any sample by itself or a whole shard at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.source import ArraySpec
from xpshpc.spectra.detection.detectability import element_weights, expected_limits, leave_out_undetectable
from xpshpc.spectra.detection.measurement import measure
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.learning.names import WEIGHT
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.batch import SampleBatch, draw_batch
from xpshpc.spectra.matter.compounds import compounds
from xpshpc.spectra.matter.recipes import draw_compounds
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulation.simulator import Simulator

DEVICE = (
    "peak_counts", "analyser_fwhm_eV", "transmission_exponent", "detector_background", "charging_shift_eV",
    "background_scale",
)  # fmt: skip
"""What the array `device` holds, in this order."""

MATTER = ("density_g_cm3", "band_gap_eV", "loss")
"""What the array `matter` holds, in this order."""


class EmbeddedSource:
    """Random samples of the job and their spectra, drawn with the job's seed."""

    piece_samples: int | None = 2048
    """Some tenths of a second; in many spectra at once, those with a rare loss function cost little."""

    def __init__(self, settings: SpectraSettings, seed: int) -> None:
        self._settings = settings
        self._streams = Streams(seed)
        self._made: Simulator | None = None

    @property
    def simulator(self) -> Simulator:
        """The simulator, whose tables are made when they are first needed."""
        if self._made is None:
            self._made = Simulator(self._settings.samples, self._settings.instrument, self._settings.physics)
        return self._made

    def arrays(self) -> tuple[ArraySpec, ...]:
        from xpshpc.spectra.matter.sample import parse_formula

        instrument, samples = self._settings.instrument, self._settings.samples
        most = samples.places
        overlayer = list(parse_formula(samples.overlayer))
        channels = (instrument.channels,)
        return (
            ArraySpec("spectrum", channels, instrument.counts, "counts", "measured counts", ("kinetic_energy",)),
            ArraySpec(
                "composition", (len(ELEMENTS),), "float32", "1", "atomic fractions below the overlayer", ("element",)
            ),
            ArraySpec("overlayer_thickness", (), "float32", "Å", f"thickness of the {samples.overlayer} overlayer"),
            ArraySpec(
                "drawn_elements", (most,), "int16", "1", "place in `elements` of each one drawn; -1: none", ("place",)
            ),
            ArraySpec(
                "drawn_fractions", (most,), "float32", "1", "atomic fraction of each one drawn; 0: none", ("place",)
            ),
            ArraySpec(
                "shifts", (most + len(overlayer),), "float32", "eV",
                f"shift to higher binding energy of each drawn element, then of the overlayer's {', '.join(overlayer)}",
                ("place",),
            ),
            ArraySpec(
                "device", (len(DEVICE),), "float32", "counts, eV, 1, 1, eV, 1", ", ".join(DEVICE), ("quantity",)
            ),
            ArraySpec(
                "matter", (len(MATTER),), "float32", "g/cm³, eV, 1", ", ".join(MATTER), ("property",)
            ),
            ArraySpec(
                "detection_limit", (most,), "float32", "1",
                "smallest atomic fraction of each drawn element that the spectrum can show", ("place",),
            ),
            *self._recipe_arrays(),
        )  # fmt: skip

    def _recipe_arrays(self) -> list[ArraySpec]:
        """What only some jobs store."""
        samples, arrays = self._settings.samples, []
        if self._holds_compounds:
            about = "place in `compounds` of each one mixed; -1: none"
            arrays.append(ArraySpec("material", (samples.compounds_per_sample[1],), "int16", "1", about, ("part",)))
        if samples.undetectable == "down_weight":
            about = "what each element's error counts in training"
            arrays.append(ArraySpec(WEIGHT, (len(ELEMENTS),), "float32", "1", about, ("element",)))
        return arrays

    @property
    def _holds_compounds(self) -> bool:
        return self._settings.samples.recipe == "compounds"

    def attributes(self) -> dict[str, Any]:
        instrument = self._settings.instrument
        return {
            "kinetic_energy_eV": instrument.energy_axis().tolist(),
            "photon_energy_eV": xray_sources()[instrument.source].photon_energy_eV,
            "elements": list(ELEMENTS),
            "device": list(DEVICE),
            "matter": list(MATTER),
            **({"compounds": [compound.name for compound in compounds()]} if self._holds_compounds else {}),
            "settings": self._settings.decisive(),
        }

    def make(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        most = self.piece_samples or len(indices)
        pieces = [self._make(indices[start : start + most]) for start in range(0, len(indices), most)]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def _make(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        batch = self.draw(indices)
        expectation = self.simulator.expected(batch)
        limits = expected_limits(self.simulator, batch, expectation)
        return {
            "spectrum": self.measure(batch, expectation.counts),
            "overlayer_thickness": batch.overlayer_A.astype(np.float32),
            "drawn_elements": np.where(batch.fractions > 0.0, batch.elements, -1).astype(np.int16),
            "drawn_fractions": batch.fractions.astype(np.float32),
            "shifts": np.concatenate([batch.shifts, batch.overlayer_shifts], axis=1).astype(np.float32),
            "device": np.stack([getattr(batch, name) for name in DEVICE], axis=1).astype(np.float32),
            "matter": np.stack([getattr(batch, name) for name in MATTER], axis=1).astype(np.float32),
            "detection_limit": limits.astype(np.float32),
            **self._label(batch, limits),
        }

    def _label(self, batch: SampleBatch, limits: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """The composition that the network shall answer, and what the recipe stores beside it."""
        samples = self._settings.samples
        labels: dict[str, NDArray[Any]] = {"composition": batch.composition()}
        if samples.undetectable == "leave_out":
            labels["composition"] = leave_out_undetectable(
                labels["composition"], batch.elements, batch.fractions, limits
            )
        if samples.undetectable == "down_weight":
            labels[WEIGHT] = element_weights(len(ELEMENTS), batch.elements, batch.fractions, limits)
        if self._holds_compounds:
            labels["material"] = draw_compounds(samples, self._streams, batch.index).astype(np.int16)
        return labels

    def draw(self, indices: NDArray[np.int64]) -> SampleBatch:
        """The samples of these indices, not yet measured."""
        overlayer = len(self.simulator.overlayer_elements)
        settings = self._settings
        return draw_batch(
            settings.samples,
            settings.instrument,
            overlayer,
            self._streams,
            indices,
            loss_functions=settings.physics.loss_functions,
        )

    def measure(self, batch: SampleBatch, expected: NDArray[np.floating] | None = None) -> NDArray[Any]:
        """Counts of these samples, (n, channels), in the type that is stored. Raises SampleError on overflow.

        `expected`: the simulator's expectation of them, where it is known already.
        """
        counts = self.simulator.expected_counts(batch) if expected is None else expected
        return measure(counts, batch, self._settings.instrument, self._streams)


def stored_batch(arrays: dict[str, NDArray[Any]], indices: NDArray[np.int64]) -> SampleBatch:
    """The samples that stored arrays describe: `measure` makes their very spectra again."""
    elements = np.maximum(arrays["drawn_elements"].astype(np.intp), 0)
    most = elements.shape[1]
    shifts = arrays["shifts"].astype(np.float64)
    device: dict[str, Any] = {
        name: arrays["device"][:, column].astype(np.float64) for column, name in enumerate(DEVICE)
    }
    return SampleBatch(
        index=indices,
        elements=elements,
        fractions=arrays["drawn_fractions"].astype(np.float64),
        shifts=shifts[:, :most],
        overlayer_A=arrays["overlayer_thickness"].astype(np.float64),
        overlayer_shifts=shifts[:, most:],
        density_g_cm3=arrays["matter"][:, 0].astype(np.float64),
        band_gap_eV=arrays["matter"][:, 1].astype(np.float64),
        loss=arrays["matter"][:, 2].astype(np.intp),
        **device,
    )
