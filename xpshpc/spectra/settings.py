"""The [spectra] section of a job file: which samples, which instrument, which measured files to read."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from xpshpc.config import Section, nearest
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.matter.compounds import choose_compounds, compound_words, compounds
from xpshpc.spectra.matter.layers import DENSITIES_G_CM3


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound ({bounds[0]}) must not exceed the second ({bounds[1]})")
    return bounds


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Shift = Annotated[float, Field(ge=-100, le=100)]
Range = Annotated[tuple[NotNegative, NotNegative], AfterValidator(_ascending)]
"""Two bounds of a uniform distribution; equal bounds fix the value."""


class Samples(Section):
    """Random homogeneous samples under a carbonaceous overlayer.

    The recipe says what a sample is made of. `mixtures`: some of `elements` in random ratios, one homogeneous solid.
    `pure_sums`: the same draw, but the spectrum is the sum of the elements' own spectra, each from its pure solid, by
    atomic fraction. `compounds`: one compound of data/compounds.csv, or several mixed in random ratios, with handbook
    density and band gap; of those that consist of `elements` alone.
    """

    elements: tuple[str, ...] = Field(ELEMENTS, min_length=1, description="the elements that samples are drawn from")
    elements_per_sample: tuple[int, int] = Field(
        (1, 5), description="recipes mixtures and pure_sums: fewest and most, all numbers between equally likely"
    )
    recipe: Literal["mixtures", "pure_sums", "compounds"] = Field(
        "mixtures",
        description="homogeneous random mixtures; sums of the pure elements' spectra; or real compounds from the list",
    )
    compounds: tuple[str, ...] = Field((), description="recipe compounds: names or kinds to draw from; none: all")
    compounds_per_sample: tuple[int, int] = Field(
        (1, 1), description="recipe compounds: fewest and most that are mixed, in random ratios of their atoms"
    )
    undetectable: Literal["keep", "leave_out", "down_weight"] = Field(
        "keep",
        description="what becomes of elements below their detection limit, which follows from the expected spectrum: "
        "kept in `composition`, left out of it, or kept with a smaller weight in training",
    )
    largest_ratio: int = Field(10, gt=0, le=1000, description="atomic ratios are whole numbers from 1 to this")
    chemical_shift_eV: float = Field(5.0, ge=0, le=50, description="largest shift of an element's lines, either way")
    overlayer: str = Field("C5O", description="formula of the overlayer")
    overlayer_density_g_cm3: float = Field(1.56, ge=DENSITIES_G_CM3[0], le=DENSITIES_G_CM3[1])
    overlayer_A: Range = (0.0, 40.0)
    overlayer_shift_eV: float = Field(0.5, ge=0, le=50, description="the same for the overlayer's elements")

    @field_validator("elements")
    @classmethod
    def _known_once(cls, elements: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in elements:
            if symbol not in ELEMENTS:
                raise ValueError(f"unknown element {symbol!r}{nearest(symbol, ELEMENTS)}; the 80 are Li–Bi without Pm")
        if len(set(elements)) < len(elements):
            raise ValueError("an element is listed twice")
        return elements

    @field_validator("compounds")
    @classmethod
    def _known_words(cls, compounds: tuple[str, ...]) -> tuple[str, ...]:
        if compounds:
            words = compound_words()
            for word in compounds:
                if word not in words:
                    raise ValueError(f"no compound and no kind of compounds is called {word!r}{nearest(word, words)}")
        return compounds

    @model_validator(mode="after")
    def _enough_to_draw_from(self) -> Samples:
        if self.recipe == "compounds":
            self._check_compounds()
            return self
        for key in ("compounds", "compounds_per_sample"):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f'{key} is for recipe = "compounds"; the recipe here is {self.recipe!r}')
        low, high = self.elements_per_sample
        if not 1 <= low <= high <= len(self.elements):
            raise ValueError(
                f"elements_per_sample ({low}, {high}) must rise and lie between 1 and {len(self.elements)}, "
                "the number of elements to draw from"
            )
        return self

    def _check_compounds(self) -> None:
        if self.elements_per_sample != type(self).model_fields["elements_per_sample"].default:
            raise ValueError(
                'elements_per_sample: with recipe = "compounds" the compounds decide; set compounds_per_sample'
            )
        pool = len(choose_compounds(self.compounds, self.elements))
        if not pool:
            raise ValueError("none of the chosen compounds consists of the listed elements alone")
        low, high = self.compounds_per_sample
        if not 1 <= low <= high <= pool:
            raise ValueError(
                f"compounds_per_sample ({low}, {high}) must rise and lie between 1 and {pool}, "
                "the number of compounds to draw from"
            )

    @property
    def places(self) -> int:
        """The most elements that a sample can hold: columns of the arrays that tell its elements."""
        if self.recipe != "compounds":
            return self.elements_per_sample[1]
        richest = max(len(compounds()[place].fractions) for place in choose_compounds(self.compounds, self.elements))
        return min(self.compounds_per_sample[1] * richest, len(self.elements))


class Instrument(Section):
    """X-ray source, analyser and detector. A pair of numbers is drawn from, uniformly, for each spectrum."""

    source: str = "AlKa"
    window_eV: tuple[float, float] = Field((400.0, 1486.0), description="kinetic energies, the upper end left out")
    channels: int = Field(2048, ge=64, le=65536)
    analyser_fwhm_eV: Range = Field((0.5, 3.0), description="energy resolution of the analyser alone")
    emission_angle_deg: float = Field(0.0, ge=0, lt=90, description="between surface normal and analyser")
    source_angle_deg: float = Field(54.7, ge=0, le=180, description="between X-rays and analyser")
    transmission_exponent: Range = Field((0.0, 1.0), description="n of a transmission that falls as E^-n")
    peak_counts: Range = Field(
        (3_000.0, 50_000.0),
        description="dose: expected counts of the strongest channel; its signal-to-noise ratio is their root",
    )
    transmission_table: tuple[tuple[Positive, Positive], ...] = Field(
        (), description="(kinetic energy in eV, transmission) pairs that multiply it, linear between them"
    )
    detector_background: tuple[Share, Share] = Field((0.0, 0.02), description="constant share of the strongest channel")
    background_scale: Range = Field((1.0, 1.0), description="factor of the inelastic background")
    acceptance_half_angle_deg: float = Field(0.0, ge=0, le=45, description="of the cone that the analyser takes in")
    work_function_eV: float = Field(0.0, ge=0, le=10, description="of the analyser; 0: energies to the Fermi level")
    charging_shift_eV: tuple[Shift, Shift] = Field((0.0, 0.0), description="of all lines, to higher binding energy")
    noise: bool = Field(True, description="Poisson noise")
    counts: Literal["uint16", "float32"] = Field("uint16", description="how counts are stored")

    @model_validator(mode="after")
    def _within_reach(self) -> Instrument:
        from xpshpc.spectra.lines.sources import xray_sources

        sources = xray_sources()
        if self.source not in sources:
            raise ValueError(f"unknown X-ray source {self.source!r}{nearest(self.source, sources)}")
        photon = sources[self.source].photon_energy_eV
        low, high = self.window_eV
        if not 50.0 <= low < high <= photon:
            raise ValueError(
                f"window_eV ({low:g}, {high:g}) is out of reach: kinetic energies from 50 eV to {photon:g} eV "
                f"(photons of {self.source}), the lower one first"
            )
        if self.peak_counts[0] <= 0:
            raise ValueError("peak_counts must be positive")
        ceiling = self.peak_counts[1] + 7.0 * self.peak_counts[1] ** 0.5
        if self.counts == "uint16" and ceiling > 65535:
            raise ValueError(
                f"peak_counts of {self.peak_counts[1]:g} would overflow uint16 (65535) with noise: "
                'at most 63700, or counts = "float32"'
            )
        _ascending(self.detector_background)
        _ascending(self.charging_shift_eV)
        energies = [energy for energy, _ in self.transmission_table]
        if any(right <= left for left, right in pairwise(energies)):
            raise ValueError("transmission_table: kinetic energies must rise")
        return self

    @property
    def channel_eV(self) -> float:
        """Width of a channel."""
        return (self.window_eV[1] - self.window_eV[0]) / self.channels

    def energy_axis(self) -> NDArray[np.float64]:
        """Kinetic energies of the channels in eV, (channels,)."""
        return self.window_eV[0] + self.channel_eV * np.arange(self.channels, dtype=np.float64)


class Measured(Section):
    """Measured surveys that a whole run reads in its last stage."""

    surveys: tuple[str, ...] = Field((), description="files or patterns, relative to the job file")
    unknown: str = Field("Cu2O", description="simulated in their place when no file is found")
    unknown_overlayer_A: NotNegative = 12.0

    @field_validator("surveys")
    @classmethod
    def _from_the_job_file(cls, surveys: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        folder = (info.context or {}).get("folder")
        return tuple(str(folder / pattern) for pattern in surveys) if folder else surveys

    def files(self) -> list[Path]:
        """The files that the patterns match, each once, in order."""
        found: list[Path] = []
        for pattern in self.surveys:
            whole = Path(os.path.normpath(Path.cwd() / pattern))
            found += sorted(Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))
        return list(dict.fromkeys(path.resolve() for path in found if path.is_file()))


class Physics(Section):
    """Which effects are simulated, and by which formulas."""

    imfp: Literal["JTP", "TPP-2M"] = Field("JTP", description="inelastic mean free path")
    elastic_scattering: bool = Field(True, description="escape factor Q, effective asymmetry, attenuation length")
    surface_excitations: bool = False
    loss_functions: Literal["material", "universal"] = Field("material", description="a material's own, where known")
    metal_asymmetry: bool = Field(True, description="Doniach–Šunjić lines in metals")
    shake_up: bool = Field(True, description="satellites and multiplets of common metal oxides")


class SpectraSettings(Section):
    """Everything that XPS adds to a job file."""

    samples: Samples = Samples()
    instrument: Instrument = Instrument()
    physics: Physics = Physics()
    measured: Measured = Measured()

    def decisive(self) -> dict[str, Any]:
        """What decides the bytes of a data set."""
        return self.model_dump(mode="json", include={"samples", "instrument", "physics"})
