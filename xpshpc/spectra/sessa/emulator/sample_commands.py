"""Commands of the menu SAMPLE: layers and peaks."""

from __future__ import annotations

from dataclasses import replace

from xpshpc.errors import UsageError
from xpshpc.spectra.matter.layers import LARGEST_SHIFT_EV
from xpshpc.spectra.sessa.emulator.arguments import amount, given, not_negative, path, place, places, positive
from xpshpc.spectra.sessa.emulator.project import PeakKey, Project, SampleLayer
from xpshpc.spectra.sessa.emulator.setup_commands import Handler, Said
from xpshpc.spectra.sessa.language import Command
from xpshpc.spectra.sessa.output_files import named

_THICKNESS_A = 10.0
"""Of a layer that is added without one."""


def reset_sample(project: Project, _: Command) -> Said:
    project.reset_sample()
    yield "sample reset"


def set_material(project: Project, command: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import states_of

    material = str(command.value)
    states = states_of(material)
    chosen = places(command, "LAYER", max(len(project.layers), 1))
    states = project.known(states)
    if not project.layers:
        project.layers.append(SampleLayer(material, states))
    for index in chosen:
        project.layers[index] = SampleLayer(material, states, project.layers[index].thickness_A)
        yield f"layer {index + 1}: {material}"


def set_thickness(project: Project, command: Command) -> Said:
    thickness = positive(command.value, "thickness")
    for index in places(command, "LAYER", len(project.layers)):
        project.layers[index] = replace(project.layers[index], thickness_A=thickness)
        yield f"layer {index + 1}: {thickness:g} A"


def set_density(project: Project, command: Command) -> Said:
    density = positive(command.value, "density")
    for index in places(command, "LAYER", len(project.layers)):
        project.layers[index] = replace(project.layers[index], density=density)
        yield f"layer {index + 1}: density {density:g}"


def set_band_gap(project: Project, command: Command) -> Said:
    gap = not_negative(command.value, "band gap")
    for index in places(command, "LAYER", len(project.layers)):
        project.layers[index] = replace(project.layers[index], band_gap_eV=gap)
        yield f"layer {index + 1}: band gap {gap:g} eV"


def add_layer(project: Project, command: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import states_of

    material = str(command.value)
    states = states_of(material)
    thickness = positive(command.keywords.get("THICKNESS", _THICKNESS_A), "thickness")
    if not project.layers:
        raise UsageError("the sample has no material that a layer could lie on")
    above = command.keywords.get("ABOVE", 0)
    index = place(above, "layer", len(project.layers)) if above else 0
    project.layers.insert(index, SampleLayer(material, project.known(states), thickness))
    yield f"layer {index + 1} of {len(project.layers)}: {material}, {thickness:g} A"


def delete_layer(project: Project, command: Command) -> Said:
    index = place(command.value, "layer", len(project.layers))
    if len(project.layers) == 1:
        raise UsageError("the last layer stays")
    del project.layers[index]
    yield f"layer {index + 1} deleted, {len(project.layers)} left"


def set_loss_material(project: Project, command: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import states_of

    material = str(given(command, "MATERIAL"))
    states_of(material)
    for index in places(command, "LAYER", len(project.layers)):
        project.layers[index] = replace(project.layers[index], loss_material=material)
        yield f"layer {index + 1}: losses as in {material}"


def peak_list(project: Project, _: Command) -> Said:
    from xpshpc.spectra.sessa.emulator.physics import list_peaks

    for peak in list_peaks(project):
        name = named(peak.element, peak.state)
        yield f"{peak.number:4d}  {name:<12} {peak.orbital:<10} {peak.kinetic_energy_eV:12.4f}  {peak.kind}"


def delete_peak(project: Project, command: Command) -> Said:
    key = _peak(project, command)
    project.edit(key, deleted=True)
    yield f"{_name(key)} deleted"


def shift_peak(project: Project, command: Command) -> Said:
    key, shift = _peak(project, command), amount(command, "VALUE")
    if abs(shift) > LARGEST_SHIFT_EV:
        raise UsageError(f"a shift of {shift:g} eV: at most {LARGEST_SHIFT_EV:g}, either way")
    project.edit(key, shift_eV=shift)
    yield f"{_name(key)} shifted by {shift:g} eV"


def set_peak_type(project: Project, command: Command) -> Said:
    if str(command.value).upper() != "GAUSS":
        raise UsageError(f"peak type {command.value}: only GAUSS can take the place of a peak's own shape here")
    key = _peak(project, command)
    project.edit(key, gaussian=True)
    yield f"{_name(key)} is a Gaussian"


def set_peak_width(project: Project, command: Command) -> Said:
    key, sigma = _peak(project, command), positive(command.value, "width")
    project.edit(key, gauss_sigma_eV=sigma)
    yield f"{_name(key)}: sigma {sigma:g} eV"


def load_peak_shape(project: Project, command: Command) -> Said:
    """A session goes on with the peak's own shape, which its area does not depend on, and says so."""
    key, file = _peak(project, command), path(command.value)
    why = "shapes from files are not drawn here" if file.is_file() else f"no file {str(file)!r}"
    yield f"*** Warning: {why}; {_name(key)} keeps its own shape"


def _peak(project: Project, command: Command) -> PeakKey:
    from xpshpc.spectra.sessa.emulator.physics import keyed_peaks

    keys = keyed_peaks(project)
    return keys[place(command.keywords.get("PEAK", 1), "peak", len(keys))]


def _name(key: PeakKey) -> str:
    element, state, orbital = key
    return f"peak {named(element, state)} {orbital}"


HANDLERS: dict[str, Handler] = {
    "SAMPLE RESET": reset_sample,
    "SAMPLE SET MATERIAL": set_material,
    "SAMPLE SET THICKNESS": set_thickness,
    "SAMPLE SET DENSITY": set_density,
    "SAMPLE SET EGAP": set_band_gap,
    "SAMPLE ADD LAYER": add_layer,
    "SAMPLE DELETE LAYER": delete_layer,
    "SAMPLE PARAMETERS SET DIIMFP": set_loss_material,
    "SAMPLE PEAK LIST": peak_list,
    "SAMPLE PEAK DELETE": delete_peak,
    "SAMPLE PEAK SET CHEMSHIFT": shift_peak,
    "SAMPLE PEAK SET TYPE": set_peak_type,
    "SAMPLE PEAK SET WIDTH": set_peak_width,
    "SAMPLE PEAK LOAD DATA": load_peak_shape,
}
