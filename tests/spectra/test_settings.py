"""The [spectra] section: what contradicts itself is refused, and the message says how to go on."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from xpshpc.spectra.settings import SpectraSettings


def samples(**keys):
    return SpectraSettings.model_validate({"samples": keys}).samples


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"recipe": "compounds", "compounds": ["quarz"]}, "did you mean 'quartz'"),
        ({"recipe": "compounds", "compounds": ["aloy"]}, "did you mean 'alloy'"),
        ({"compounds": ["oxide"]}, 'compounds is for recipe = "compounds"'),
        ({"recipe": "pure_sums", "compounds_per_sample": [1, 2]}, "compounds_per_sample is for"),
        ({"recipe": "compounds", "elements_per_sample": [1, 3]}, "the compounds decide"),
        ({"recipe": "compounds", "elements": ["Ar"]}, "none of the chosen compounds"),
        ({"recipe": "compounds", "compounds": ["quartz"], "compounds_per_sample": [1, 2]}, "between 1 and 1"),
        ({"recipe": "compounds", "compounds_per_sample": [3, 2]}, "must rise"),
        ({"recipe": "pure_sums", "elements_per_sample": [2, 6], "elements": ["C", "O", "Cu"]}, "between 1 and 3"),
        ({"elements_per_sample": [0, 2]}, "must rise and lie between 1 and 80"),
        ({"elements": ["Cu", "Cu"]}, "listed twice"),
        ({"elements": ["Cu", "Pm"]}, "unknown element 'Pm'"),
        ({"undetectable": "drop"}, "down_weight"),
        ({"compound": ["oxide"]}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(keys, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        samples(**keys)


def test_few_elements_leave_compounds_enough():
    """The default number of elements in a mixture does not matter to compounds."""
    assert samples(recipe="compounds", elements=["Cu", "O"]).places == 2


@pytest.mark.parametrize(
    ("keys", "places"),
    [
        ({}, 5),
        ({"recipe": "pure_sums", "elements_per_sample": [2, 4]}, 4),
        ({"recipe": "compounds", "compounds": ["quartz", "PTFE"]}, 2),
        ({"recipe": "compounds", "compounds": ["quartz", "calcite"], "compounds_per_sample": [1, 2]}, 6),
        ({"recipe": "compounds", "elements": ["Cu", "O", "Zn"], "compounds_per_sample": [3, 3]}, 3),
    ],
)
def test_places_hold_the_richest_sample(keys, places):
    assert samples(**keys).places == places


@pytest.mark.parametrize("keys", [{}, {"recipe": "compounds", "compounds": ["alloy"]}, {"recipe": "pure_sums"}])
def test_settings_written_out_are_read_again(keys):
    """A run's folder keeps its job with all defaults filled in."""
    settings = SpectraSettings.model_validate({"samples": keys})
    assert SpectraSettings.model_validate(settings.model_dump(mode="json", exclude_none=True)) == settings


def test_what_decides_the_bytes_is_told():
    decisive = SpectraSettings().decisive()
    assert set(decisive) == {"samples", "instrument", "physics"}
    assert decisive["samples"]["recipe"] == "mixtures"
