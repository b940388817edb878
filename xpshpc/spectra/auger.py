"""Auger groups: where they stand and how much of the vacancies' decay they carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from xpshpc.spectra.elements import ATOMIC_NUMBERS
from xpshpc.spectra.tables import read_table


@dataclass(frozen=True)
class AugerGroup:
    """Transitions of one kind: a vacancy in `initial`, two in the levels `first` and `second`.

    `numbers` are the atomic numbers for which the group is drawn, `shift_eV` the mean residual of the Z+1 rule against
    measured energies, `fwhm_eV` the group's width.
    """

    initial: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    numbers: range
    shift_eV: float
    fwhm_eV: float
    share: float | None = None

    @property
    def name(self) -> str:
        return self.initial + _merged(self.first) + _merged(self.second)


@dataclass(frozen=True)
class AugerLine:
    """An Auger group of one element: kinetic energy (eV), width (eV), and the cross-section (barn) that feeds it."""

    group: str
    kinetic_energy_eV: float
    cross_section_barn: float
    fwhm_eV: float


_DOUBLET_PARTNER = {"L2": "L3", "M4": "M5"}
_SOLID_L2_TO_L3 = 0.6
_L2_L3_M45_OPEN = range(22, 31)
"""In solids screening opens the transition L2L3M45 from Ti to Zn, which free-atom tables leave closed, and L2VV is weak
(Antonides, Janse, Sawatzky, Phys. Rev. B 15, 1669, 1977, 10.1103/PhysRevB.15.1669); the figure is a round one."""

_L23, _M23, _M45, _N45 = ("L2", "L3"), ("M2", "M3"), ("M4", "M5"), ("N4", "N5")

GROUPS = (
    AugerGroup("K", _L23, _L23, range(5, 14), -8.0, 4.0, share=0.704),
    AugerGroup("K", ("L1",), _L23, range(5, 14), -8.0, 6.0, share=0.235),
    AugerGroup("L3", _M45, _M45, range(23, 36), 0.3, 3.5),
    AugerGroup("L2", _M45, _M45, range(23, 36), 0.3, 3.5),
    AugerGroup("L3", _M23, _M45, range(21, 36), -0.4, 8.0),
    AugerGroup("L2", _M23, _M45, range(21, 36), -0.4, 8.0),
    AugerGroup("L3", _M23, _M23, range(20, 36), -3.3, 12.0),
    AugerGroup("L2", _M23, _M23, range(20, 36), -3.3, 12.0),
    AugerGroup("M5", _N45, _N45, range(44, 61), 2.0, 4.0, share=0.8),
    AugerGroup("M4", _N45, _N45, range(44, 61), 2.0, 4.0, share=0.8),
)
"""Groups between 250 and 1486 eV. Residuals of the Z+1 rule: mean over the elements of data/auger_groups.csv.

Widths: what the multiplets and bands of a group spread over in measured surveys, to a factor of 1.5 or so. Shares of
KLL as measured in neon (Körber and Mehlhorn, Z. Phys. 191, 217, 1966). No tabulated rates exist for MNN; four fifths is
a round figure for M45N45N45 in the decay of 3d vacancies of a filled 4d shell.
"""


def auger_lines(
    symbol: str, vacancies: Mapping[str, float], levels: Mapping[str, Mapping[str, float]]
) -> list[AugerLine]:
    """The Auger lines of an element.

    `vacancies`: photoionisation cross-section (barn) by subshell; `levels`: binding energies (eV) by element and
    subshell. Intensity is vacancies (after Coster–Kronig transfer) × Auger yield × branching, from xraylib; emission is
    isotropic. Kinetic energies from data/auger_groups.csv, else by the Z+1 rule
    E = B_i(Z) − ½[B_j(Z)+B_j(Z+1)] − ½[B_k(Z)+B_k(Z+1)] (Chung and Jenkins, Surf. Sci. 22, 479, 1970,
    10.1016/0039-6028(70)90099-3), shifted by the group's mean residual.
    """
    number = ATOMIC_NUMBERS[symbol]
    own, heavier = levels[symbol], levels[_symbol(number + 1)]
    fed = _with_coster_kronig(number, vacancies)
    lines = []
    for group in GROUPS:
        if number not in group.numbers or fed.get(group.initial, 0.0) <= 0.0:
            continue
        rate = _branching(number, group)
        energy = _kinetic_energy(symbol, group, own, heavier)
        if rate > 0.0 and energy is not None:
            lines.append(AugerLine(group.name, energy, fed[group.initial] * rate, group.fwhm_eV))
    return lines


def _kinetic_energy(
    symbol: str, group: AugerGroup, own: Mapping[str, float], heavier: Mapping[str, float]
) -> float | None:
    listed = _listed_energies()
    if (symbol, group.name) in listed:
        return listed[symbol, group.name]
    partner = _DOUBLET_PARTNER.get(group.initial)
    if partner and (symbol, group.name.replace(group.initial, partner, 1)) in listed:
        main = listed[symbol, group.name.replace(group.initial, partner, 1)]
        return main + own[group.initial] - own[partner]
    outer = (group.first[-1], group.second[-1])
    if group.initial not in own or any(shell not in own or shell not in heavier for shell in outer):
        return None
    holes = sum(0.5 * (own[shell] + heavier[shell]) for shell in outer)
    return own[group.initial] - holes + group.shift_eV


def _with_coster_kronig(number: int, vacancies: Mapping[str, float]) -> dict[str, float]:
    """Vacancies by subshell after Coster–Kronig transitions have moved some outwards within the L shell."""
    import xraylib

    fed = dict(vacancies)
    for inner, outer, transition in (("L1", "L2", xraylib.FL12_TRANS), ("L1", "L3", xraylib.FL13_TRANS)):
        if inner in fed and outer in fed:
            fed[outer] += fed[inner] * _known(xraylib.CosKronTransProb, number, transition)
    if "L2" in fed and "L3" in fed:
        moved = (
            _SOLID_L2_TO_L3
            if number in _L2_L3_M45_OPEN
            else _known(xraylib.CosKronTransProb, number, xraylib.FL23_TRANS)
        )
        fed["L3"] += moved * fed["L2"]
        fed["L2"] *= 1.0 - moved
    return fed


def _branching(number: int, group: AugerGroup) -> float:
    """Auger electrons of the group for each vacancy in its initial subshell."""
    import xraylib

    fluorescence = _known(xraylib.FluorYield, number, getattr(xraylib, f"{group.initial}_SHELL"))
    if group.share is not None:
        return group.share * (1.0 - fluorescence)
    pairs = {tuple(sorted((first, second))) for first in group.first for second in group.second}
    macros = [getattr(xraylib, f"{group.initial}_{first}{second}_AUGER") for first, second in pairs]
    return sum(_known(xraylib.AugerRate, number, macro) for macro in macros) * (1.0 - fluorescence)


def _known(function: object, number: int, macro: int) -> float:
    """A value of xraylib, or 0 where its tables have none."""
    assert callable(function)
    try:
        return float(function(number, macro))
    except ValueError:
        return 0.0


@cache
def _listed_energies() -> dict[tuple[str, str], float]:
    rows = read_table("auger_groups.csv")
    return {(row["element"], row["group"]): float(row["kinetic_energy_eV"]) for row in rows}


def _symbol(number: int) -> str:
    return next(symbol for symbol, other in ATOMIC_NUMBERS.items() if other == number)


def _merged(levels: tuple[str, ...]) -> str:
    return levels[0][0] + "".join(level[1] for level in levels)
