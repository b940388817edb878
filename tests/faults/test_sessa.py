"""SESSA that is slow, silent, deaf, broken or lying: samples come out as if nothing had happened, nothing is left."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from tests.invariants import check_nothing_is_left, check_plan_is_covered, store_bytes
from tests.spectra.sessa.processes import OBEDIENT, all_gone, processes_below, write_program
from xpshpc.config import validate_job
from xpshpc.errors import EnvironmentFault
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.source import SampleError
from xpshpc.spectra.sessa.console import Console, ConsoleTrouble
from xpshpc.spectra.sessa.dialogue import SessaLayer
from xpshpc.spectra.sessa.emulator.faults import VARIABLE
from xpshpc.spectra.sessa.options import SessaOptions
from xpshpc.spectra.sessa.policy import Trouble
from xpshpc.spectra.sessa.program import SessaProgram
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.store.verify import verify

pytestmark = pytest.mark.faults

EMULATOR = str(Path(sys.executable).with_name("xpshpc-sessa"))
SILENCE_S = 4.0
TIMEOUT_S = 20.0
EMPTIED_S = 10.0
INSTRUMENT = Instrument()


def layers(thickness_A: float) -> tuple[SessaLayer, ...]:
    film = SessaLayer(
        {("C", "film"): 5 / 6, ("O", "film"): 1 / 6}, {("C", "film"): 0.25, ("O", "film"): 0.0}, 1.56, 0.0, thickness_A
    )
    return film, SessaLayer({("Cu", ""): 1.0}, {("Cu", ""): -1.5}, 8.96, 0.0)  # fmt: skip


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A scratch folder that is empty afterwards, as no process is left."""
    before = set(processes_below(os.getpid()))
    yield tmp_path / "scratch"
    left = [process for process in processes_below(os.getpid()) if process not in before]
    assert all_gone([process for process in left if "resource_tracker" not in " ".join(process.cmdline())])
    assert not list((tmp_path / "scratch").iterdir())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[float, NDArray[np.float64]]:
    """What two samples give without a fault."""
    program = open_program(tmp_path_factory.mktemp("undisturbed"))
    spectra = {thickness: program.spectrum(0, layers(thickness), silently) for thickness in (10.0, 20.0)}
    program.close()
    return spectra


def silently(_: str) -> None:
    pass


def open_program(scratch: Path, **options: Any) -> SessaProgram:
    chosen = {"silence_s": SILENCE_S, "timeout_s": TIMEOUT_S, "display": "none", "executable": EMULATOR, **options}
    return SessaProgram(SessaOptions(scratch=str(scratch), **chosen), INSTRUMENT, Physics())


def write_script(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """Makes the emulator follow a script of faults; returns its ledger."""
    script = folder / "faults.toml"
    script.write_text(text)
    monkeypatch.setenv(VARIABLE, str(script))
    return script.with_name("faults.toml.ledger")


def attempts_in(ledger: Path) -> list[int]:
    """How often each sample was simulated, in the order of the first times."""
    names = [name for name in ledger.read_text().split() if name != "command"]
    return list(Counter(names).values())


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ('behaviour = "slow"\nseconds = 1.0\ntimes = 5', 1),
        ('behaviour = "fork"', 1),
        ('behaviour = "silent"', 2),
        ('behaviour = "chatty"', 2),
        ('behaviour = "deaf"', 2),
        ('behaviour = "crash"\ncode = 3', 2),
        ('behaviour = "crash"\nby = "SIGSEGV"', 2),
        ('behaviour = "error"', 2),
        ('behaviour = "nan"', 2),
        ('behaviour = "half"', 2),
    ],
)
def test_each_fault_is_recovered_from(
    tmp_path: Path,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: dict[float, NDArray[np.float64]],
    fault: str,
    attempts: int,
) -> None:
    """The first attempt at the second sample goes wrong; both samples come out as they do without a fault."""
    ledger = write_script(tmp_path, monkeypatch, f"[[fault]]\nsimulation = 2\n{fault}\n")
    program = open_program(scratch)
    heard: set[str] = set()
    for index, thickness in enumerate(undisturbed):
        made = program.spectrum(index, layers(thickness), heard.add)
        np.testing.assert_array_equal(made, undisturbed[thickness])
    assert attempts_in(ledger) == [1, attempts]
    tried = [(0, 1), *((1, attempt) for attempt in range(1, attempts + 1))]
    assert heard == {f"SESSA: sample {index}, attempt {attempt}" for index, attempt in tried}
    program.close()


def test_a_sample_that_always_fails_is_left_out_and_the_next_one_made(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[float, NDArray[np.float64]]
) -> None:
    fault = '[[fault]]\nsimulation = 1\nattempt = 0\nbehaviour = "error"\n'
    ledger = write_script(tmp_path, monkeypatch, fault)
    program = open_program(scratch)
    with pytest.raises(SampleError, match=r"failed 3 times, at last: error: .*a fault of the script") as refused:
        program.spectrum(17, layers(10.0), silently)
    assert refused.value.index == 17
    np.testing.assert_array_equal(program.spectrum(18, layers(20.0), silently), undisturbed[20.0])
    assert attempts_in(ledger) == [3, 1]
    program.close()


