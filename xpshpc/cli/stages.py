"""The stages of a run, one by one, as the commands call them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xpshpc.cli.call import Call
    from xpshpc.config import JobFile
    from xpshpc.events import Listener
    from xpshpc.generate.generate import GenerateResult
    from xpshpc.report.progress import TerminalProgress


def show_progress(as_json: bool) -> TerminalProgress:
    """What listens to the stages and shows them; in logs nothing is shown where the answer is for programs."""
    from xpshpc.report.progress import TerminalProgress

    return TerminalProgress(quiet_in_logs=as_json)


def makes_samples(job_file: JobFile) -> bool:
    """Whether a job's network is one that makes samples: nothing that it answers could be scored."""
    from xpshpc.domain import AdversarialProblem

    return isinstance(job_file.problem(), AdversarialProblem)


def need_data(call: Call) -> None:
    """Raises UsageError where no data set has been begun."""
    if not call.run.commits.is_dir():
        raise UsageError("there is no data set yet", where=str(call.run.path), try_=f"xpshpc generate {call.target}")


def generate_samples(call: Call, listen: Listener) -> GenerateResult:
    """Makes what is missing of the data set."""
    from xpshpc.generate.generate import generate as make

    return make(call.job_file, call.run, workers=call.workers, profile=call.profile, on_event=listen)


def train_network(
    call: Call, listen: Listener, *, restart: bool = False, until_epoch: int | None = None
) -> dict[str, Any]:
    """Trains the job's network; the answer (JSON) has a folder of `pictures` where it is one that makes samples."""
    from xpshpc.train.launch import train as fit
    from xpshpc.train.pictures import pictures_path

    result = fit(
        call.run,
        call.job_file,
        ranks=call.ranks,
        launcher=call.profile.launcher,
        step=call.step("train"),
        threads_per_rank=call.threads_per_rank,
        restart=restart,
        until_epoch=until_epoch,
        on_event=listen,
    )
    pictures = {"pictures": str(pictures_path(call.run))} if makes_samples(call.job_file) else {}
    return {**result.as_json(), **pictures}


def score_network(call: Call, listen: Listener, data: Path | None = None) -> dict[str, Any]:
    """Scores the network on held-out samples, or on those of the run `data` (JSON)."""
    from xpshpc.evaluate.evaluate import evaluate as score
    from xpshpc.run_directory import RunDirectory

    result = score(
        call.run,
        call.job_file,
        ranks=call.ranks,
        launcher=call.profile.launcher,
        step=call.step("evaluate"),
        other=None if data is None else RunDirectory(data.resolve()),
        on_event=listen,
    )
    return result.as_json()


def report_run(call: Call) -> Path:
    """Writes the run's report and returns its path."""
    from xpshpc.report.html import write_report

    return write_report(call.run, call.job_file)


def code_of(quarantined: int) -> ExitCode:
    """How a data set with so many samples in quarantine ends."""
    return ExitCode.QUARANTINED if quarantined else ExitCode.DONE
