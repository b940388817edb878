"""What a user calls a material: chemical formulas and SESSA's notation, read into atoms and their states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ATOMIC_NUMBERS, ELEMENT_INDEX
from xpshpc.spectra.matter.layers import STATE_OF_THE_ELEMENT, State, element_fractions

INVISIBLE = ("H", "He")
"""No core level: photoelectron spectra do not show them."""

LONGEST = 200
"""Characters of a formula."""

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_SYMBOL = re.compile(r"[A-Z][a-z]?")
_SESSA_SYMBOL = re.compile(r"[A-Za-z]{1,2}")
_CLOSING = {"(": ")", "[": "]"}
_EXAMPLES = "write it as Cu2O, Ca(OH)2, Fe0.5Ni0.5 or /C5/O/"


@dataclass(frozen=True)
class NamedMaterial:
    """A homogeneous material as a user names it: the atoms that XPS sees (fractions sum to 1), and what was left out.

    The states are in the order of the periodic table, an element's own in the order they were named in.
    """

    states: tuple[State, ...]
    remarks: tuple[str, ...] = ()

    @cached_property
    def fractions(self) -> dict[str, float]:
        """Atomic fractions by element, all its states together, in the order of the periodic table."""
        return element_fractions(self.states)


@dataclass(frozen=True)
class Passage:
    """A part of a text that a user wrote, so that a fault in it is shown where it stands in the whole.

    `owner` names what the whole text describes, `examples` what could be typed instead.
    """

    whole: str
    start: int
    end: int
    owner: str = "sample"
    examples: str = _EXAMPLES

    @property
    def text(self) -> str:
        return self.whole[self.start : self.end]

    def fault(self, what: str, at: int = 0, length: int = 1) -> UsageError:
        """The error that marks `length` characters from character `at` of this passage."""
        place = self.start + at
        marked = f"{what}\n    {self.whole}\n    {' ' * place}{'^' * length}"
        return UsageError(marked, where=f"{self.owner}, character {place + 1}", try_=self.examples)


def parse_formula(text: str) -> dict[str, float]:
    """Atomic fractions of a formula by element, in the order of the periodic table; see `parse_material`."""
    return parse_material(text).fractions


def parse_material(text: str) -> NamedMaterial:
    """Reads a formula ("Cu2O", "Ca(OH)2", "CuSO4·5H2O", "Fe0.5Ni0.5") or SESSA's notation ("/C5/O/", "/Si[SiO2]/O2/").

    In SESSA's notation, where case does not matter, a tag in brackets names a chemical state: atoms of one element with
    different tags are different states. H and He are accepted and left out, with a remark. Raises UsageError that marks
    the place of the fault and names the nearest element.
    """
    return read_material(Passage(text, 0, len(text)))


def read_material(passage: Passage) -> NamedMaterial:
    """The same for a formula inside a longer text."""
    text = passage.text
    if not text.strip():
        raise UsageError("the sample is empty", where=passage.owner, try_=passage.examples)
    if len(text) > LONGEST:
        raise UsageError(f"a formula of {len(text)} characters", where=passage.owner, try_=passage.examples)
    amounts = _Formula(passage).read()
    hidden = [symbol for symbol in INVISIBLE if any(element == symbol for element, _ in amounts)]
    seen = [atom for symbol in ELEMENT_INDEX for atom in amounts if atom[0] == symbol]
    if not seen:
        raise UsageError(
            f"{text.strip()} holds nothing but {' and '.join(hidden)}, which XPS does not see",
            where=passage.owner,
            try_=passage.examples,
        )
    total = sum(amounts[atom] for atom in seen)
    remarks = (f"{' and '.join(hidden)} left out: XPS does not see {'it' if len(hidden) == 1 else 'them'}",)
    states = tuple(State(element, amounts[element, tag] / total, tag) for element, tag in seen)
    return NamedMaterial(states, remarks if hidden else ())


_Amounts = dict[tuple[str, str], float]
"""Amounts of the atoms by element and tag."""


class _Formula:
    """Reads one formula from left to right. A text with slashes is in SESSA's notation, where case does not matter."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.plain = passage.text.translate(_SUBSCRIPTS)
        self.sessa = "/" in self.plain
        self.at = 0
        self._spelt: dict[str, str] = {}

    def read(self) -> _Amounts:
        """The amount of each element in each state, not normalised."""
        total: _Amounts = {}
        while self.at < len(self.plain):
            factor = self._amount() if self.plain[self.at].isdigit() else 1.0
            _add(total, self._group(closing=""), factor)
            if self.at < len(self.plain):
                self.at += 1  # the dot before a formula's next part, as in CuSO4·5H2O
                if self.at == len(self.plain):
                    raise self._fault("nothing follows the dot", self.at - 1)
        return total

    def _group(self, closing: str) -> _Amounts:
        """Elements and groups up to `closing`, a dot, or the end."""
        amounts: _Amounts = {}
        began = self.at
        while self.at < len(self.plain):
            character = self.plain[self.at]
            if character.isspace() or (self.sessa and character == "/"):
                self.at += 1
            elif character in (closing or "·*"):
                break
            elif character in _CLOSING:
                self._add_group(amounts, character)
            elif character.isalpha() and character.isascii():
                self._add_element(amounts)
            else:
                raise self._unexpected(character)
        if not amounts:
            raise self._fault("an element is missing here", min(began, len(self.plain) - 1))
        return amounts

    def _add_group(self, amounts: _Amounts, opening: str) -> None:
        start = self.at
        self.at += 1
        group = self._group(_CLOSING[opening])
        if self.at >= len(self.plain):
            raise self._fault(f"this {opening!r} is never closed", start)
        self.at += 1
        _add(amounts, group, self._amount())

    def _add_element(self, amounts: _Amounts) -> None:
        found = (_SESSA_SYMBOL if self.sessa else _SYMBOL).match(self.plain, self.at)
        if found is None:
            hint = _meant(self.plain[self.at : self.at + 2].capitalize())
            raise self._fault(f"elements begin with a capital letter{hint}", self.at)
        symbol = found.group().capitalize() if self.sessa else found.group()
        if symbol not in ATOMIC_NUMBERS:
            raise self._fault(f"unknown element {found.group()!r}{_meant(symbol)}", self.at, len(symbol))
        if symbol not in ELEMENT_INDEX and symbol not in INVISIBLE:
            raise self._fault(f"{symbol} is not among the elements Li–Bi without Pm", self.at, len(symbol))
        self.at = found.end()
        tag = self._tag() if self.sessa else STATE_OF_THE_ELEMENT
        _add(amounts, {(symbol, tag): self._amount()}, 1.0)

    def _tag(self) -> str:
        """The name of the chemical state that may follow an element, spelt as where it first stood."""
        if self.plain[self.at : self.at + 1] != "[":
            return STATE_OF_THE_ELEMENT
        end = self.plain.find("]", self.at)
        if end < 0:
            raise self._fault("this '[' is never closed", self.at)
        tag = self.plain[self.at + 1 : end].strip()
        self.at = end + 1
        return self._spelt.setdefault(tag.casefold(), tag)

    def _amount(self) -> float:
        found = _AMOUNT.match(self.plain, self.at)
        if found is None:
            return 1.0
        if float(found.group()) == 0:
            raise self._fault("an amount of zero", self.at, len(found.group()))
        self.at = found.end()
        return float(found.group())

    def _unexpected(self, character: str) -> UsageError:
        if character in "-−":
            return self._fault("amounts cannot be negative", self.at)
        if character in "|;Å":
            return self._fault("one homogeneous material is expected here, without layers", self.at)
        if character in ")]":
            return self._fault(f"this {character!r} was never opened", self.at)
        if character == ",":
            return self._fault("decimals are marked by a point, and nothing stands between elements", self.at)
        if character.isdigit() or character == ".":
            return self._fault("an amount without an element before it", self.at)
        return self._fault(f"{character!r} does not belong in a formula", self.at)

    def _fault(self, what: str, at: int, length: int = 1) -> UsageError:
        return self.passage.fault(what, at, length)


def _add(amounts: _Amounts, part: _Amounts, factor: float) -> None:
    for atom, amount in part.items():
        amounts[atom] = amounts.get(atom, 0.0) + amount * factor


def _meant(symbol: str) -> str:
    """A question after the element that is spelt most like this: same letters first, then one letter apart."""

    def likeness(known: str) -> tuple[int, int]:
        return (
            2 * (known[0] == symbol[0]) + (known[1:2] == symbol[1:2]) + (known[-1] == symbol[-1]),
            -ATOMIC_NUMBERS[known],
        )

    found = _SYMBOL.match(symbol)
    candidates = [known for known in (*INVISIBLE, *ELEMENT_INDEX) if found and known[0] == symbol[0]]
    if not candidates:
        return ""
    return f" (did you mean {max(candidates, key=likeness)!r}?)"
