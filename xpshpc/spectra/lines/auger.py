"""Auger groups: where they stand and how much of the vacancies' decay they carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from xpshpc.spectra.elements import ATOMIC_NUMBERS
from xpshpc.spectra.lines.auger_terms import components
from xpshpc.spectra.tables import read_table


@dataclass(frozen=True)
class AugerGroup:
    """Transitions of one kind: a vacancy in `initial`, two in the levels `first` and `second`.

    `numbers` are the atomic numbers for which the group is drawn, `fwhm_eV` the width of a group whose terms are not
    listed. `share` of the vacancies that do not fluoresce decay this way; None where the rates are tabulated.
    """

    initial: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    numbers: range
    fwhm_eV: float
    share: float | None = None

    @property
    def name(self) -> str:
        return self.initial + _merged(self.first) + _merged(self.second)


@dataclass(frozen=True)
class AugerLine:
    """A component of an element's Auger group: kinetic energy (eV), width (eV), the cross-section (barn) it carries.

    `group` is the group's name, with that of the term behind it unless it is the one the group's energy refers to.
    """

    group: str
    kinetic_energy_eV: float
    cross_section_barn: float
    fwhm_eV: float


_DOUBLET_PARTNER = {"L2": "L3", "M4": "M5"}
_SOLID_L2_TO_L3 = 0.6
_L2_L3_M45_OPEN = range(22, 31)
"""In solids screening opens the transition L2L3M45 from Ti to Zn, which free-atom tables leave closed, and L2VV is weak
(Antonides, Janse, Sawatzky, Phys. Rev. B 15, 1669, 1977, 10.1103/PhysRevB.15.1669); the figure is a round one."""

_HEAVIEST_TABULATED = 92
_M4 = 4
_L23, _M23, _M45 = ("L2", "L3"), ("M2", "M3"), ("M4", "M5")
_N23, _N45, _N67 = ("N2", "N3"), ("N4", "N5"), ("N6", "N7")
_OUTER_MNN_SHARE = 0.8
_INNER_MNN_SHARE = 0.15

GROUPS = (
    AugerGroup("K", _L23, _L23, range(6, 13), 4.0, share=0.704),
    AugerGroup("K", ("L1",), _L23, range(6, 13), 6.0, share=0.235),
    AugerGroup("K", ("L1",), ("L1",), range(6, 13), 6.0, share=0.061),
    *(
        group
        for initial in ("L3", "L2")
        for group in (
            AugerGroup(initial, _M45, _M45, range(23, 36), 3.5),
            AugerGroup(initial, _M23, _M45, range(21, 36), 8.0),
            AugerGroup(initial, _M23, _M23, range(19, 36), 12.0),
            AugerGroup(initial, ("M1",), _M23, range(21, 36), 12.0),
        )
    ),
    *(
        group
        for initial in ("M5", "M4")
        for group in (
            AugerGroup(initial, _N45, _N45, range(44, 70), 4.0, share=_OUTER_MNN_SHARE),
            AugerGroup(initial, _N45, _N67, range(58, 70), 8.0, share=_OUTER_MNN_SHARE),
            AugerGroup(initial, _N67, _N67, range(58, 70), 8.0, share=_OUTER_MNN_SHARE),
            AugerGroup(initial, _N23, _N45, range(50, 70), 15.0, share=_INNER_MNN_SHARE),
        )
    ),
)
"""Groups between 250 and 1486 eV.