def test_a_program_that_never_answers_stops_the_run(scratch: Path) -> None:
    program = open_program(scratch, executable=shutil.which("false"))
    with pytest.raises(EnvironmentFault, match="has not answered a single command in 3 attempts, at last: died"):
        program.spectrum(0, layers(10.0), silently)


def test_processes_are_replaced_when_they_are_worn(scratch: Path) -> None:
    program = open_program(scratch, restart_every=2)
    keepers = []
    for index in range(5):
        program.spectrum(index, layers(10.0), silently)
        assert program._console is not None
        keepers.append(program._console.keeper_pid)
        assert sorted(path.name for path in program._console.scratch.iterdir()) == ["home"]
    assert [keepers[0] == keeper for keeper in keepers] == [True, True, False, False, False]
    assert len(set(keepers)) == 3
    program.close()


def job(folder: Path, silence_s: float) -> Any:
    return validate_job(
        {
            "name": "sessa",
            "seed": 7,
            "generate": {
                "source": "sessa", "samples": 6, "shard_samples": 2, "inner_chunk_samples": 2, "silence_s": silence_s,
                "sessa": {
                    "executable": EMULATOR, "display": "none", "silence_s": SILENCE_S, "timeout_s": 60.0,
                    "scratch": str(folder / "scratch"),
                },
            },
            "spectra": {"samples": {"elements": ["Cu", "Al", "Si"], "elements_per_sample": [1, 2]}},
        },
        where="job",
        folder=folder,
    )  # fmt: skip


def test_the_stage_makes_the_same_bytes_with_and_without_faults(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real workers. One sample takes longer than a worker may be silent: its SESSA speaks, so the worker beats. A SESSA
    that says nothing is replaced well before its worker counts as silent, also where starting one takes seconds."""
    job_file = job(tmp_path, silence_s=8.0)
    plain = RunDirectory(tmp_path / "plain")
    generate(job_file, plain, workers=2)
    ledger = write_script(
        tmp_path,
        monkeypatch,
        """
        fault = [
            {simulation = 1, behaviour = "crash", by = "SIGKILL"},
            {simulation = 2, behaviour = "slow", seconds = 1.0, times = 10},
            {simulation = 4, behaviour = "silent"},
            {simulation = 5, behaviour = "half"},
        ]
        """,
    )
    run = RunDirectory(tmp_path / "run")
    made = generate(job_file, run, workers=2)
    check_plan_is_covered(run)
    check_nothing_is_left(run)
    assert verify(run, job_file).ok
    assert (made.committed, made.quarantined, made.failures) == (6, 0, {})
    assert store_bytes(run) == store_bytes(plain)
    assert sorted(attempts_in(ledger)) == [1, 1, 1, 2, 2, 2]
    # A worker that has ended leaves its SESSA to the keeper, which is its own master and may come a moment later.
    until = time.monotonic() + EMPTIED_S
    while any(scratch.iterdir()):
        assert time.monotonic() < until, "what SESSA wrote is still there"
        time.sleep(0.05)


def test_silence_is_caught_after_thirty_seconds_and_a_word_every_twenty_nine_is_none(tmp_path: Path) -> None:
    """The true measure, two consoles side by side: one speaks after 29 s and is done soon after, the other never."""
    (tmp_path / "scratch").mkdir()
    awake = "import time\ninput(); print('Done', flush=True)\ninput()\n"
    programs = {
        "speaks": f"{awake}time.sleep(29); print('at work', flush=True); time.sleep(4); print('Done')",
        "silent": f"{awake}time.sleep(600)",
    }
    consoles = {
        name: Console(
            write_program(tmp_path, text, name),
            silence_s=30.0,
            scratch=tmp_path / "scratch",
            environment=dict(os.environ),
        )
        for name, text in programs.items()
    }
    for console in consoles.values():
        assert console.ask("are you there", deadline=time.monotonic() + 30, beat=lambda: None) == ["Done"]
    gone = processes_below(consoles["silent"].keeper_pid)
    heard: list[str] = []

    def listen() -> None:
        console = consoles["speaks"]
        heard.extend(console.ask("simulate", deadline=time.monotonic() + 60, beat=lambda: None))
        console.close(politely=False)

    listener = threading.Thread(target=listen)
    listener.start()
    began = time.monotonic()
    with pytest.raises(ConsoleTrouble) as failed:
        consoles["silent"].ask("simulate", deadline=began + 60, beat=lambda: None)
    consoles["silent"].close(politely=False)
    assert 30.0 <= time.monotonic() - began <= 32.0
    assert failed.value.trouble is Trouble.SILENT
    assert not any(map(psutil.Process.is_running, gone))
    listener.join()
    assert heard == ["at work", "Done"]


def test_an_obedient_program_answers_ten_thousand_commands_without_a_restart(tmp_path: Path, scratch: Path) -> None:
    """The watch costs nothing that adds up: no descriptor, no memory of what was said."""
    scratch.mkdir()
    console = Console(write_program(tmp_path, OBEDIENT), silence_s=20.0, scratch=scratch, environment=dict(os.environ))
    gc.collect()  # what earlier tests left is not counted
    descriptors = psutil.Process().num_fds()
    for number in range(10_000):
        assert len(console.ask(f"{number}", deadline=time.monotonic() + 20, beat=lambda: None)) == 2
    assert psutil.Process().num_fds() == descriptors
    console.close(politely=True)
