"""The source `sessa` on the emulator: the samples, arrays and noise of the embedded source, spectra of another hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from xpshpc.source import AttendedSource
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.sessa.source import SessaSource
from xpshpc.spectra.settings import SpectraSettings

EMULATOR = str(Path(sys.executable).with_name("xpshpc-sessa"))
INDICES = np.array([3, 0, 4], dtype=np.int64)
SETTINGS = SpectraSettings.model_validate(
    {
        "samples": {"elements": ["Cu", "Al", "Si", "Ag"], "elements_per_sample": [1, 2]},
        "instrument": {"noise": False, "counts": "float32", "charging_shift_eV": [0.5, 1.5]},
    }
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessaSource]:
    scratch = str(tmp_path_factory.mktemp("scratch"))
    made = SessaSource(SETTINGS, {"executable": EMULATOR, "display": "none", "scratch": scratch}, 11)
    yield made
    made.close()


def test_the_schema_is_the_embedded_sources(source: SessaSource) -> None:
    embedded = EmbeddedSource(SETTINGS, 11)
    assert isinstance(source, AttendedSource) and not isinstance(embedded, AttendedSource)
    assert source.arrays() == embedded.arrays()
    assert source.attributes() == {**embedded.attributes(), "simulator": "SESSA 2.2"}


def test_samples_are_the_embedded_sources_and_spectra_agree(source: SessaSource) -> None:
    """Two simulators of the same physics, joined by nothing but SESSA's language and files, differ by less than 0.5 %
    of the highest channel. A line in the wrong place makes more."""
    embedded = EmbeddedSource(SETTINGS, 11)
    heard: list[str] = []
    source.attend(heard.append)
    ours, theirs = source.make(INDICES), embedded.make(INDICES)
    assert set(ours) == set(theirs)
    for name in set(ours) - {"spectrum"}:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert ours["spectrum"].dtype == theirs["spectrum"].dtype
    rms = np.sqrt(np.mean((ours["spectrum"] - theirs["spectrum"]) ** 2, axis=1)) / theirs["spectrum"].max(axis=1)
    assert rms.max() < 0.005
    assert {text.partition(",")[0] for text in heard} == {f"SESSA: sample {index}" for index in INDICES}


def test_a_sample_does_not_depend_on_the_ones_before_it(source: SessaSource) -> None:
    together, alone = source.make(INDICES), source.make(INDICES[1:2])
    np.testing.assert_array_equal(together["spectrum"][1], alone["spectrum"][0])
