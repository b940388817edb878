"""The table [generate.sessa]: what is wrong is told when the job is read, and the program is started as it says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.options import SessaOptions, read_options
from xpshpc.spectra.sessa.source import SessaSource
from xpshpc.spectra.settings import SpectraSettings


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "sessa"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_defaults_are_those_of_long_practice(program: Path) -> None:
    options = read_options({"executable": str(program)})
    assert (options.restart_every, options.silence_s, options.timeout_s, options.attempts) == (1000, 30, 60, 3)
    assert options.display == "xvfb"


def test_faults_are_told_all_at_once(program: Path) -> None:
    with pytest.raises(UsageError) as told:
        read_options({"executable": str(program), "silence_s": 0, "attemps": 2, "display": "wayland"})
    assert str(told.value).startswith("generate.sessa: ")
    for part in ("silence_s", "did you mean 'attempts'", "'xvfb' or 'none'"):
        assert part in str(told.value)


def test_an_attempt_is_not_shorter_than_silence(program: Path) -> None:
    with pytest.raises(UsageError, match="timeout_s \\(10\\) must not be shorter than silence_s \\(30\\)"):
        read_options({"executable": str(program), "timeout_s": 10})


def test_the_executable_is_asked_for() -> None:
    with pytest.raises(UsageError, match="executable: Field required"):
        read_options({})


@pytest.mark.parametrize("how", ["missing", "not executable", "a folder"])
def test_a_program_that_cannot_run_is_told_before_any_work(tmp_path: Path, program: Path, how: str) -> None:
    if how == "missing":
        program.unlink()
    else:
        program.chmod(0o644)
    executable = str(tmp_path if how == "a folder" else program)
    source = SessaSource(SpectraSettings(), {"executable": executable, "display": "none"}, 1)
    with pytest.raises(UsageError, match="can be executed") as told:
        source.check()
    assert told.value.where == "generate.sessa.executable"


def test_a_path_is_a_path_and_a_name_is_looked_for(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent)
    assert SessaOptions(executable=f"./{program.name}", display="none").command()[0] == str(program)
    with pytest.raises(UsageError, match="can be executed"):
        SessaOptions(executable=program.name, display="none").command()
    monkeypatch.setenv("PATH", str(program.parent))
    assert SessaOptions(executable=program.name, display="none").command()[0] == str(program)


def test_a_missing_display_is_told_with_its_cure(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(UsageError, match="xvfb-run") as told:
        SessaOptions(executable=str(program)).command()
    assert "apt-get install xvfb" in told.value.try_


def test_the_library_path_is_for_the_program_alone(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/other")
    display = program.with_name("xvfb-run")
    shutil.copy(program, display)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    command = SessaOptions(executable=str(program), library_path="/opt/sessa/lib").command()
    own = ["/usr/bin/env", "LD_LIBRARY_PATH=/opt/sessa/lib:/opt/other", str(program), "-c"]
    assert command == [str(display), "-a", *own]


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("instrument", {"channels": 1024}, "2048 points"),
        ("instrument", {"background_scale": (0.5, 1.5)}, "background_scale"),
        ("samples", {"recipe": "pure_sums"}, "pure_sums"),
        ("instrument", {"source_angle_deg": 120.0}, "from below"),
    ],
)
def test_what_sessa_cannot_do_is_told(program: Path, section: str, values: dict[str, Any], said: str) -> None:
    settings = SpectraSettings.model_validate({section: values})
    with pytest.raises(UsageError, match=said):
        SessaSource(settings, {"executable": str(program), "display": "none"}, 1)
