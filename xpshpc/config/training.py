"""The tables [train] and [evaluate] of a job: a network, how ranks train it, and how it is scored."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from xpshpc.config.section import Section


class EarlyStopping(Section):
    """When a training ends before its last epoch, agreed by all ranks."""

    patience_epochs: int = Field(gt=0, description="epochs without a better value after which training ends")
    metric: str = Field("loss", description="validation metric that is watched")
    smallest_gain: float = Field(0.0, ge=0, description="what counts as better")


class Elastic(Section):
    """A training that goes on when ranks are lost, and takes new ones in."""

    min_ranks: int = Field(1, gt=0, description="fewest ranks that begin or go on; below it the training ends")
    replace: bool = Field(True, description="whether a lost rank is replaced")
    losses: int = Field(10, ge=0, description="ranks that may be lost in all before the training ends")


class Train(Section):
    """A network and its training over Horovod ranks."""

    network: str = "vanilla_cnn"
    parameters: dict[str, Any] = Field(default_factory=dict, description="the network's own sizes")
    task: dict[str, Any] = Field(default_factory=dict, description="the science's own: loss, input treatment, …")
    samples: int | None = Field(None, gt=0, description="train on the first shards with so many samples only")
    epochs: int = Field(10, gt=0)
    global_batch: int = Field(256, gt=0, description="samples a step, over all ranks")
    accumulate: int = Field(
        1, gt=0, description="parts in which each rank computes its share of a batch, one after another, to save memory"
    )
    optimizer: Literal["adam", "adamw", "sgd", "lamb"] = "adam"
    weight_decay: float = Field(0.0, ge=0, lt=1, description="adamw, sgd and lamb: decoupled decay of the weights")
    learning_rate: float = Field(1e-3, gt=0)
    learning_rate_scaling: Literal["none", "linear", "root"] = Field(
        "none", description="how the learning rate grows with global_batch / base_batch"
    )
    base_batch: int = Field(256, gt=0, description="the global batch for which learning_rate was chosen")
    warmup_epochs: float = Field(1.0, ge=0)
    schedule: Literal["cosine", "steps", "constant"] = "cosine"
    decay_epochs: tuple[float, ...] = Field((), description="schedule steps: when the rate falls")
    decay_factor: float = Field(0.1, gt=0, lt=1, description="schedule steps: the factor by which it falls")
    gradient_clip: float | None = Field(None, gt=0, description="largest global norm of the reduced gradient")
    compression: Literal["none", "fp16"] = Field("none", description="of gradients while they travel between ranks")
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="of the network's arithmetic; the mixed ones are for GPUs"
    )
    early_stopping: EarlyStopping | None = None
    elastic: Elastic | None = None
    buffer_shards: int = Field(2, gt=0, description="shards whose samples are shuffled together in memory")
    keep_checkpoints: int = Field(2, gt=0)
    ranks: int | None = Field(None, gt=0, description="Horovod ranks; unset: as the profile says")
    seed: int | None = Field(None, ge=0, lt=2**63, description="first weights and order of samples; unset: the job's")

    @model_validator(mode="after")
    def _steps_have_epochs(self) -> Train:
        rising = list(self.decay_epochs) == sorted(set(self.decay_epochs))
        if (self.schedule == "steps") != bool(self.decay_epochs) or not rising:
            raise ValueError('schedule = "steps" and rising decay_epochs go together')
        if self.decay_epochs and not 0 < self.decay_epochs[0] <= self.decay_epochs[-1] < self.epochs:
            raise ValueError(f"decay_epochs lie between the training's begin and its end (0 and {self.epochs})")
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"a warm-up of {self.warmup_epochs:g} epochs never ends in a training of {self.epochs}: warmup_epochs "
                f"= {self.epochs} at most"
            )
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError('weight_decay is for optimizer = "adamw", "sgd" or "lamb"')
        return self


class Evaluate(Section):
    """Scores on the held-out shards."""

    batch: int = Field(512, gt=0)
    frechet: bool = Field(True, description="Fréchet distance between training and held-out samples")
    frechet_samples: int = Field(4096, gt=1, description="training samples that enter the Fréchet distance")
