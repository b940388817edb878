"""SLURM's commands as they are run: in a clean environment, and again for as long as the controller is only busy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from xpshpc.cluster.command import Answer, ask
from xpshpc.cluster.slurm.words import Verdict, judge
from xpshpc.errors import EnvironmentFault, UsageError

_ANSWER_S = 60.0
_SHORTEST_ANSWER_S = 5.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_KEPT_VARIABLES = ("SLURM_CONF", "SLURM_CONF_SERVER")


class SlurmRefused(UsageError):
    """SLURM said no, for good: `what` holds its own words."""


class SlurmUnreachable(EnvironmentFault):
    """SLURM gave no answer for longer than the patience."""


class Commands:
    """Runs SLURM's commands as this user, with times in seconds since the epoch."""

    def __init__(
        self,
        patience_s: float,
        environment: Mapping[str, str],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.patience_s = patience_s
        self._environment = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C", **environment}
        self._clock = clock
        self._sleep = sleep

    def patience(self) -> Patience:
        """A fresh patience."""
        return Patience(self.patience_s, self._clock, self._sleep)

    def run(self, command: Sequence[str]) -> tuple[Answer, Verdict]:
        """Gives a command once."""
        stray = [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_")) and name not in _KEPT_VARIABLES]
        given = [f"{name}={value}" for name, value in self._environment.items()]
        timeout_s = min(_ANSWER_S, max(_SHORTEST_ANSWER_S, self.patience_s))
        answer = ask(["env", *(f"--unset={name}" for name in stray), *given, *command], timeout_s=timeout_s)
        return answer, judge(answer.code, words_of(answer))

    def ask(
        self, command: Sequence[str], *, where: str = "", patience: Patience | None = None, gone: bool = False
    ) -> Answer:
        """Gives a command until SLURM takes it; `gone`: that a job has ended, or never was, is an answer too.

        Raises SlurmRefused, SlurmUnreachable, and EnvironmentFault where there is no such command.
        """
        patience = patience or self.patience()
        while True:
            answer, verdict = self.run(command)
            if verdict is Verdict.DONE or (gone and verdict is Verdict.GONE):
                return answer
            if verdict is not Verdict.AGAIN:
                raise refusal(answer, verdict, where or command[0])
            patience.wait(answer)


class Patience:
    """Pauses that grow, until the time is up."""

    def __init__(self, patience_s: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._end = clock() + patience_s
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._pause_s = _FIRST_PAUSE_S

    def wait(self, answer: Answer) -> None:
        """Waits before the next try. Raises SlurmUnreachable, with what was said last, once the patience has ended."""
        left = self._end - self._clock()
        if left <= 0:
            raise SlurmUnreachable(
                f"SLURM did not answer within {self._patience_s:.0f} s: {answer.last_words()}",
                try_="scontrol ping, and the same command once the controller is back",
            )
        self._sleep(min(self._pause_s, left))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


def refusal(answer: Answer, verdict: Verdict, where: str) -> UsageError | EnvironmentFault:
    if verdict is Verdict.MISSING:
        return EnvironmentFault(
            "SLURM's commands are not here", where=where, try_="a login node of the cluster, or: xpshpc cluster up"
        )
    return SlurmRefused(f"SLURM refused: {_in_one_line(answer)}", where=where, try_="sinfo, or change the profile")


def _in_one_line(answer: Answer) -> str:
    said = [line.strip() for line in words_of(answer).splitlines() if line.strip()]
    return "; ".join(said) or f"exit code {answer.code}"


def words_of(answer: Answer) -> str:
    return f"{answer.errors}\n{answer.output}" if not answer.ok else answer.errors
