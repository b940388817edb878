"""The demo of wafer maps, shortened: patterns drawn, stored, told apart, reported, with nothing but this program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_errors import xpshpc

JOB = Path(__file__).parents[2] / "jobs/wafers-demo.toml"
SHORT = (
    "generate.samples=768",
    "generate.shard_samples=64",
    "generate.inner_chunk_samples=64",
    "wafers.size=24",
    "train.epochs=1",
    "train.global_batch=16",
)

pytestmark = [pytest.mark.demo, pytest.mark.ranks]


def test_the_demo_learns_the_patterns_and_reports(tmp_path: Path) -> None:
    settings = [part for setting in SHORT for part in ("--set", setting)]
    told = xpshpc("run", JOB, *settings, "--workers", "1", "--ranks", "1", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert answer["planned"] == answer["committed"] == 768 and answer["analyze"] is None
    scores = answer["evaluate"]
    assert len(scores["classes"]) == len(scores["confusion"]) == 9
    assert scores["accuracy"] > 0.3, "nine patterns, equally often: chance gives 0.11"
    page = (tmp_path / "runs/wafers-demo/report.html").read_text()
    assert "What is taken for what" in page and "spectra" not in page.lower()
