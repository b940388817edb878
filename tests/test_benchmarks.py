"""The benchmarks run: what they print depends on the machine and is judged by people."""

from __future__ import annotations

import importlib
import math

import pytest

from benchmarks.__main__ import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_started(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").run)


@pytest.mark.programs
def test_the_simulators_steps_are_all_of_its_time() -> None:
    rows = importlib.import_module("benchmarks.simulator").run(0.05)
    value = {row.name: row.value for row in rows}
    assert all(math.isfinite(number) and number > 0 for number in value.values())
    steps = sum(row.value for row in rows if row.unit == "µs")
    rate = next(number for name, number in value.items() if name.startswith("spectra a second, one core"))
    assert steps == pytest.approx(1e6 / rate, rel=0.02)


@pytest.mark.programs
def test_a_first_batch_can_be_had_from_linked_shards() -> None:
    rows = importlib.import_module("benchmarks.first_batch").run(0.001)
    assert all(math.isfinite(row.value) and row.value > 0 for row in rows)
    seconds = [row.value for row in rows if row.unit == "s"]
    assert len(seconds) == 2 * 3
