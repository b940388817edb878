"""Commands of the menus PREFERENCES, SOURCE, SPECTROMETER and GEOMETRY."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.emulator.arguments import amount, energies, given, place, places
from xpshpc.spectra.sessa.emulator.project import Direction, Project, Region
from xpshpc.spectra.sessa.grammar import DENSITY_SCALE
from xpshpc.spectra.sessa.language import Command

Said = Iterator[str]
Handler = Callable[[Project, Command], Said]
"""Changes a project as a command says, and yields lines for the console. Raises UsageError for what cannot be done."""

_WIDEST_APERTURE_DEG = 45.0


def take_note(_: Project, command: Command) -> Said:
    """For what the real program knows and this simulator has no use for."""
    yield f"{command.words}: taken note of, it changes nothing here"


def density_scale(project: Project, command: Command) -> Said:
    project.mass_density = str(command.value).upper() == DENSITY_SCALE
    yield f"densities in {'g/cm3' if project.mass_density else 'atoms/cm3'}"


def energy_scale(_: Project, command: Command) -> Said:
    if str(command.value).upper() != "KINETIC":
        raise UsageError(f"energy scale {command.value}: only KINETIC is known here")
    yield "kinetic energies"


def outputs(project: Project, command: Command) -> Said:
    project.outputs |= {name: bool(flag) for name, flag in command.keywords.items()}
    yield ", ".join(f"{name} {'on' if on else 'off'}" for name, on in project.outputs.items())


def named_source(name: str) -> Handler:
    """Chooses the source of that name."""

    def choose(project: Project, _: Command) -> Said:
        project.source = name
        yield f"source {name}"

    return choose


def photons(project: Project, command: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import source_of

    project.source = source_of(amount(command, "ENERGY"))
    yield f"source {project.source}"


def polarisation(_: Project, command: Command) -> Said:
    if amount(command, "FRACTION") != 0.0:
        raise UsageError("polarised X-rays are not simulated here")
    yield "unpolarised"


def set_range(project: Project, command: Command) -> Said:
    low, high = energies(command.value)
    for index in places(command, "REGION", len(project.regions)):
        project.regions[index] = replace(project.regions[index], low_eV=low, high_eV=high)
        yield f"region {index + 1}: {low:g} to {high:g} eV"


def add_region(project: Project, command: Command) -> Said:
    project.regions.append(Region(*energies(given(command, "RANGE"))))
    yield f"region {len(project.regions)} added"


def delete_region(project: Project, command: Command) -> Said:
    index = place(command.value, "region", len(project.regions))
    if len(project.regions) == 1:
        raise UsageError("the last region stays")
    del project.regions[index]
    yield f"region {index + 1} deleted"


def source_direction(project: Project, command: Command) -> Said:
    project.source_direction = _turned(project.source_direction, command)
    yield f"source at {project.source_direction}"


def analyser_direction(project: Project, command: Command) -> Said:
    project.analyser_direction = _turned(project.analyser_direction, command)
    yield f"analyser at {project.analyser_direction}"


def sample_tilt(project: Project, command: Command) -> Said:
    project.sample_tilt = _turned(project.sample_tilt, command)
    yield f"sample normal at {project.sample_tilt}"


def aperture(project: Project, command: Command) -> Said:
    angle = amount(command, "UTHETA")
    if not 0.0 <= angle <= _WIDEST_APERTURE_DEG:
        raise UsageError(f"an aperture of {angle:g}°: 0 to {_WIDEST_APERTURE_DEG:g}")
    project.aperture_deg = angle
    yield f"aperture of {angle:g} deg to each side"


def _turned(old: Direction, command: Command) -> Direction:
    theta = amount(command, "THETA") if "THETA" in command.keywords else old.theta
    phi = amount(command, "PHI") if "PHI" in command.keywords else old.phi
    return Direction(theta, phi)


HANDLERS: dict[str, Handler] = {
    "PREFERENCES SET DENSITY_SCALE": density_scale,
    "PREFERENCES SET ENERGY_SCALE": energy_scale,
    "PREFERENCES SET THRESHOLD": take_note,
    "PREFERENCES SET AES_THRESHOLD": take_note,
    "PREFERENCES SET PLOT_ZERO": take_note,
    "PREFERENCES SET NDIIMFP": take_note,
    "PREFERENCES SET OUTPUT": outputs,
    "SOURCE SET ALKA": named_source("AlKa"),
    "SOURCE SET MGKA": named_source("MgKa"),
    "SOURCE SET PHOTONS": photons,
    "SOURCE SET POLARIZATION": polarisation,
    "SPECTROMETER SET RANGE": set_range,
    "SPECTROMETER ADD REGION": add_region,
    "SPECTROMETER DELETE REGION": delete_region,
    "GEOMETRY SET SOURCE": source_direction,
    "GEOMETRY SET ANALYZER": analyser_direction,
    "GEOMETRY SET SAMPLE": sample_tilt,
    "GEOMETRY SET APERTURE": aperture,
}
