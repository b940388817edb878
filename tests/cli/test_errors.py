"""Bad input: one clear error with its place and the next step, the right exit code, nothing half made."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

JOB = """
name = "small"
seed = 3
[generate]
samples = 512
shard_samples = 128
inner_chunk_samples = 64
[spectra]
"""


def xpshpc(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xpshpc", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=550, check=False)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["generate", "none.toml"], 2, "no such job file"),
        (["generate", "job.toml", "--set", "generate.smaples=3"], 2, "did you mean 'samples'"),
        (["generate", "job.toml", "--set", "generate.samples"], 2, "is not KEY=VALUE"),
        (["generate", "job.toml", "--set", "spectra.samples.elements=['Cu','Xx']"], 2, "unknown element 'Xx'"),
        (["generate", "job.toml", "--set", "spectra.instrument.peak_counts=[-5,9]"], 2, "peak_counts"),
        (["generate", "job.toml", "--set", "spectra.instrument.window_eV=[400,1700]"], 2, "out of reach"),
        (["generate", "job.toml", "--on", "nowhere"], 2, "nowhere"),
        (["generate", "job.toml", "--workers", "0"], 2, "--workers"),
        (["run", "job.toml", "--ranks", "3"], 2, "global_batch"),
        (["run", "job.toml", "--set", "generate.samples=256"], 2, "cannot be split"),
        (["train", "job.toml"], 2, "no data set"),
        (["evaluate", "job.toml"], 2, "no data set"),
        (["report", "job.toml"], 2, "nothing to report"),
        (["verify", "runs/none"], 2, "no run here"),
        (["status", "runs/none"], 2, "no run here"),
        (["simulate", "Cu2Q"], 2, "unknown element"),
        (["simulate", "Cu", "--density", "-1"], 2, "density"),
        (["simulate", "Cu", "--plot", "x.bmp"], 2, ".bmp"),
        (["simulate", "Cu", "--output", "x.npz"], 2, "x.npz"),
        (["analyze", "none.csv", "--model", "runs/none"], 2, "none"),
        (["fid", "a.npz", "b.npz"], 2, "a.npz"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_a_fault_is_one_message_with_the_next_step(job, arguments, code, says):
    told = xpshpc(*arguments, folder=job.parent)
    assert told.returncode == code, told.stderr
    assert says in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    answered = xpshpc(*arguments, "--json", folder=job.parent)
    fault = json.loads(answered.stdout)
    assert fault["exit_code"] == answered.returncode == code
    assert {"error", "where", "try"} <= set(fault)
    assert not (job.parent / "runs").exists(), "no half-made state"


def test_a_measured_file_that_is_no_spectrum_is_named_with_its_line(job):
    text = job.parent / "text.csv"
    text.write_text("this is\nno spectrum\n")
    told = xpshpc("analyze", text, "--model", job.parent, folder=job.parent)
    assert told.returncode == 2
    assert "model" in told.stderr or "text.csv" in told.stderr


def test_a_bad_survey_stops_a_whole_run_before_it_begins(job):
    """Its last stage would fail on it, after the night was spent."""
    (job.parent / "notes.csv").write_text("this is\nno spectrum\n")
    told = xpshpc("run", job, "--set", "spectra.measured.surveys=['notes.csv']", folder=job.parent)
    assert told.returncode == 2 and "notes.csv" in told.stderr
    assert not (job.parent / "runs").exists()


def test_help_is_there_for_every_command(tmp_path):
    listed = xpshpc("--help", folder=tmp_path).stdout
    for command in [
        "run",
        "generate",
        "train",
        "evaluate",
        "report",
        "simulate",
        "analyze",
        "status",
        "verify",
        "fid",
        "doctor",
    ]:
        assert command in listed
        helped = xpshpc(command, "--help", folder=tmp_path)
        assert helped.returncode == 0 and "--json" in helped.stdout


def test_a_port_in_use_is_an_environment_fault():
    """The rim of the program turns the system's error into exit code 5 and a cure."""
    from xpshpc.cli.app import _as_fault

    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        first.listen()
        with pytest.raises(OSError) as refused:
            second.bind(first.getsockname())
    fault = _as_fault(refused.value)
    assert fault.exit_code == 5 and "port" in fault.what and fault.try_
