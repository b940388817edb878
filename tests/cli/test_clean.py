"""`xpshpc clean` puts a run back to nothing, asks first, touches nothing else, and can be stopped at any moment."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benches import make_shards
from tests.cli.test_errors import xpshpc
from tests.coordinator import start_coordinator, wait_until
from tests.invariants import check_complete, store_bytes
from tests.sources import numbers_job
from xpshpc.errors import UsageError
from xpshpc.events import Event, StageFinished, StageProgressed
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.store.clean import clean_run, survey_run
from xpshpc.store.lease import hold_lease, take_lease
from xpshpc.store.owner import this_owner
from xpshpc.store.verify import verify

pytestmark = pytest.mark.programs

SAMPLES, SHARDS = 100, 7


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A whole run: data, the folders of later stages, a report."""
    run = RunDirectory(tmp_path / "runs" / "numbers")
    with hold_lease(run):
        make_shards(run, numbers_job(SAMPLES), range(SHARDS))
    (run.train / "checkpoints" / "3").mkdir(parents=True)
    (run.train / "checkpoints" / "3" / "state.npz").write_bytes(bytes(5000))
    run.evaluate.mkdir()
    run.events.write_text("{}\n")
    run.report.write_text("<html>")
    return run


def killed_at(run: RunDirectory, step: int) -> str:
    """Cleans in another process that is killed when so many names are out of the way; the name it got to."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        seen = 0

        def strike(name: str) -> None:
            nonlocal seen
            seen += 1
            if seen == step:
                os.write(writer, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            clean_run(run.path, checkpoint=strike)
        finally:
            os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as told:
        name = told.read().decode()
    assert os.WIFSIGNALED(status) == bool(name)
    return name


def test_nothing_stays_and_the_second_time_there_is_nothing_to_do(run: RunDirectory) -> None:
    files = [path for path in run.path.rglob("*") if not path.is_dir()]
    size = sum(path.stat().st_size for path in files)
    looked = xpshpc("clean", run.path, "--dry-run", "--json", folder=run.path.parent)
    planned = json.loads(looked.stdout)
    assert (planned["samples"], planned["files"], planned["bytes"]) == (SAMPLES, len(files), size)
    assert planned["removed"] is False and sorted(run.path.rglob("*"))
    assert verify(run, numbers_job(SAMPLES)).ok
    done = xpshpc("clean", run.path, "--yes", "--json", folder=run.path.parent)
    assert json.loads(done.stdout) == {**planned, "removed": True}
    assert not run.path.exists()
    again = xpshpc("clean", run.path, "--yes", folder=run.path.parent)
    assert again.returncode == 0 and "nothing to do" in again.stdout


def test_without_a_terminal_and_without_yes_it_refuses(run: RunDirectory) -> None:
    before = store_bytes(run)
    refused = xpshpc("clean", run.path, folder=run.path.parent)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert store_bytes(run) == before


@pytest.mark.parametrize(("answer", "stays"), [("n\n", True), ("\n", True), ("y\n", False)])
def test_on_a_terminal_it_shows_what_goes_and_asks(run: RunDirectory, answer: str, stays: bool) -> None:
    terminal, side = pty.openpty()
    os.write(terminal, answer.encode())
    done = subprocess.run(
        [sys.executable, "-m", "xpshpc", "clean", str(run.path)],
        stdin=side, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    os.close(terminal)
    os.close(side)
    assert done.returncode == 0, done.stderr
    assert "data.zarr" in done.stdout and "100 samples" in done.stdout
    assert run.path.exists() == stays


def test_killed_again_and_again_it_goes_on_from_there(run: RunDirectory) -> None:
    """Whatever the last call left, the next one takes up; killed later each time, one of them comes to the end."""
    reached: list[str] = []
    while run.path.exists():
        reached.append(killed_at(run, len(reached) + 1))
    assert len(set(reached)) > 4 and reached[-1] == ""


@pytest.mark.faults
@pytest.mark.parametrize(("step", "name"), [(3, "commits/00000004.json"), (8, "data.zarr"), (14, "staging")])
def test_killed_anywhere_generate_makes_the_same_bytes_again(run: RunDirectory, step: int, name: str) -> None:
    before = store_bytes(run)
    assert killed_at(run, step) == name
    made = generate(numbers_job(SAMPLES), run, workers=1)
    assert made.committed == SAMPLES
    check_complete(run, numbers_job(SAMPLES))
    assert store_bytes(run) == before


def test_a_run_with_a_coordinator_is_refused_by_its_name(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with start_coordinator(run.path, samples=200, piece_s=0.4) as coordinator:
        wait_until(lambda: any(run.commits.glob("0*.json")) or coordinator.process.poll() is not None)
        # Held still, it cannot finish before the other command has looked.
        coordinator.process.send_signal(signal.SIGSTOP)
        refused = xpshpc("clean", run.path, "--yes", folder=tmp_path)
        coordinator.process.send_signal(signal.SIGCONT)
        assert refused.returncode == 2 and f"process {coordinator.process.pid} on" in refused.stderr
        out, err = coordinator.process.communicate(timeout=120)
        assert coordinator.process.returncode == 0, err
    assert json.loads(out)["committed"] == 200
    check_complete(run, numbers_job(samples=200))


@pytest.mark.parametrize("stage", ["train", "evaluate", "search"])
def test_a_run_that_a_stage_works_on_is_refused_by_the_owners_name(run: RunDirectory, stage: str) -> None:
    code = (
        f"import sys; from pathlib import Path; from xpshpc.run_directory import RunDirectory\n"
        f"from xpshpc.store.stage import hold_stage\n"
        f"with hold_stage(RunDirectory(Path({str(run.path)!r})), {stage!r}): print(1); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-uc", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as working:
        assert working.stdout is not None and working.stdout.readline()
        with pytest.raises(UsageError, match=rf"another process is \w+.* this run \(process {working.pid} on"):
            clean_run(run.path)
        working.kill()
    assert verify(run, numbers_job(SAMPLES)).ok
    clean_run(run.path)
    assert not run.path.exists()


def test_a_training_on_another_host_is_refused_where_locks_do_not_reach(run: RunDirectory) -> None:
    elsewhere = replace(this_owner(time.time()), host="elsewhere", pid_space="elsewhere")
    lease = take_lease(run, elsewhere, stage="train")
    with pytest.raises(UsageError, match=r"training this run .* on elsewhere"):
        clean_run(run.path)
    lease.release()
    clean_run(run.path)
    assert not run.path.exists()


def test_links_are_removed_and_never_followed(run: RunDirectory, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    (kept / "folder").mkdir(parents=True)
    (kept / "folder" / "file").write_text("mine")
    (run.train / "to-a-folder").symlink_to(kept)
    (run.train / "to-a-file").symlink_to(kept / "folder" / "file")
    run.evaluate.rmdir()
    run.evaluate.symlink_to(kept)
    run.staging.symlink_to(kept)
    clean_run(run.path)
    assert not os.path.lexists(run.path)
    assert (kept / "folder" / "file").read_text() == "mine" and len(list(kept.rglob("*"))) == 2


def test_a_run_reached_by_a_link_is_named_and_left_alone(run: RunDirectory, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(run.path)
    with pytest.raises(UsageError) as refused:
        clean_run(link)
    assert str(run.path) in refused.value.try_
    assert verify(run, numbers_job(SAMPLES)).ok


def test_what_no_run_puts_there_stays_unless_all_is_said(run: RunDirectory) -> None:
    (run.path / "notes.txt").write_text("mine")
    told = xpshpc("clean", run.path, "--yes", folder=run.path.parent)
    assert told.returncode == 0 and "notes.txt" in told.stdout
    assert [path.name for path in run.path.iterdir()] == ["notes.txt"]
    assert survey_run(run.path).going == ()
    with hold_lease(run):
        make_shards(run, numbers_job(SAMPLES), range(1))
    clean_run(run.path, everything=True)
    assert not run.path.exists()


@pytest.mark.parametrize("names", [["job.toml"], ["train", "data.zarr"], ["lease"]])
def test_a_directory_that_no_coordinator_ever_owned_is_left_alone(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="does not look like a run"):
        clean_run(tmp_path, everything=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_torn_plan_does_not_keep_a_run_alive(run: RunDirectory) -> None:
    (run.commits / "plan.json").write_text("{")
    clean_run(run.path)
    assert not run.path.exists()


def test_progress_ends_with_every_file_gone(run: RunDirectory) -> None:
    (run.train / "many").mkdir()
    for number in range(1200):
        (run.train / "many" / str(number)).touch()
    heard: list[Event] = []
    remains = clean_run(run.path, on_event=heard.append)
    progress = [event.done for event in heard if isinstance(event, StageProgressed)]
    assert progress == sorted(progress) and len(progress) >= 2 and progress[-1] <= remains.files
    assert isinstance(heard[-1], StageFinished)
