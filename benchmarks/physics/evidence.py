"""What the page says: sections with figures and tables, made from the comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.physics.published import AugerResidual, Comparison
from benchmarks.physics.sessa_reference import LINES, REFERENCE, STEPS, ProfileComparison
from benchmarks.physics.surveys import SOURCE, SurveyFit
from xpshpc.report.facts import Headline
from xpshpc.report.tables import Table
from xpshpc.spectra.figures.comparison_plot import comparison_svg
from xpshpc.spectra.figures.line_marks import choose_marks
from xpshpc.spectra.lines.line_table import line_table

LIMITS = (
    "SESSA itself is not here. Of its output there are the ten spectra of one sputter profile and two mean free paths "
    "of gold; peak shapes of that profile came from files that are not here, so areas are compared and not shapes.",
    "The transmission functions of the spectrometers are not known. A power of the energy is fitted, which no "
    "real analyser follows over more than 1000 eV; what it cannot follow appears as a difference of the background.",
    "The three samples were not made for this: how deep their overlayers are, whether the surface has their "
    "composition, and at which angle electrons were taken is not told. An overlayer of C5O and emission along the "
    "surface normal are assumed.",
    "The asymmetry parameters, the transport cross-sections and the escape factor have been checked against the tables "
    "they come from and against a Monte Carlo calculation, not against a measurement.",
)


@dataclass(frozen=True)
class Picture:
    """A figure of the page: this program's own SVG and the sentence below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the page; `missing` says why it is empty."""

    title: str
    paragraphs: tuple[str, ...] = ()
    figures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: str = ""


def make_headlines(
    fits: Sequence[SurveyFit], profile: ProfileComparison | None, published: Sequence[Comparison]
) -> list[Headline]:
    """The figures that a reader wants first."""
    found = [
        Headline(
            fit.case.title,
            f"{100.0 * fit.agreement.rms_of_strongest:.1f} %",
            "rms difference, of the strongest channel",
        )
        for fit in fits
    ]
    if profile is not None:
        found.append(Headline("SESSA's Nb/Si areas", f"{100.0 * profile.worst:.1f} %", "worst of the profile"))
    met = sum(one.met for one in published)
    return [*found, Headline("Published values", f"{met} of {len(published)}", "as near as they should be")]


def show_surveys(fits: Sequence[SurveyFit], missing: str) -> Section:
    """Measured surveys, each with the simulated one and their difference."""
    pictures = []
    for fit in fits:
        photon = fit.photon_energy_eV
        energy = fit.agreement.kinetic_energy_eV
        marks = [fit.moved(mark) for mark in choose_marks(line_table(SOURCE), fit.elements, energy[0], energy[-1])]
        strongest, mean = 100 * fit.agreement.rms_of_strongest, 100 * fit.agreement.rms_of_mean
        told = (
            f"root mean square of the difference: {strongest:.1f} % of the strongest channel, {mean:.1f} % of the mean"
        )
        svg = comparison_svg(fit.agreement, photon, marks, f"{fit.case.title}, measured and simulated", told)
        pictures.append(Picture(svg, fit.sample))
    columns = (
        "Survey", "rms / strongest", "rms / mean", "Charging",
        "Transmission E^−n, n", "Analyser FWHM", "Background ×", "Dark",
    )  # fmt: skip
    rows = tuple(
        (
            fit.case.title,
            f"{100 * fit.agreement.rms_of_strongest:.2f} %",
            f"{100 * fit.agreement.rms_of_mean:.1f} %",
            f"{fit.shift_eV:+.2f} eV",
            f"{fit.exponent:.2f}",
            f"{fit.case.fwhm_eV:.1f} eV",
            f"{fit.background_scale:.2f}",
            f"{100 * fit.dark_share:.1f} %",
        )
        for fit in fits
    )
    satellites = tuple(
        (
            fit.case.title,
            fit.case.line,
            f"{100 * fit.satellites[0]:.1f} %",
            f"± {100 * fit.satellites[1]:.1f} %",
            "≈ 4 %",
        )
        for fit in fits
    )
    return Section(
        "Measured surveys",
        (
            "Three measured surveys beside what is simulated for the sample that they are said to be of. The "
            "layers, the chemical shifts of the compound (from handbooks) and the resolution (from the width of one "
            "line) are stated; thicknesses, charging, transmission, and the amounts of unscattered electrons, of "
            "scattered ones and of dark counts are fitted by least squares. Nothing else is.",
            "The survey of MgFe2O4 shows several times the magnesium of its formula. It is taken as a film on MgO, "
            "which its file does not say; the film's thickness is fitted.",
            "The source is monochromated: where Kα₃,₄ of a bare aluminium anode would stand, none of the surveys has "
            "the 4 % of its line that it would put there.",
        )
        if fits
        else (),
        tuple(pictures),
        (Table(columns, rows), Table(("Survey", "Line", "At Kα₃,₄", "Error", "Bare anode"), satellites))
        if fits
        else (),
        missing,
    )


