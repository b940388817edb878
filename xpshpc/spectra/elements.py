"""The elements that a network names, in the order of every composition array."""

from __future__ import annotations

from types import MappingProxyType

_PERIODS = """
H He
Li Be B C N O F Ne
Na Mg Al Si P S Cl Ar
K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe
Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
Fr Ra Ac Th Pa U Np Pu Am Cm
"""

ATOMIC_NUMBERS = MappingProxyType({symbol: number for number, symbol in enumerate(_PERIODS.split(), start=1)})
"""Atomic number by symbol, H to Cm."""

ELEMENTS = tuple(symbol for symbol, number in ATOMIC_NUMBERS.items() if 3 <= number <= 83 and symbol != "Pm")
"""The 80 elements Li–Bi without Pm: H and He have no line in XPS, and Pm has no stable isotope."""

ELEMENT_INDEX = MappingProxyType({symbol: index for index, symbol in enumerate(ELEMENTS)})
"""Place of an element in a composition array."""
