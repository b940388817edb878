"""Whatever is not as recorded is found and named; a repair makes `generate` put the same bytes back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benches import make_shards
from tests.invariants import check_complete, store_bytes
from tests.sources import Fault, numbers_job
from xpshpc.errors import UsageError, VerificationError
from xpshpc.events import Event, StageFinished, StageProgressed, StageStarted
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store
from xpshpc.store.record import record_file
from xpshpc.store.repair import repair
from xpshpc.store.verify import verify

JOB = numbers_job(40)  # shards of 16, 16 and 8 samples, in chunks of 8
SHARDS = [0, 1, 2]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, JOB, SHARDS)
    return run


def change(file: Path, edit: Callable[[bytearray], None]) -> None:
    data = bytearray(file.read_bytes())
    edit(data)
    file.write_bytes(bytes(data))


def flip(place: int) -> Callable[[bytearray], None]:
    def edit(data: bytearray) -> None:
        data[place] ^= 0x10

    return edit


def test_a_sound_store_is_ok(run: RunDirectory) -> None:
    events: list[Event] = []
    found = verify(run, JOB, events.append)
    assert (found.ok, found.shards, found.samples, found.committed, found.pending) == (True, 3, 40, 40, 0)
    assert events[0] == StageStarted("verify", 40, 0, "samples")
    assert StageProgressed("verify", 40) in events
    assert isinstance(events[-1], StageFinished)
    json.dumps(found.as_json())


def test_an_incomplete_store_is_ok_and_says_what_is_pending(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, JOB, [1])
    found = verify(run, JOB)
    assert (found.ok, found.committed, found.pending) == (True, 16, 24)


def flip_second_chunk(run: RunDirectory) -> None:
    change(run.data / "counts" / "c.1.0", flip(-100))


def tear(run: RunDirectory) -> None:
    change(run.data / "fraction" / "c.2.0", lambda data: data.__delitem__(slice(-30, None)))


def remove_file(run: RunDirectory) -> None:
    (run.data / "index" / "c.0").unlink()


def swap_files(run: RunDirectory) -> None:
    (run.data / "counts" / "c.1.0").write_bytes((run.data / "counts" / "c.0.0").read_bytes())


def set_flag(run: RunDirectory) -> None:
    record = json.loads(record_file(run, 1).read_bytes())
    record["quarantined"] = [{"sample": 20, "cause": "crash", "why": "so it says"}]
    record_file(run, 1).write_text(json.dumps(record))


def record_of_another_plan(run: RunDirectory) -> None:
    record = json.loads(record_file(run, 1).read_bytes())
    record["data_hash"] = "0" * 64
    record_file(run, 1).write_text(json.dumps(record))


def tear_record(run: RunDirectory) -> None:
    change(record_file(run, 2), lambda data: data.__delitem__(slice(50, None)))


def orphan_file(run: RunDirectory) -> None:
    record_file(run, 1).unlink()


def leave_staging(run: RunDirectory) -> None:
    (run.staging / "000001" / "00000001.1.77").mkdir(parents=True)


def flip_metadata(run: RunDirectory) -> None:
    change(run.data / "counts" / "zarr.json", flip(20))


def remove_metadata(run: RunDirectory) -> None:
    (run.data / "zarr.json").unlink()


DAMAGES: dict[Callable[[RunDirectory], None], tuple[int | None, int | None, str]] = {
    flip_second_chunk: (1, 24, "counts: samples 24 to 31: crc32c"),
    tear: (2, 32, "fraction: samples 32 to 39: .*torn"),
    remove_file: (0, 0, "index: No such file"),
    swap_files: (1, 16, "counts: whole, but not the bytes"),
    set_flag: (1, 20, "flag and record disagree"),
    record_of_another_plan: (1, 16, "another plan"),
    tear_record: (2, 32, "record cannot be read"),
    orphan_file: (None, None, r"data.zarr/counts/c\.1\.0: no record"),
    leave_staging: (None, None, "staging/000001: no record"),
    flip_metadata: (None, None, "data.zarr/counts/zarr.json: not the bytes"),
    remove_metadata: (None, None, "data.zarr/zarr.json: No such file"),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_found_named_and_made_good(run: RunDirectory, damage: Callable[[RunDirectory], None]) -> None:
    before = store_bytes(run)
    damage(run)
    found = verify(run, JOB)
    shard, sample, why = DAMAGES[damage]
    assert not found.ok
    assert (found.bad[0].shard, found.bad[0].sample) == (shard, sample)
    assert re.search(why, found.bad[0].why)
    dropped = repair(run, JOB, found)
    assert dropped == (() if shard is None else (shard,))
    make_shards(run, JOB, SHARDS)
    assert store_bytes(run) == before
    check_complete(run, JOB)


def test_reading_what_is_damaged_is_an_error_that_names_shard_and_sample(run: RunDirectory) -> None:
    flip_second_chunk(run)
    store = Store(run)
    with pytest.raises(VerificationError, match=r"shard 1, array counts, from sample 24"):
        store.read_shard(1, ["counts"])
    assert store.read_sample(16, ["counts"])["counts"].shape == (16,)
    with pytest.raises(VerificationError):
        store.read_sample(24, ["counts"])


def test_a_quarantined_sample_is_neither_bad_nor_read(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    job = numbers_job(40, faults=(Fault(sample=20, behaviour="refuse"),), ledger=tmp_path)
    make_shards(run, job, SHARDS)
    check_complete(run, job, quarantined=(20,))
    store = Store(run)
    assert len(store.read_shard(1, ["counts"])["counts"]) == 15
    with pytest.raises(UsageError, match="sample 20 is in quarantine"):
        store.read_sample(20, ["counts"])


def test_asking_for_what_is_not_there(run: RunDirectory, tmp_path: Path) -> None:
    store = Store(run)
    with pytest.raises(UsageError, match="no array 'spectra'"):
        store.read_shard(0, ["spectra"])
    with pytest.raises(UsageError, match="no sample 40"):
        store.read_sample(40, ["counts"])
    record_file(run, 2).unlink()
    with pytest.raises(UsageError, match="shard 2 is not committed"):
        Store(run).read_shard(2, ["counts"])
    for nothing in (Store, lambda run: verify(run, JOB)):
        with pytest.raises(UsageError, match="no data set here"):
            nothing(RunDirectory(tmp_path / "nothing"))
