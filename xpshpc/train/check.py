"""What cannot be trained is found before any rank starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xpshpc.config import JobFile, Train
from xpshpc.domain import AdversarialProblem
from xpshpc.errors import UsageError
from xpshpc.plan.shards import plan_shards, split_shards
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import check_owner
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import CommitRecord, read_records
from xpshpc.train.batches import check_even_share
from xpshpc.train.metric import check_metric_name

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Launcher


def check_training(job_file: JobFile, ranks: int, launcher: Launcher = "gloo") -> None:
    """Raises UsageError for what the job alone tells: parts, a metric, samples, shards or ranks that do not fit."""
    job = job_file.job
    train = job.train
    if train.elastic is not None:
        from xpshpc.cluster.ranks.elastic import check_elastic

        check_elastic(launcher, ranks, train.elastic.min_ranks)
    check_even_share(train.global_batch, ranks)
    share = train.global_batch // ranks
    if share % train.accumulate:
        raise UsageError(
            f"a rank's {share} samples of a batch cannot be computed in {train.accumulate} equal parts",
            where="train.accumulate",
            try_=f"a divisor of {share}, or another train.global_batch",
        )
    problem = job_file.problem()
    if isinstance(problem, AdversarialProblem):
        _check_rivals(train)
        problem.check_share(train.network, train.parameters, share)
    if train.early_stopping is not None:
        check_metric_name(train.early_stopping.metric, job_file, where="train.early_stopping.metric")
    if train.samples is not None and train.samples < train.global_batch:
        raise UsageError(
            f"{train.samples} training samples do not fill one batch of {train.global_batch}",
            where="train.samples",
            try_="more samples, or a smaller train.global_batch",
        )
    plan = plan_shards(job.generate, "")
    shards = len(split_shards(len(plan), job.split).training)
    planned = min(shards * plan.shard_samples, plan.samples)
    needed = shards if train.samples is None else min(shards, -(-train.samples // plan.shard_samples))
    _check_amount(planned, needed, train, ranks)


def _check_rivals(train: Train) -> None:
    """Raises UsageError for what two networks that are trained in turn cannot have."""
    plain = {
        "elastic": train.elastic is None,
        "accumulate": train.accumulate == 1,
        "optimizer": train.optimizer == "adam",
        "compression": train.compression == "none",
        "precision": train.precision == "float32",
    }
    for key, is_plain in plain.items():
        if not is_plain:
            raise UsageError(
                "two networks that train each other do without it", where=f"train.{key}", try_=f"leave {key} out"
            )


def check_stored(run: RunDirectory, job_file: JobFile, ranks: int = 1) -> None:
    """Raises UsageError for what the run's data tell.

    They are another job's, shards to train or validate on are missing, all validation samples are in quarantine, or too
    few training samples are left for one batch, for train.samples, or for so many ranks.
    """
    identity = check_owner(run, job_file)
    if identity is None:
        raise UsageError("no data set to train on", where=str(run.path), try_="xpshpc generate JOB")
    plan = identity.plan()
    split = split_shards(len(plan), job_file.job.split)
    committed = read_manifest(run, plan).committed
    missing = [shard for shard in (*split.training, *split.validation) if not committed[shard]]
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise UsageError(
            f"{len(missing)} of the shards to train on are not stored yet: {shown}",
            where=str(run.data),
            try_=f"xpshpc generate {run.path}",
        )
    if not any(record.samples for record in read_records(run, split.validation)):
        raise UsageError(
            "every validation sample is in quarantine", where="split.validation", try_="xpshpc status RUN; more samples"
        )
    train = job_file.job.train
    # As many records as it takes: a data set of a billion samples has very many.
    rows = first_shards(read_records(run, split.training), train.samples or train.global_batch)
    shards = len(rows) if train.samples is not None else len(split.training)
    _check_amount(sum(rows.values()), shards, train, ranks)


def first_shards(records: Iterable[CommitRecord], samples: int | None) -> dict[int, int]:
    """Valid samples by shard: of the first shards that hold `samples` together, or of all (None)."""
    rows: dict[int, int] = {}
    held = 0
    for record in records:
        rows[record.shard] = record.samples
        held += record.samples
        if samples is not None and held >= samples:
            break
    return rows


def _check_amount(samples: int, shards: int, train: Train, ranks: int) -> None:
    if train.samples is not None and samples < train.samples:
        raise UsageError(
            f"there are {samples} training samples, and train.samples asks for {train.samples}",
            where="train.samples",
            try_=f"{samples} or fewer, or more samples in generate.samples",
        )
    if samples < train.global_batch:
        raise UsageError(
            f"{samples} training samples do not fill one batch of {train.global_batch}",
            where="train.global_batch",
            try_="a smaller global_batch, or more samples",
        )
    if shards < ranks:
        raise UsageError(
            f"{shards} training shard(s) are fewer than {ranks} ranks",
            where="generate.shard_samples",
            try_=f"at most {shards} rank(s), or smaller shards in a new data set",
        )
