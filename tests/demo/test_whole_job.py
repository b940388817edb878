"""A whole small job by its own commands: every stage answers, a second call does no work, the report opens offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_errors import xpshpc

JOB = """
name = "whole"
seed = 11

[generate]
samples = 3072
shard_samples = 256
inner_chunk_samples = 128

[spectra.samples]
elements = ["C", "O", "Si", "Fe", "Cu", "Ag", "Au"]
elements_per_sample = [1, 2]

[spectra.measured]
surveys = ["absent/*.csv"]
unknown = "Cu"

[train]
epochs = 6
global_batch = 64
ranks = 2
"""

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "job.toml").write_text(JOB)
    return folder


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict:
    told = xpshpc("run", "job.toml", "--json", folder=folder)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def command(folder: Path, *arguments: str) -> dict:
    told = xpshpc(*arguments, "--json", folder=folder)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def test_the_answer_has_every_stage(answer):
    assert answer["run"] == answer["train"]["run"] == answer["evaluate"]["run"] == "runs/whole"
    assert answer["planned"] == answer["committed"] == 3072 and answer["quarantined"] == 0
    assert answer["train"]["ranks"] == 2 and answer["train"]["epochs"] == 6
    assert Path(answer["train"]["model"]).name == "model.keras"
    assert {"accuracy", "rmse", "thickness_mae_A", "elements", "frechet"} <= set(answer["evaluate"])


def test_the_network_learned_more_than_the_mean_composition(answer):
    """Two of seven elements a sample: answering with the mean would score about 0.25."""
    assert answer["evaluate"]["accuracy"] > 0.5
    assert answer["evaluate"]["thickness_mae_A"] < 9.0, "answering with the middle would miss by 10 Å"
    assert abs(answer["evaluate"]["accuracy"] - answer["train"]["validation"]["accuracy"]) < 0.1


def test_the_unknown_was_read(answer):
    (spectrum,) = answer["analyze"]["spectra"]
    composition = spectrum["composition_at_percent"]
    assert max(composition, key=composition.get) == "Cu"
    assert sum(composition.values()) == pytest.approx(100.0, abs=0.5)


def test_a_second_call_does_no_work(folder, answer):
    again = command(folder, "run", "job.toml")
    assert again["made"] == 0 and again["train"]["reused"] and again["evaluate"]["reused"]
    assert again["evaluate"]["accuracy"] == answer["evaluate"]["accuracy"]


def test_each_stage_has_its_own_command(folder, answer):
    run = "runs/whole"
    assert command(folder, "generate", run)["made"] == 0
    assert command(folder, "train", run)["reused"]
    assert command(folder, "evaluate", run)["reused"]
    verified = command(folder, "verify", run)
    assert verified["ok"] and verified["shards"] == 12 and verified["samples"] == 3072 and verified["bad"] == []
    assert command(folder, "status", run)
    assert Path(folder, command(folder, "report", run)["report"]).is_file()


def test_the_report_needs_nothing_from_elsewhere(folder, answer):
    page = Path(folder, answer["report"]).read_text()
    assert "<svg" in page and "Fréchet" in page
    for outside in ('src="http', "src='http", 'href="http', "url(http", "@import"):
        assert outside not in page
    assert len(page) < 8_000_000


def test_scores_do_not_depend_on_the_ranks(folder, answer):
    metrics = folder / "runs/whole/evaluate/metrics.json"
    metrics.unlink()
    alone = command(folder, "evaluate", "runs/whole", "--ranks", "1")
    for name in ("accuracy", "rmse", "thickness_mae_A"):
        assert alone[name] == pytest.approx(answer["evaluate"][name], rel=1e-9)
    assert alone["frechet"]["value"] == pytest.approx(answer["evaluate"]["frechet"]["value"], rel=1e-6)


def held_files(run: Path) -> dict[Path, bytes]:
    """What a run knows; who works on it, or last did, is not part of that."""
    return {path: path.read_bytes() for path in run.rglob("*.json") if "lease" not in path.relative_to(run).parts}


def test_other_settings_are_refused_before_anything_is_lost(folder, answer):
    before = held_files(folder / "runs/whole")
    told = xpshpc("run", "job.toml", "--set", "seed=12", folder=folder)
    assert told.returncode == 2 and "seed" in told.stderr
    told = xpshpc("train", "runs/whole", "--set", "train.learning_rate=0.5", folder=folder)
    assert told.returncode == 2 and "--restart" in told.stderr
    assert before == held_files(folder / "runs/whole")
