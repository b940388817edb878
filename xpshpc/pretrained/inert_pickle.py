"""Pickled data read without running anything in it: a small machine for the opcodes that plain data need.

A pickle is a program; whoever wrote the file decides what it calls. Here names are looked up in a table of the caller's
own, and an opcode or a name that is not known ends the reading.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

Names = Mapping[str, Any]
"""By "module name" as the file says it: the function or value that stands in that name's place."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "BINFLOAT"}
_CONTAINERS: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class NotPlain(ValueError):
    """The stream is no pickle, or asks for more than plain data."""


class _Mark:
    """Where a list of items begins on the stack."""


_MARK = _Mark()


def read_inert(stream: BinaryIO, names: Names, persistent: Callable[[Any], Any]) -> Any:
    """The value of the pickle that begins at the stream's position; the stream is left behind it.

    `persistent` turns a persistent identifier into a value. An object's own state (BUILD) is dropped: nothing that a
    function returned is changed by the file. Raises NotPlain.
    """
    machine = _Machine(names, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.run(opcode.name, argument)
        return machine.stack[-1]
    except NotPlain:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise NotPlain(f"a torn or foreign pickle: {error}") from None


class _Machine:
    def __init__(self, names: Names, persistent: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self._memory: dict[int, Any] = {}
        self._names = names
        self._persistent = persistent

    def run(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _CONTAINERS:
            stack.append(_CONTAINERS[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memory[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memory[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _TUPLES:
            items = tuple(stack[-_TUPLES[name] :])
            del stack[-_TUPLES[name] :]
            stack.append(items)
        elif name == "TUPLE":
            stack.append(tuple(self._pop_items()))
        elif name == "GLOBAL":
            stack.append(self._named(argument))
        else:
            self._combine(name)

    def _combine(self, name: str) -> None:
        stack = self.stack
        if name == "REDUCE":
            arguments = stack.pop()
            called = stack.pop()
            if not callable(called) or not any(called is known for known in self._names.values()):
                raise NotPlain("it calls what is no function of the reader's")
            stack.append(called(*arguments))
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            items = self._pop_items()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._pop_items()
            stack[-1].extend(items)
        elif name == "BINPERSID":
            stack.append(self._persistent(stack.pop()))
        elif name == "BUILD":
            stack.pop()
        elif name not in ("PROTO", "STOP"):
            raise NotPlain(f"the opcode {name} is not one of plain data")

    def _named(self, name: str) -> Any:
        if name not in self._names:
            raise NotPlain(f"it asks for {name.replace(' ', '.')}")
        return self._names[name]

    def _pop_items(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]
