"""Writes VAMAS files as ISO 14976 lays them out, block by block, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IDENTIFIER = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"


@dataclass(frozen=True)
class Block:
    """A block to be written: `columns` are (label, unit, values); in a REGULAR file the energies stand apart."""

    energy_eV: NDArray[np.float64]
    columns: Sequence[tuple[str, str, NDArray[np.float64]]]
    name: str = "Survey"
    sample: str = "sample"
    technique: str = "XPS"
    comment: Sequence[str] = ()
    source_label: str = "Al"
    source_energy: str = "1486.61"
    work_function: str = "4.1"
    axis_label: str = "kinetic energy"
    axis_unit: str = "eV"


@dataclass(frozen=True)
class Layout:
    """What the head of the file announces."""

    experiment_mode: str = "NORM"
    scan_mode: str = "REGULAR"
    listed: Sequence[int] = ()
    exclusion: bool = True
    future_experiment: Sequence[str] = ()
    future_block: Sequence[str] = ()
    manual: Sequence[int] = ()
    comment: Sequence[str] = field(default=("a comment",))


def vamas_text(blocks: Sequence[Block], layout: Layout = Layout()) -> str:
    """The text of a file; items that the layout leaves out are written for the first block only."""
    lines = [IDENTIFIER, "institute", "instrument", "operator", "experiment"]
    lines += [str(len(layout.comment)), *layout.comment, layout.experiment_mode, layout.scan_mode]
    if layout.experiment_mode in ("MAP", "MAPDP", "NORM", "SDP"):
        lines.append("1")
    if layout.experiment_mode in ("MAP", "MAPDP"):
        lines += ["4", "2", "2"]
    lines += ["1", "etch time", "s"]
    sign = -1 if layout.exclusion else 1
    lines += [str(sign * len(layout.listed)), *map(str, layout.listed)]
    lines += [str(len(layout.manual)), *map(str, layout.manual)]
    lines += [str(len(layout.future_experiment)), str(len(layout.future_block)), *layout.future_experiment]
    lines.append(str(len(blocks)))
    everything = set(range(1, 41))
    later = everything
    if layout.listed:
        later = everything - set(layout.listed) if layout.exclusion else set(layout.listed)
    for number, block in enumerate(blocks):
        lines += _block_lines(block, layout, everything if number == 0 else later)
    return "\n".join([*lines, "end of experiment"]) + "\n"


def _block_lines(block: Block, layout: Layout, present: set[int]) -> list[str]:
    mode = layout.experiment_mode
    profile = mode in ("MAPDP", "MAPSVDP", "SDP", "SDPSV")
    items: dict[int, list[str]] = {
        1: ["2024"], 2: ["2"], 3: ["29"], 4: ["12"], 5: ["0"], 6: ["0"], 7: ["1"],
        8: [str(len(block.comment)), *block.comment],
        9: [block.technique],
        10: ["1", "2"] if mode in ("MAP", "MAPDP") else [],
        11: ["12.5"],
        12: [block.source_label],
        13: ["18", "1", "1"] if profile else [],
        14: [block.source_energy], 15: ["300"], 16: ["500", "400"],
        17: ["100", "100"] if mode in ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM") else [],
        18: [],
        19: ["54.7"], 20: ["0"], 21: ["FAT"], 22: ["100"], 23: [], 24: ["1"],
        25: [block.work_function], 26: ["0"], 27: ["10", "20"], 28: ["0", "0"], 29: ["Survey"], 30: ["none", "-1"],
        31: [], 32: [], 33: ["pulse counting"], 34: ["0.1"], 35: ["3"], 36: ["0"],
        37: ["500", "10", "1000", "1000", "45", "0", "cyclic"] if profile else [],
        38: ["0", "0"], 39: ["0"], 40: ["1", "dose", "d", "7"],
    }  # fmt: skip
    columns = list(block.columns)
    if layout.scan_mode == "REGULAR":
        start, step = block.energy_eV[0], block.energy_eV[1] - block.energy_eV[0]
        items[31] = [block.axis_label, block.axis_unit, repr(float(start)), repr(float(step))]
    else:
        columns = [(block.axis_label, block.axis_unit, block.energy_eV), *columns]
    items[32] = [str(len(columns)), *(text for label, unit, _ in columns for text in (label, unit))]
    lines = [block.name, block.sample]
    for number in range(1, 41):
        if number in present:
            lines += items[number]
    lines += layout.future_block
    values = np.column_stack([values for _, _, values in columns])
    lines.append(str(values.size))
    for column in values.T:
        lines += [repr(float(column.min())), repr(float(column.max()))]
    return [*lines, *(repr(float(value)) for value in values.ravel())]
