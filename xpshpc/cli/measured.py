"""Measured spectra as a part of a run: read beforehand, analysed last, and what the network is judged on if asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.errors import UsageError

if TYPE_CHECKING:
    from xpshpc.config import JobFile
    from xpshpc.run_directory import RunDirectory
    from xpshpc.spectra.known_surveys import KnownSurveys
    from xpshpc.spectra.settings import SpectraSettings


def check_surveys(job_file: JobFile) -> None:
    """Reads the measured surveys of a job, so that a bad file stops a whole run before it has begun."""
    from xpshpc.spectra.analyze import read_surveys
    from xpshpc.spectra.lines.sources import xray_sources
    from xpshpc.spectra.settings import SpectraSettings

    settings = job_file.settings
    if isinstance(settings, SpectraSettings):
        instrument = settings.instrument
        photon = xray_sources()[instrument.source].photon_energy_eV
        read_surveys(settings.measured.files(), instrument.energy_axis(), photon)


def find_network(run: RunDirectory) -> Path | None:
    """The folder of the run's network: its own or, where it has trained none, the best of its search; None: neither."""
    from xpshpc.search.best import best_folder

    best = best_folder(run)
    if run.model.is_file():
        return run.path
    return best if (best / run.model.name).is_file() else None


def analyze_job(run: RunDirectory, job_file: JobFile, network: Path) -> dict[str, Any] | None:
    """The last stage of a whole run: reads the job's measured surveys, or a simulated unknown where there are none.

    `network` is the folder of the run's network. Writes analyze/analysis.json and figures. Returns None for a job of
    another science, and where an unknown on so coarse an axis would not pass for a measured one.
    """
    from xpshpc.run_directory import write_atomically
    from xpshpc.spectra.analyze import analyze as read_composition
    from xpshpc.spectra.measured.spectrum import WIDEST_STEP_eV
    from xpshpc.spectra.settings import SpectraSettings

    settings = job_file.settings
    if not isinstance(settings, SpectraSettings):
        return None
    surveys = settings.measured.files()
    if not surveys and settings.instrument.channel_eV > WIDEST_STEP_eV:
        return None
    run.analyze.mkdir(parents=True, exist_ok=True)
    files = surveys or [_simulate_unknown(settings, job_file.job.seed, run.analyze / "simulated-unknown.csv")]
    answer = read_composition(files, network, plot_directory=run.analyze).as_json()
    if not surveys:
        unknown = settings.measured
        told = f"simulated as {unknown.unknown} under {unknown.unknown_overlayer_A:g} Å"
        for spectrum in answer["spectra"]:
            spectrum["remarks"] = [*spectrum["remarks"], told]
    write_atomically(run.analyze / "analysis.json", json.dumps(answer, indent=1, ensure_ascii=False).encode())
    return answer


def read_measured_table(run: RunDirectory, job_file: JobFile, table: Path | None) -> KnownSurveys | None:
    """The measured spectra of a table of known compositions, checked against the run's network; None without a table.

    Raises UsageError for a row that cannot be taken, for a run without a network and for a job of another science.
    """
    from xpshpc.spectra.known_surveys import read_known_surveys
    from xpshpc.spectra.model_card import find_model
    from xpshpc.spectra.settings import SpectraSettings

    if table is None:
        return None
    if not isinstance(job_file.settings, SpectraSettings):
        raise UsageError("the job is not one of spectra", where=job_file.job.name)
    return read_known_surveys(table, find_model(run.path))


def judge_measured(run: RunDirectory, surveys: KnownSurveys) -> dict[str, Any]:
    """The scores of the run's network on measured spectra; they are written to evaluate/measured.json too."""
    from xpshpc.run_directory import write_atomically
    from xpshpc.spectra.known_surveys import judge_known_surveys
    from xpshpc.spectra.model_card import find_model
    from xpshpc.train.result import file_hash

    card = find_model(run.path)
    scores = judge_known_surveys(surveys, card).as_json() | {"model_sha256": file_hash(card.model)}
    write_atomically(run.evaluate / "measured.json", json.dumps(scores, indent=1, ensure_ascii=False).encode())
    return scores


def is_analysed(run: RunDirectory, network: Path) -> bool:
    """Whether the surveys have been read by the network that this folder has now."""
    from xpshpc.spectra.model_card import find_model

    analysis = run.analyze / "analysis.json"
    return analysis.is_file() and analysis.stat().st_mtime_ns >= find_model(network).model.stat().st_mtime_ns


def _simulate_unknown(settings: SpectraSettings, seed: int, path: Path) -> Path:
    from xpshpc.spectra.simulate import simulate_sample

    unknown = settings.measured
    simulated = simulate_sample(unknown.unknown, settings, overlayer_A=unknown.unknown_overlayer_A, noise_seed=seed)
    simulated.write_csv(path)
    return path
