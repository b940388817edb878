"""What a user calls a material: chemical formulas and SESSA's notation, read into atomic fractions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ATOMIC_NUMBERS, ELEMENT_INDEX

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
    """A homogeneous material as a user names it: atomic fractions (sum 1) of what XPS sees, and what was left out."""

    fractions: dict[str, float]
    remarks: tuple[str, ...] = ()


def parse_formula(text: str) -> dict[str, float]:
    """Atomic fractions of a formula by element, in the order of the periodic table; see `parse_material`."""
    return parse_material(text).fractions


def parse_material(text: str) -> NamedMaterial:
    """Reads a formula ("Cu2O", "Ca(OH)2", "CuSO4·5H2O", "Fe0.5Ni0.5") or SESSA's notation ("/C5/O/", "/Si[SiO2]/O2/").

    H and He are accepted and left out of the fractions, with a remark. Raises UsageError that marks the place of the
    fault and names the nearest element.
    """
    if not text.strip():
        raise UsageError("the sample is empty", where="sample", try_=_EXAMPLES)
    if len(text) > LONGEST:
        raise UsageError(f"a formula of {len(text)} characters", where="sample", try_=_EXAMPLES)
    amounts = _Formula(text).read()
    fractions = {symbol: amounts[symbol] for symbol in ELEMENT_INDEX if symbol in amounts}
    hidden = [symbol for symbol in INVISIBLE if symbol in amounts]
    if not fractions:
        raise UsageError(
            f"{text.strip()} holds nothing but {' and '.join(hidden)}, which XPS does not see",
            where="sample",
            try_=_EXAMPLES,
        )
    total = sum(fractions.values())
    remarks = (f"{' and '.join(hidden)} left out: XPS does not see {'it' if len(hidden) == 1 else 'them'}",)
    return NamedMaterial({symbol: amount / total for symbol, amount in fractions.items()}, remarks if hidden else ())


class _Formula:
    """Reads one formula from left to right. A text with slashes is in SESSA's notation, where case does not matter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = text.translate(_SUBSCRIPTS)
        self.sessa = "/" in text
        self.at = 0

    def read(self) -> dict[str, float]:
        """The amount of each element, not normalised."""
        total: dict[str, float] = {}
        while self.at < len(self.plain):
            factor = self._amount() if self.plain[self.at].isdigit() else 1.0
            _add(total, self._group(closing=""), factor)
            if self.at < len(self.plain):
                self.at += 1  # the dot before a formula's next part, as in CuSO4·5H2O
                if self.at == len(self.plain):
                    raise self._fault("nothing follows the dot", self.at - 1)
        return total

    def _group(self, closing: str) -> dict[str, float]:
        """Elements and groups up to `closing`, a dot, or the end."""
        amounts: dict[str, float] = {}
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

    def _add_group(self, amounts: dict[str, float], opening: str) -> None:
        start = self.at
        self.at += 1
        group = self._group(_CLOSING[opening])
        if self.at >= len(self.plain):
            raise self._fault(f"this {opening!r} is never closed", start)
        self.at += 1
        _add(amounts, group, self._amount())

    def _add_element(self, amounts: dict[str, float]) -> None:
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
        if self.sessa:
            self._skip_chemical_state()
        _add(amounts, {symbol: self._amount()}, 1.0)

    def _skip_chemical_state(self) -> None:
        """A tag in brackets names the chemical state, as in /Si[SiO2]/O2/, and changes no fraction."""
        if self.plain[self.at : self.at + 1] == "[":
            end = self.plain.find("]", self.at)
            if end < 0:
                raise self._fault("this '[' is never closed", self.at)
            self.at = end + 1

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
        marked = f"{what}\n    {self.text}\n    {' ' * at}{'^' * length}"
        return UsageError(marked, where=f"sample, character {at + 1}", try_=_EXAMPLES)


def _add(amounts: dict[str, float], part: Mapping[str, float], factor: float) -> None:
    for symbol, amount in part.items():
        amounts[symbol] = amounts.get(symbol, 0.0) + amount * factor


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
