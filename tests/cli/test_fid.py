"""`xpshpc fid` tells the distance and what it is worth, keeps its JSON contract, and refuses with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xpshpc.cli.app import run_app
from xpshpc.errors import ExitCode

ALWAYS = {"fid", "n_a", "n_b", "extractor", "method", "ranks", "split_half_baseline", "bootstrap", "kid"}


@pytest.fixture
def sets(tmp_path: Path) -> tuple[str, str]:
    random = np.random.default_rng(0)
    paths = tmp_path / "a.npz", tmp_path / "b.npz"
    for shift, path in enumerate(paths):
        np.savez(path, features=random.normal(shift, 1, size=(40, 6)))
    return str(paths[0]), str(paths[1])


def test_the_answer_is_one_json_value(sets: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["fid", *sets, "--kid", "--bootstrap", "10", "--json"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert told.keys() >= ALWAYS
    assert (told["n_a"], told["n_b"], told["extractor"], told["ranks"]) == (40, 40, "as given", 1)
    assert told["bootstrap"]["resamples"] == 10
    assert told["bootstrap"]["low"] <= told["fid"] <= told["bootstrap"]["high"]
    assert told["kid"]["subsets"] > 0


def test_people_read_the_value_with_what_it_is_worth(sets: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["fid", *sets, "--kid", "--bootstrap", "10", "--json"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert run_app(["fid", *sets, "--kid", "--bootstrap", "10"]) == ExitCode.DONE
    page = capsys.readouterr().out
    assert f"{told['fid']:.6g}" in page
    for words in ("40 and 40", "split-half of A", "bootstrap", "KID", "as given, 6 features", "cholesky, 1 rank(s)"):
        assert words in page
    assert run_app(["fid", *sets, "--bootstrap", "0"]) == ExitCode.DONE
    bare = capsys.readouterr().out
    assert "KID" not in bare and "bootstrap" not in bare


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--extractor", "efficientnet-lite0"], "--extractor needs images"),
        (["--inception-score"], "needs images"),
        (["--resize", "bicubic"], "antialiased"),
        (["--bootstrap", "-1"], "--bootstrap"),
        (["--ranks", "0"], "--ranks"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    more: list[str], words: str, sets: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["fid", *sets, *more, "--json"]) == ExitCode.USAGE
    assert words in json.loads(capsys.readouterr().out)["error"]


def test_images_beside_features_are_refused(
    sets: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images.npz"
    np.savez(images, images=np.zeros((3, 4, 4), np.uint8))
    assert run_app(["fid", sets[0], str(images), "--json"]) == ExitCode.USAGE
    assert "different extractors" in json.loads(capsys.readouterr().out)["error"]
