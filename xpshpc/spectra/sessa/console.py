"""One running SESSA: commands go in, lines come out, and nobody waits for ever."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from xpshpc.spectra.sessa import keeper
from xpshpc.spectra.sessa.grammar import DONE, FAILURES, SILENT, say
from xpshpc.spectra.sessa.policy import Trouble

GRACE_S = 1.0
"""Between SIGTERM and SIGKILL, and between QUIT and SIGTERM."""

_KEPT_LINES = 400
_LONGEST_LINE = 4096
_PIECE = 65536
_BEAT_S = 1.0
_KEEPER_S = 15.0


class ConsoleTrouble(Exception):
    """A command was not answered as it should be."""

    def __init__(self, trouble: Trouble, why: str) -> None:
        super().__init__(trouble, why)
        self.trouble = trouble
        self.why = why

    def __str__(self) -> str:
        return f"{self.trouble}: {self.why}"


class Console:
    """A process of SESSA with its own home, scratch folder and process group.

    It dies with this process, however that ends, and so does all that it started; its scratch folder goes with it.
    `silence_s`: time without a byte of output after a command, on the monotonic clock, that counts as silence.
    """

    def __init__(
        self, command: Sequence[str], *, silence_s: float, scratch: Path | None = None, environment: Mapping[str, str]
    ) -> None:
        self._silence_s = silence_s
        self.scratch = Path(tempfile.mkdtemp(prefix="sessa-", dir=scratch))
        home = self.scratch / "home"
        home.mkdir(mode=0o700)
        reading, self._control = os.pipe()
        arguments = [str(reading), str(os.getpid()), str(GRACE_S), str(self.scratch), *command]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(reading,),
                start_new_session=True,
                cwd=self.scratch,
                env={**environment, "HOME": str(home), "TMPDIR": str(self.scratch)},
                bufsize=0,
            )
        finally:
            os.close(reading)
        self._let_go = weakref.finalize(self, os.close, self._control)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._unfinished = b""
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self.spectra = 0
        """Spectra that this process has made; whoever asks for them counts."""

    @property
    def keeper_pid(self) -> int:
        """The process that SESSA lives below."""
        return self._process.pid

    def ask(self, line: str, *, deadline: float, beat: Callable[[], None], done: bool = True) -> list[str]:
        """Gives a command; returns the last lines of the answer, up to the one that says DONE.

        `deadline` is on the monotonic clock; `beat` is called about once a second while the watch runs. With `done`
        false the command has no answer to wait for. Raises ConsoleTrouble.
        """
        self._said.clear()
        pending = f"{line}\n".encode()
        heard = beaten = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            selector.register(self._to, selectors.EVENT_WRITE)
            while True:
                now = time.monotonic()
                if now - heard >= self._silence_s:
                    raise ConsoleTrouble(Trouble.SILENT, f"no sign for {now - heard:.1f} s after {line!r}")
                if now >= deadline:
                    raise ConsoleTrouble(Trouble.OVERTIME, f"not done in time with {line!r}{self._last_words()}")
                if now - beaten >= _BEAT_S:
                    beat()
                    beaten = now
                wait = min(heard + self._silence_s, deadline, beaten + _BEAT_S) - now
                for key, _ in selector.select(max(wait, 0.0)):
                    if key.fd == self._to:
                        pending = self._give(pending, line)
                        if not pending:
                            selector.unregister(self._to)
                            if not done:
                                return []
                    elif self._hear(line):
                        return list(self._said)
                    else:
                        heard = time.monotonic()

    def _give(self, pending: bytes, line: str) -> bytes:
        try:
            return pending[os.write(self._to, pending) :]
        except BlockingIOError:
            return pending
        except BrokenPipeError:
            raise self._death(line) from None

    def _hear(self, line: str) -> bool:
        """Takes in what was printed; whether the command is done. Raises ConsoleTrouble for an error or the end."""
        try:
            piece = os.read(self._from, _PIECE)
        except BlockingIOError:
            return False
        if not piece:
            raise self._death(line)
        *lines, rest = (self._unfinished + piece).split(b"\n")
        self._unfinished = rest[-_LONGEST_LINE:]
        finished = False
        for raw in lines:
            text = raw[:_LONGEST_LINE].decode(errors="replace").strip()
            self._said.append(text)
            if any(failure.matches(text) for failure in FAILURES):
                raise ConsoleTrouble(Trouble.ERROR, f"{line!r} was answered {text!r}")
            finished = finished or DONE.matches(text)
        return finished

    def _death(self, line: str) -> ConsoleTrouble:
        self._let_go()
        try:
            code = self._process.wait(_KEEPER_S)
        except subprocess.TimeoutExpired:
            return ConsoleTrouble(Trouble.DIED, f"closed its output after {line!r}")
        if code > 128 and code - 128 in {number.value for number in signal.Signals}:
            how = f"was killed by {signal.Signals(code - 128).name}"
        else:
            how = f"ended with exit code {code}"
        return ConsoleTrouble(Trouble.DIED, f"{how} after {line!r}{self._last_words()}")

    def _last_words(self) -> str:
        words = [text for text in self._said if text][-2:]
        return f"; last said {' / '.join(words)!r}" if words else ""

    def close(self, *, politely: bool) -> None:
        """Ends the process and all that it started: after QUIT, if it may be `politely`; nothing is left then.

        Safe to call again.
        """
        if self._let_go.alive and politely:
            try:
                quitting = say("QUIT")
                self.ask(quitting, deadline=time.monotonic() + GRACE_S, beat=lambda: None, done="QUIT" not in SILENT)
                self._process.wait(GRACE_S)
            except (ConsoleTrouble, subprocess.TimeoutExpired):
                pass  # what does not leave when asked is killed below
        self._let_go()
        try:
            self._process.wait(_KEEPER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
