"""The job file: read, completed with defaults and validated whole before anything starts."""

from xpshpc.config.generating import Allowances, Generate, Split
from xpshpc.config.job import Job, JobFile, read_job, set_dotted, validate_job
from xpshpc.config.searching import Budget, Halving, Point, Search, Span, TrialAllowances
from xpshpc.config.section import Section, known_keys, nearest, tell_faults
from xpshpc.config.training import EarlyStopping, Elastic, Evaluate, Train

__all__ = [
    "Allowances",
    "Budget",
    "EarlyStopping",
    "Elastic",
    "Evaluate",
    "Generate",
    "Halving",
    "Job",
    "JobFile",
    "Point",
    "Search",
    "Section",
    "Span",
    "Split",
    "Train",
    "TrialAllowances",
    "known_keys",
    "nearest",
    "read_job",
    "set_dotted",
    "tell_faults",
    "validate_job",
]
