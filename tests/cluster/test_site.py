from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from xpshpc.cluster.site import Recognise, Site, megabytes, seconds


@given(st.integers(0, 30), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_time_limit_is_read_as_slurm_reads_it(days: int, hours: int, minutes: int, rest: int) -> None:
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    assert seconds(f"{days}-{hours:02d}:{minutes:02d}:{rest:02d}") == whole
    assert seconds(f"{days}-{hours}:{minutes}") == whole - rest
    assert seconds(f"{days}-{hours}") == whole - rest - 60 * minutes
    assert seconds(f"{hours}:{minutes:02d}:{rest:02d}") == whole - 86400 * days
    assert seconds(f"{minutes}:{rest:02d}") == 60 * minutes + rest


@pytest.mark.parametrize("text", ["", "30", "1h", "1:2:3:4", "-1:00", "1-", "UNLIMITED", "00:30:00\n"])
def test_what_is_no_time_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time limit"):
        seconds(text)


def test_memory_counts_in_powers_of_two() -> None:
    assert [megabytes(text) for text in ("512M", "2G", "1T")] == [512, 2048, 1048576]
    for text in ("2", "2g", "G", "1.5G"):
        with pytest.raises(ValueError, match="no amount of memory"):
            megabytes(text)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"partition": "gpu; rm -rf /"}, "partition"),
        ({"account": "$(id)"}, "account"),
        ({"modules": ["gcc && true"]}, "modules"),
        ({"environment": ["export A=1\nexit"]}, "one shell line an entry"),
        ({"options": ["exclusive"]}, "options"),
        ({"options": ["--time=1:00:00"]}, "--time is decided by: time of a stage"),
        ({"options": ["--gres=gpu:1"]}, "gpus_per_node"),
        ({"train": {"time": "00:00:00"}}, "no time at all"),
        ({"train": {"time": "soon"}}, "no time limit"),
        ({"generate": {"coordinator_time": "0:00"}}, "no time at all"),
        ({"train": {"memory_per_rank": "4GB"}}, "memory_per_rank"),
        ({"train": {"nodes": 0}}, "nodes"),
        ({"train": {"time": "00:05:00"}}, "leaves no time before limits.stop_before_s = 300"),
        ({"recognise": {"variable": "not a name"}}, "variable"),
        ({"python": "a\nb"}, "python"),
    ],
)
def test_what_a_script_could_not_hold_or_slurm_would_misread_is_refused(tables: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Site.model_validate(tables)
    assert words in str(caught.value)


def test_evaluation_and_search_are_placed_as_training_unless_they_say_otherwise() -> None:
    site = Site.model_validate({"train": {"nodes": 3}, "search": {"nodes": 5}})
    assert [site.ranks(stage).nodes for stage in ("train", "evaluate", "search")] == [3, 3, 5]
    assert site.place("evaluate") == site.train
    assert site.place("report").time == "00:30:00"


def test_one_sign_is_enough_and_none_is_no_sign() -> None:
    both = Recognise(variable="CLUSTER", host="login*")
    assert both.fits({"CLUSTER": "x"}, "laptop")
    assert both.fits({}, "LOGIN7.site")
    assert not both.fits({"CLUSTER": ""}, "laptop")
    assert not Recognise().fits({"CLUSTER": "x"}, "login1")
    assert Recognise(variable="A=b=c").fits({"A": "b=c"}, "h")