def show_profile(profiles: Sequence[ProfileComparison], missing: str) -> Section:
    """SESSA's sputter profile."""
    tables = []
    for profile in profiles:
        rows = [
            (
                f"{element} {LINES[element]}, t = {step}",
                f"{theirs:.4f}",
                f"{ours:.4f}",
                f"{100 * (ours / theirs - 1):+.1f} %",
                "5 %",
            )
            for element in profile.ours
            for step, theirs, ours in zip(STEPS, profile.theirs[element], profile.ours[element], strict=True)
            if step != REFERENCE
        ]
        length = profile.our_length_A / profile.their_length_A - 1
        rows.append(
            (
                "attenuation length, Å",
                f"{profile.their_length_A:.2f}",
                f"{profile.our_length_A:.2f}",
                f"{100 * length:+.1f} %",
                "3 %",
            )
        )
        tables.append(Table((f"with {profile.imfp}", "SESSA", "xpshpc", "Deviation", "Aim"), tuple(rows)))
    return Section(
        "SESSA's own sputter profile of niobium in silicon",
        (
            "Areas of Nb 3d and Si 2p at five steps of a profile through seventeen layers, each relative to the step "
            "t = 14, as real SESSA gave them and as the same stacks give them here; and the attenuation length of Nb "
            "3d in silicon that the step from t = 14 to t = 17 tells. The SESSA of these files is of the time of "
            "TPP-2M; its sessions give source and analyser one azimuth. The density of its mixed layers, which SESSA "
            "estimated, the files do not tell; here the atoms' volumes are added up. Nor do they tell how much of each "
            "state the shapes that were loaded showed.",
        )
        if profiles
        else (),
        tables=tuple(tables),
        missing=missing,
    )


def show_published(published: Sequence[Comparison], residuals: Sequence[AugerResidual]) -> Section:
    """Published values, one a row."""
    rows = tuple(
        (
            f"{one.quantity}, {one.subject}",
            f"{one.theirs:g} {one.unit}".strip(),
            f"{one.ours:.4g} {one.unit}".strip(),
            f"{one.deviation:+.2f} {one.deviation_unit}",
            f"{one.aim:g} {one.deviation_unit}",
            "yes" if one.met else "no",
            one.source,
        )
        for one in published
    )
    auger = tuple(
        (one.group, f"{one.elements[0]}–{one.elements[-1]}", f"{one.mean_eV:+.1f} eV", f"{one.spread_eV:.1f} eV")
        for one in residuals
    )
    return Section(
        "Published values",
        (
            "Auger energies come from a table of measured ones; groups that it does not list are placed by the Z+1 "
            "rule, moved by the mean of what the rule misses in the elements that are listed. The last table says how "
            "well the rule does there.",
        ),
        tables=(
            Table(("Quantity", "Published", "xpshpc", "Deviation", "Aim", "Met", "Source"), rows),
            Table(("Auger group", "Elements", "Measured less rule", "Spread"), auger),
        ),
    )
