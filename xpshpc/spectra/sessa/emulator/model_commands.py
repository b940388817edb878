"""Commands of the menus MODEL, PLOT and PROJECT: simulate, and write what came of it."""

from __future__ import annotations

from dataclasses import replace

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.emulator.arguments import place, places, writable
from xpshpc.spectra.sessa.emulator.project import Project
from xpshpc.spectra.sessa.emulator.setup_commands import Handler, Said, take_note
from xpshpc.spectra.sessa.language import Command
from xpshpc.spectra.sessa.output_files import named, write_parameters, write_peaks
from xpshpc.spectra.sessa.spectrum_files import RegionSpectrum, write_dat, write_spc

REFERENCE = "embedded simulator of xpshpc, in the form of SESSA's files"
_REMARKS = """[  1] Inelastic mean free path: formula of Jablonski, Tanuma and Powell (2023)
[  2] Transport mean free path: fit to the transport cross-sections of NIST SRD 64
[  3] Surface excitations: free-electron estimate; 0 unless MODEL SET SE true
Elastic mean free paths (EMFP) are not among this simulator's quantities.
"""


def reset_project(project: Project, _: Command) -> Said:
    project.reset()
    yield "project reset"


def straight_lines(project: Project, command: Command) -> Said:
    project.straight_lines = bool(command.value)
    yield f"straight lines {'on' if command.value else 'off'}"


def surface_excitations(project: Project, command: Command) -> Said:
    project.surface_excitations = bool(command.value)
    yield f"surface excitations {'on' if command.value else 'off'}"


def count_collisions(project: Project, command: Command) -> Said:
    if command.value != 0:
        raise UsageError("NCOL is 0 for no loss here; MODEL AUTO NCOL gives losses of all orders")
    yield from _set_zero_loss(project, command, zero_loss=True)


def count_all_collisions(project: Project, command: Command) -> Said:
    yield from _set_zero_loss(project, command, zero_loss=False)


def simulate(project: Project, _: Command) -> Said:
    from xpshpc.spectra.sessa.emulator import physics

    project.spectra = physics.simulate(project)
    yield f"{len(project.spectra)} region(s) simulated"


def save_spectra(project: Project, command: Command) -> Said:
    for number, spectrum in enumerate(_spectra(project), start=1):
        file = writable(command.value, f"reg{number}.spc")
        write_spc(file, spectrum)
        yield f"saved {file}"


def save_intensities(project: Project, command: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import simulated_lines

    rows = [
        f"{line.layer}\t{named(line.element, line.state)}\t{line.orbital}\t"
        f"{line.kinetic_energy_eV:.4f}\t{line.intensity:.6e}"
        for line in simulated_lines(project)
    ]
    file = writable(command.value)
    file.write_text("\n".join(["#layer\telement\torbital\tEnergy [eV]\tintensity", *rows, ""]), encoding="utf-8")
    yield f"saved {file}"


def plot(project: Project, command: Command) -> Said:
    spectra = _spectra(project)
    index = place(command.keywords.get("REGION", 1), "region", len(spectra))
    project.plotted = spectra[index]
    yield f"region {index + 1} plotted"


def save_plot(project: Project, command: Command) -> Said:
    if project.plotted is None:
        raise UsageError("nothing is plotted yet: MODEL PLOT REGION 1")
    file = writable(command.value)
    write_dat(file, project.plotted, reference=REFERENCE)
    yield f"saved {file}"


def save_output(project: Project, command: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import list_peaks, transport

    if project.outputs["SAMPLE"]:
        write_peaks(writable(command.value, "sam_peak.txt"), list_peaks(project))
        write_parameters(writable(command.value, "sam_par.txt"), transport(project))
    writable(command.value, "rems.txt").write_text(_REMARKS, encoding="utf-8")
    writable(command.value, "refs.txt").write_text(f"{REFERENCE}\n", encoding="utf-8")
    yield f"saved {command.value}*"


def _set_zero_loss(project: Project, command: Command, *, zero_loss: bool) -> Said:
    for index in places(command, "REGION", len(project.regions)):
        project.regions[index] = replace(project.regions[index], zero_loss=zero_loss)
        yield f"region {index + 1}: {'no losses' if zero_loss else 'losses of all orders'}"


def _spectra(project: Project) -> list[RegionSpectrum]:
    if project.spectra is None:
        raise UsageError("nothing is simulated yet: MODEL SIMULATE")
    return project.spectra


HANDLERS: dict[str, Handler] = {
    "PROJECT RESET": reset_project,
    "PROJECT SAVE OUTPUT": save_output,
    "MODEL SET SLA": straight_lines,
    "MODEL SET TA": take_note,
    "MODEL SET SE": surface_excitations,
    "MODEL SET CONVERGENCE": take_note,
    "MODEL SET NCOL": count_collisions,
    "MODEL AUTO NCOL": count_all_collisions,
    "MODEL SIMULATE": simulate,
    "MODEL SAVE SPECTRA": save_spectra,
    "MODEL SAVE INTENSITIES": save_intensities,
    "MODEL PLOT": plot,
    "PLOT SAVE DATA": save_plot,
}
