"""A job file is taken whole or refused whole, with every fault named."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpshpc.config import read_job
from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory, open_run, save_job

GOOD = """
name = "good"
seed = 1
[generate]
samples = 4096
[spectra]
"""
DRAWN = "[search]\nstrategy = 'random'\ndraws = 3\nparameters = { 'train.learning_rate' = "


def write(folder: Path, text: str) -> Path:
    path = folder / "job.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("samples =", "smaples ="), r"generate\.smaples: unknown key \(did you mean 'samples'\?\)"),
        (GOOD + "[spectra.samples]\nelements = ['Cu', 'Xx']", "unknown element 'Xx'"),
        (GOOD + "[spectra.instrument]\npeak_counts = [-5, 10]", "peak_counts"),
        (GOOD + "[spectra.instrument]\npeak_counts = [10, 70000]", "overflow uint16"),
        (GOOD + "[spectra.instrument]\nwindow_eV = [400, 2000]", "out of reach"),
        (GOOD + "[spectra.instrument]\nsource = 'MgKa'", "out of reach"),
        (GOOD + "[spectra.samples]\noverlayer_A = [40, 0]", "must not exceed"),
        (GOOD + "[train]\nnetwork = 'vanila_cnn'", "did you mean 'vanilla_cnn'"),
        (GOOD.replace("[spectra]", ""), "exactly one science"),
        (GOOD.replace('name = "good"', 'name = "../up"'), "name"),
        (GOOD.replace("samples = 4096", "samples = 4096\nsource = 'sesa'"), "unknown source 'sesa'"),
        (GOOD.replace("samples = 4096", "samples = 4096\nshard_samples = 1000"), "multiple of"),
        ("name = ", "not valid TOML"),
        (GOOD + "[train]\nwarmup_epochs = 12", "a warm-up of 12 epochs never ends"),
        (GOOD + "[train]\nschedule = 'steps'\ndecay_epochs = [2, 10]", "decay_epochs lie between"),
        (GOOD + "[train]\nschedule = 'steps'\ndecay_epochs = [-1, 2]", "decay_epochs lie between"),
        (GOOD + "[train]\ntask.input = 'peaks'", r"vanilla_cnn slides over .* \(try network = \"dnn\""),
        (GOOD + "[search]\nparameters = { 'train.epochs' = 3 }", r"epochs\.values: Input should be a valid list\n"),
        (GOOD + "[search]\nparameters = { 'train.epochs' = [] }", r"epochs\.values: List should have at least 1 item"),
        (GOOD + DRAWN + "{ low = 1 } }", r"learning_rate\.span\.high: Field required\n"),
        (GOOD + DRAWN + "{ low = 2, high = 1 } }", r"learning_rate\.span: low \(2\) must be smaller"),
        (GOOD + DRAWN + "{ low = 1, high = 2, lg = true } }", r"span\.lg: unknown key \(did you mean 'log'\?\)\n"),
        (GOOD + "[[search.points]]\nname = 'a'\nparameter = {}", r"\.parameter: unknown key \(did you mean 'param"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, text, says):
    with pytest.raises(UsageError, match=says) as fault:
        read_job(write(tmp_path, text))
    assert str(tmp_path) in fault.value.where


def test_all_faults_are_named_at_once(tmp_path):
    text = GOOD.replace("seed = 1", "seed = -1").replace("samples = 4096", "samples = 0\nworkes = 2")
    with pytest.raises(UsageError) as fault:
        read_job(write(tmp_path, text))
    for place in ("seed", "generate.samples", "generate.workes"):
        assert place in fault.value.what


def test_a_missing_file_says_what_to_type(tmp_path):
    with pytest.raises(UsageError, match="no such job file") as fault:
        read_job(tmp_path / "none.toml")
    assert fault.value.try_


def test_a_saved_job_reads_back_the_same(tmp_path):
    """The resolved job in the run directory is a job file itself."""
    job = read_job(write(tmp_path, GOOD), {"train.epochs": 7, "spectra.instrument.analyser_fwhm_eV": [1.0, 1.0]})
    run = RunDirectory(tmp_path / "runs" / "good")
    run.path.mkdir(parents=True)
    save_job(run, job)
    _, again = open_run(run.path)
    assert again.resolved() == job.resolved()


def test_an_empty_directory_is_no_run(tmp_path):
    with pytest.raises(UsageError, match="no run here"):
        open_run(tmp_path)