Widths, where data/auger_terms.csv has no terms: what the multiplets and bands of a group spread over in measured
surveys, to a factor of 1.5 or so. Shares of KLL as measured in neon (Körber and Mehlhorn, Z. Phys. 191, 217, 1966). No
tabulated rates exist for MNN; four fifths is a round figure for what 4d and 4f electrons do in the decay of 3d
vacancies, shared between their pairs in proportion to the pairs' number, and 0.15 for M45N23N45.
"""


def auger_lines(
    symbol: str, vacancies: Mapping[str, float], levels: Mapping[str, Mapping[str, float]]
) -> list[AugerLine]:
    """The Auger lines of an element.

    `vacancies`: photoionisation cross-section (barn) by subshell; `levels`: binding energies (eV) by element and
    subshell. Intensity is vacancies (after Coster–Kronig transfer) × Auger yield × branching, from xraylib; emission is
    isotropic. Vacancies that other Auger transitions leave behind are not followed. A group is divided between its
    terms; what Coster–Kronig transitions have fed has a spectator hole and stands apart, where that is listed.
    """
    number = ATOMIC_NUMBERS[symbol]
    fed = after_coster_kronig(number, vacancies)
    lines: list[AugerLine] = []
    for group in GROUPS:
        if number not in group.numbers or fed.get(group.initial, 0.0) <= 0.0:
            continue
        rate = branching(number, group)
        energy = kinetic_energy(symbol, group, levels)
        if rate <= 0.0 or energy is None:
            continue
        moved_in = after_coster_kronig(number, {**vacancies, group.initial: 0.0})[group.initial]
        for term in components(_listed_name(group), number, moved_in / fed[group.initial], group.fwhm_eV):
            name = f"{group.name} {term.name}".strip()
            sigma = fed[group.initial] * rate * term.share
            lines.append(AugerLine(name, energy + term.offset_eV, sigma, term.fwhm_eV))
    return lines


def kinetic_energy(symbol: str, group: AugerGroup, levels: Mapping[str, Mapping[str, float]]) -> float | None:
    """Kinetic energy (eV) of a group, None where a level of it is not known.

    From data/auger_groups.csv, there for the other half of the doublet too; else by the Z+1 rule, shifted by the mean
    residual of the elements that are listed.
    """
    listed = _listed_energies()
    if (symbol, group.name) in listed:
        return listed[symbol, group.name]
    own = levels[symbol]
    partner = _DOUBLET_PARTNER.get(group.initial)
    main = replace(group, initial=partner or group.initial)
    if partner and (symbol, main.name) in listed:
        return listed[symbol, main.name] + own[group.initial] - own[partner]
    estimate = z_plus_one_energy(symbol, group, levels)
    if estimate is None:
        return None
    residuals = [
        energy - rule
        for (element, name), energy in listed.items()
        if name == main.name and (rule := z_plus_one_energy(element, main, levels)) is not None
    ]
    return estimate + (sum(residuals) / len(residuals) if residuals else 0.0)


def _listed_name(group: AugerGroup) -> str:
    """The name under which the tables have the group of both halves of a doublet."""
    return replace(group, initial=_DOUBLET_PARTNER.get(group.initial, group.initial)).name


def z_plus_one_energy(symbol: str, group: AugerGroup, levels: Mapping[str, Mapping[str, float]]) -> float | None:
    """E = B_i(Z) − ½[B_j(Z)+B_j(Z+1)] − ½[B_k(Z)+B_k(Z+1)] in eV, None where a level is not known.

    Source: Chung and Jenkins, Surf. Sci. 22, 479 (1970), 10.1016/0039-6028(70)90099-3. The level of larger j stands for
    both halves of j and k.
    """
    own, heavier = levels[symbol], levels[_symbol(ATOMIC_NUMBERS[symbol] + 1)]
    outer = (group.first[-1], group.second[-1])
    if group.initial not in own or any(shell not in own or shell not in heavier for shell in outer):
        return None
    return own[group.initial] - sum(0.5 * (own[shell] + heavier[shell]) for shell in outer)


def after_coster_kronig(number: int, vacancies: Mapping[str, float]) -> dict[str, float]:
    """Vacancies by subshell after Coster–Kronig transitions have moved some outwards within L and M; none is lost.

    Probabilities from xraylib. Its M tables begin at heavy elements: a lighter one takes those of M1 to M3 from the
    lightest that has a value, since M3M45N and the like are open in all of them; M4M5N is not, and stays closed.
    """
    fed = dict(vacancies)
    for shell, subshells in (("L", 3), ("M", 5)):
        for inner in range(1, subshells):
            source = f"{shell}{inner}"
            targets = [outer for outer in range(inner + 1, subshells + 1) if f"{shell}{outer}" in fed]
            if source not in fed or not targets:
                continue
            moved = [_coster_kronig(number, shell, inner, outer) for outer in targets]
            excess = max(sum(moved), 1.0)
            for outer, probability in zip(targets, moved, strict=True):
                fed[f"{shell}{outer}"] += fed[source] * probability / excess
            fed[source] *= 1.0 - sum(moved) / excess
    return fed


def branching(number: int, group: AugerGroup) -> float:
    """Auger electrons of the group for each vacancy in its initial subshell that does not move by Coster–Kronig."""
    import xraylib

    fluorescence = _known(xraylib.FluorYield, number, getattr(xraylib, f"{group.initial}_SHELL"))
    if group.share is not None:
        return group.share * _pair_share(number, group) * (1.0 - fluorescence)
    pairs = {tuple(sorted((first, second))) for first in group.first for second in group.second}
    macros = [getattr(xraylib, f"{group.initial}_{first}{second}_AUGER") for first, second in pairs]
    return sum(_known(xraylib.AugerRate, number, macro) for macro in macros) * (1.0 - fluorescence)


def _coster_kronig(number: int, shell: str, inner: int, outer: int) -> float:
    """The probability that a vacancy moves outwards within its shell."""
    import xraylib

    if (shell, inner, outer) == ("L", 2, 3) and number in _L2_L3_M45_OPEN:
        return _SOLID_L2_TO_L3
    macro = getattr(xraylib, f"F{shell}{inner}{outer}_TRANS")
    heaviest = _HEAVIEST_TABULATED if shell == "M" and inner < _M4 else number
    values = (_known(xraylib.CosKronTransProb, other, macro) for other in range(number, heaviest + 1))
    return next((value for value in values if value > 0.0), 0.0)


def _pair_share(number: int, group: AugerGroup) -> float:
    """The share of an outer MNN group among the pairs of 4d and 4f electrons; 1 for any other group."""
    import xraylib

    orbitals = (group.first, group.second)
    if any(orbital not in (_N45, _N67) for orbital in orbitals):
        return 1.0
    electrons: dict[tuple[str, ...], float] = {
        orbital: sum(_known(xraylib.ElectronConfig, number, getattr(xraylib, f"{shell}_SHELL")) for shell in orbital)
        for orbital in (_N45, _N67)
    }
    total = sum(electrons.values())
    own = electrons[group.first] * (electrons[group.second] - (group.first == group.second))
    counted_once = 1.0 if group.first == group.second else 2.0
    return counted_once * own / (total * (total - 1.0))


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
