"""What is learned from wafer maps, as [train.task] says: to name their pattern, or to make more of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from xpshpc.config import nearest
from xpshpc.domain import Problem
from xpshpc.errors import UsageError
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.models import Goal
from xpshpc.wafers.settings import WaferSettings


def make_problem(settings: WaferSettings, task: Mapping[str, Any]) -> Problem:
    """The learning problem of a job. Raises UsageError for an unknown goal, and for keys that the goal has not."""
    goal = task.get("goal", "classify")
    if goal == "generate":
        from xpshpc.wafers.learning.generation import make_generation

        return make_generation(settings, task)
    if goal == "classify":
        from xpshpc.wafers.learning.class_weights import class_shares
        from xpshpc.wafers.learning.classification import WaferClassification
        from xpshpc.wafers.learning.task import read_task

        names = class_names(settings)
        return WaferClassification(settings.size, names, read_task(task), lambda: class_shares(settings, names))
    raise UsageError(f"unknown goal {goal!r}{nearest(str(goal), get_args(Goal))}", where="train.task.goal")
