"""What happens on the way, each event in a sentence."""

from __future__ import annotations

from xpshpc.events import Event
from xpshpc.generate.events import (
    AllocationFailed,
    DiskFull,
    NodeExcluded,
    SampleQuarantined,
    ShardFailed,
    StageStopped,
    WorkerKilled,
    WorkersRequested,
)
from xpshpc.report.labels import split_unit, write_in_text, write_score
from xpshpc.report.quantities import write_count, write_duration, write_rate, write_size, write_value
from xpshpc.report.rivals import FIRST_METRICS, SCORES, are_rivals
from xpshpc.train.history import EpochFinished, RanksChanged, TrainingWarned


def describe_event(event: Event) -> str | None:
    """One short line for an event that is no stage's progress; None for those that are not worth one."""
    if isinstance(event, EpochFinished):
        return _describe_epoch(event)
    if isinstance(event, TrainingWarned):
        return f"epoch {event.epoch}: {event.warning}"
    if isinstance(event, ShardFailed):
        cause = event.cause.replace("_", " ")
        return f"shard {event.shard}, attempt {event.attempt} failed ({cause}): {event.why}; {event.decision}"
    if isinstance(event, SampleQuarantined):
        return f"sample {event.sample} is put in quarantine ({event.cause.replace('_', ' ')}): {event.why}"
    if isinstance(event, DiskFull):
        return f"the disk is full ({write_size(event.free_bytes)} free): waiting {write_duration(event.delay_s)}"
    if isinstance(event, WorkersRequested):
        return f"{write_count(event.jobs)} worker jobs asked for: {', '.join(event.job_ids)}"
    if isinstance(event, AllocationFailed):
        where = f" on {event.node}" if event.node else ""
        return f"worker job {event.job_id} failed{where}: {event.why}"
    if isinstance(event, RanksChanged):
        lost, joined = (", ".join(map(str, ranks)) or "none" for ranks in (event.lost, event.joined))
        return f"after step {event.step} training goes on with {event.ranks} ranks; lost: {lost}; joined: {joined}"
    if isinstance(event, NodeExcluded):
        return f"no more workers are sent to {event.node}: {event.why}"
    if isinstance(event, WorkerKilled):
        silence = write_duration(event.silence_s)
        return f"worker {event.pid} on {event.host} is killed: no sign of life from shard {event.shard} for {silence}"
    if isinstance(event, StageStopped):
        return f"{event.stage} stopped: {event.why}"
    return None


def _describe_epoch(event: EpochFinished) -> str:
    validation, rate = event.validation, f"{write_rate(event.spectra_per_s)} samples/s"
    if are_rivals(validation):
        names = [name for name in (*FIRST_METRICS, *SCORES) if name in validation]
        told = ", ".join(f"{write_in_text(name)} {write_score(name, validation[name])}" for name in names)
        return f"epoch {event.epoch} of {event.epochs}: {told}; {rate}"
    names = sorted(validation, key=lambda name: name != "loss")
    scores = ", ".join(f"{split_unit(name)[0]} {write_score(name, validation[name])}" for name in names)
    loss = write_value(event.loss, 4)
    return f"epoch {event.epoch} of {event.epochs}: loss {loss}, {rate}; validation: {scores}"
