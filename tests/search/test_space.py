"""A space has the values that were asked for and no others, and every one of them is tried before anything starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.searched_job import searched_job
from xpshpc.config import Span
from xpshpc.errors import UsageError
from xpshpc.search.layout import lay_out_search
from xpshpc.search.space import Axis, Space


@st.composite
def spans(draw):
    integer, log = draw(st.booleans()), draw(st.booleans())
    low = draw(st.integers(1, 50)) if integer else draw(st.floats(1e-6, 50))
    width = draw(st.integers(1, 500)) if integer else draw(st.floats(0.01, 500))
    step = None if log else draw(st.none() | st.integers(1, 9)) if integer else draw(st.none() | st.floats(0.01, 9))
    return Span(low=low, high=low + width, log=log, integer=integer, step=None if log else step)


@given(spans(), st.integers(0, 2**32))
def test_what_is_drawn_from_a_span_is_in_it_and_of_its_kind(span, seed):
    axis = Axis("x", span)
    for value in [axis.draw(np.random.default_rng(seed)), *axis.probes()]:
        assert axis.holds(value) and span.low <= value <= span.high
        assert isinstance(value, int) == span.integer
    if axis.size is not None:
        last = axis.at(axis.size - 1)
        assert last > span.high - (span.step or 1.0) * (1 + 1e-6)
        assert all(axis.place(axis.at(place)) == place for place in (0, axis.size // 2, axis.size - 1))
        assert len(axis.weights()) == axis.size and (axis.weights() > 0).all()


def test_a_step_counts_both_ends_though_its_sums_do_not_come_out_even():
    axis = Axis("x", Span(low=0.1, high=0.7, step=0.1))
    assert [axis.at(place) for place in range(axis.size)] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert Axis("x", Span(low=16, high=50, step=16, integer=True)).size == 3


def test_a_logarithmic_span_is_drawn_evenly_in_the_logarithm():
    rng = np.random.default_rng(1)
    axis = Axis("x", Span(low=1e-4, high=1e-1, log=True))
    decades, _ = np.histogram(np.log10([axis.draw(rng) for _ in range(3000)]), bins=3, range=(-4, -1))
    assert (abs(decades - 1000) < 130).all()


def test_a_value_is_held_only_as_it_was_written():
    axis = Axis("x", (1, True, "adam", [1.0, 2.0]))
    assert all(axis.holds(value) for value in (1, True, "adam", [1.0, 2.0]))
    assert not any(axis.holds(value) for value in (1.0, False, "sgd", [1.0], None))
    assert [axis.place(value) for value in (1, True, "adam")] == [0, 1, 2]
    span = Axis("x", Span(low=0, high=10, step=2, integer=True))
    assert span.holds(4) and not any(span.holds(value) for value in (5, 12, True, "4"))


def test_a_space_is_counted_where_all_its_axes_are():
    counted = (Axis("a", (1, 2)), Axis("b", Span(low=1, high=3, integer=True)))
    assert Space(counted).size == 6
    assert Space((*counted, Axis("c", Span(low=0, high=1)))).size is None
    assert Space(counted).holds({"b": 3, "a": 1}) and not Space(counted).holds({"a": 1})


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"train.learning_rate": {"low": -0.1, "high": 0.1}}, "train.learning_rate = -0.1 cannot be taken"),
        ({"train.weight_decay": {"low": 0.0, "high": 2.0}}, "train.weight_decay = .* cannot be taken"),
        ({"train.global_batch": {"low": 16, "high": 64}}, "train.global_batch = .* cannot be taken"),
        ({"train.keep_checkpoints": {"low": 1, "high": 9, "integer": True}}, "two points are the same training"),
        ({"train.learning_rate": [1e-3, 2e-3, 1e-3]}, "two points are the same training"),
        ({"train.parameters.filtres": [4, 8]}, "filtres"),
    ],
)
@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_the_ends_and_the_inside_of_what_is_drawn_from_are_tried_first(tmp_path, parameters, strategy, says):
    job_file = searched_job(tmp_path, parameters, strategy=strategy, draws=2)
    with pytest.raises(UsageError, match=says):
        lay_out_search(job_file, job_file.job.search)


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ({"parameters": {"train.learning_rate": {"low": 1e-4, "high": 1e-2}}}, "is a span"),
        ({"parameters": {"train.epochs": {"low": 1.5, "high": 4, "integer": True}}, "draws": 2}, "whole numbers"),
        ({"strategy": "tpe", "parameters": {"train.epochs": [1]}}, "go together"),
        ({"strategy": "random", "draws": 2, "points": [{"name": "a", "parameters": {}}]}, "none are given"),
    ],
)
def test_a_section_that_means_nothing_is_refused(tmp_path, search, says):
    given_search = {"parameters": {}, **search}
    with pytest.raises(UsageError, match=says):
        searched_job(tmp_path, given_search.pop("parameters"), **given_search)


def test_the_examples_of_a_search_have_every_listed_value_and_both_ends_of_every_span(tmp_path):
    parameters = {
        "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "train.global_batch": [16, 48, 96],
    }
    for way in ("random", "tpe"):
        job_file = searched_job(tmp_path, parameters, strategy=way, draws=2)
        jobs = [trial.job_file.job.train for trial in lay_out_search(job_file, job_file.job.search).examples]
        assert {16, 48, 96} <= {job.global_batch for job in jobs}
        assert {1e-4, 1e-2} <= {job.learning_rate for job in jobs}
