"""Reads a line of SESSA's language: menus, abbreviations, keywords in any order, letters of either case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from xpshpc.spectra.sessa.grammar import COMMENT, FORMS, ROOT, Form, Kind, Value

_TOKEN = re.compile(r'"[^"]*"|[^\s"]+|"')


class NotUnderstood(Exception):
    """A line that is no command; the message says why."""


@dataclass(frozen=True)
class Command:
    """One command as given. `words` is the form's, whole; `keywords` are those given, by their whole names."""

    words: str
    value: Value | None = None
    keywords: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Menu:
    """A line that holds only a menu's name: what follows is looked up there first. The root is the empty one."""

    words: tuple[str, ...] = ()


def understand(line: str, menu: Menu) -> Command | Menu | None:
    """The command of a line, the menu it leads to, or None for an empty line or a comment.

    A line that begins with a backslash starts from the root; another is looked up in `menu`, then in the root. Words
    may be shortened as long as one command remains. Raises NotUnderstood.
    """
    text = line.strip()
    if not text or text.startswith(COMMENT):
        return None
    absolute = text.startswith(ROOT)
    tokens = _TOKEN.findall(text.removeprefix(ROOT))
    if not tokens:
        return Menu()
    starts = [()] if absolute or not menu.words else [menu.words, ()]
    for start in starts:
        found = _look_up([*start, *tokens])
        if found is not None:
            return found
    raise NotUnderstood(f"unknown command {text!r}")


def _look_up(tokens: list[str]) -> Command | Menu | None:
    matching = [form for form in FORMS if _leads(form.words.split(), tokens)]
    if matching:
        longest = max(len(form.words.split()) for form in matching)
        closest = [form for form in matching if len(form.words.split()) == longest]
        exact = [form for form in closest if all(map(_is, form.words.split(), tokens))]
        chosen = exact or closest
        if len(chosen) > 1:
            raise NotUnderstood(f"{' '.join(tokens)!r} may mean {' or '.join(form.words for form in chosen)}")
        return _read(chosen[0], tokens[longest:])
    menus = {tuple(form.words.split()[: len(tokens)]) for form in FORMS if len(form.words.split()) > len(tokens)}
    inside = [words for words in menus if _leads(list(words), tokens)]
    return Menu(inside[0]) if len(inside) == 1 else None


def _is(word: str, token: str) -> bool:
    return word == token.upper()


def _leads(words: list[str], tokens: list[str]) -> bool:
    return len(words) <= len(tokens) and all(
        word.startswith(token.upper()) for word, token in zip(words, tokens, strict=False)
    )


def _read(form: Form, tokens: list[str]) -> Command:
    value: Value | None = None
    rest = list(tokens)
    if form.value is not None:
        if not rest:
            raise NotUnderstood(f"{form.words} wants a {form.value.value}")
        value = _value(form.value, rest.pop(0), form.words)
    keywords: dict[str, Value] = {}
    while rest:
        token = rest.pop(0)
        names = [name for name in form.keywords if name.startswith(token.upper())]
        if len(names) != 1:
            known = ", ".join(form.keywords) or "none"
            raise NotUnderstood(f"{form.words} has no keyword {token!r} (known: {known})")
        if not rest:
            raise NotUnderstood(f"{names[0]} of {form.words} wants a {form.keywords[names[0]].value}")
        keywords[names[0]] = _value(form.keywords[names[0]], rest.pop(0), form.words)
    return Command(form.words, value, keywords)


def _value(kind: Kind, token: str, words: str) -> Value:
    bare = token[1:-1] if len(token) > 1 and token.startswith('"') and token.endswith('"') else token
    try:
        match kind:
            case Kind.NUMBER:
                return _finite(bare)
            case Kind.COUNT:
                return int(bare)
            case Kind.FLAG:
                return {"TRUE": True, "FALSE": False}[bare.upper()]
            case Kind.RANGE:
                low, high = (_finite(part) for part in bare.split(":"))
                return (low, high)
            case _:
                return bare
    except (ValueError, KeyError):
        raise NotUnderstood(f"{token!r} is no {kind.value}, which {words} wants") from None


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError(text)
    return number
