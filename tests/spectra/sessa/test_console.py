"""One process under watch: what it says is heard, silence has its measure, and nothing of it outlives anyone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.spectra.sessa.processes import OBEDIENT, all_gone, processes_below, write_program
from xpshpc.spectra.sessa.console import Console, ConsoleTrouble
from xpshpc.spectra.sessa.policy import Trouble

LEAVES_CHILDREN = """
import os, signal, sys, time
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    print("Done", flush=True)
time.sleep(600)
"""

HOLDER = """
import sys, time
from pathlib import Path
from xpshpc.spectra.sessa.console import Console
import os
console = Console(sys.argv[2:], silence_s=20.0, scratch=Path(sys.argv[1]), environment=dict(os.environ))
console.ask("hello", deadline=time.monotonic() + 20, beat=lambda: None)
print(console.keeper_pid, flush=True)
time.sleep(600)
"""


def open_console(folder: Path, text: str, silence_s: float = 20.0, **environment: str) -> Console:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return Console(
        write_program(folder, text), silence_s=silence_s, scratch=scratch, environment={**os.environ, **environment}
    )


def ask(console: Console, line: str = "hello", timeout_s: float = 20.0) -> list[str]:
    return console.ask(line, deadline=time.monotonic() + timeout_s, beat=lambda: None)


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[None]:
    before = set(processes_below(os.getpid()))
    yield
    left = [process for process in processes_below(os.getpid()) if process not in before]
    assert all_gone(left)
    assert not list((tmp_path / "scratch").iterdir())


pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("nothing_left")]


def test_commands_are_answered_one_by_one_and_it_leaves_when_asked(tmp_path: Path) -> None:
    console = open_console(tmp_path, OBEDIENT)
    assert ask(console, "one") == ["got one", "Done"]
    assert ask(console, "two") == ["got two", "Done"]
    began = time.monotonic()
    console.close(politely=True)
    console.close(politely=True)
    assert time.monotonic() - began < 5.0


def test_it_has_a_home_and_a_scratch_folder_of_its_own(tmp_path: Path) -> None:
    says = "print(os.environ['HOME'], os.getcwd(), os.getpgid(0) == os.getpid())"
    text = f"import os\ninput()\n{says}\nprint('Done')\ninput()"
    console = open_console(tmp_path, text)
    home, folder, leads_a_group = ask(console)[0].split()
    assert Path(home).parent == Path(folder) == console.scratch != Path.home()
    assert leads_a_group == "True"
    assert {Path(path).stat().st_mode & 0o777 for path in (home, folder)} == {0o700}
    console.close(politely=False)


@pytest.mark.parametrize(
    ("text", "trouble", "said"),
    [
        ("input(); print('*** Error: no such layer', flush=True); input()", Trouble.ERROR, "no such layer"),
        ("input(); print('Unhandled unknown exception', flush=True); input()", Trouble.ERROR, "Unhandled"),
        ("input(); print('segment', flush=True); raise SystemExit(7)", Trouble.DIED, "exit code 7.*segment"),
        ("import os; input(); os.kill(os.getpid(), 11)", Trouble.DIED, "SIGSEGV"),
        ("raise SystemExit(3)", Trouble.DIED, "exit code 3"),
        ("import os; os.close(1); os.close(2); input(); input()", Trouble.DIED, "after 'hello'"),
    ],
)  # fmt: skip
def test_failures_are_told_apart(tmp_path: Path, text: str, trouble: Trouble, said: str) -> None:
    console = open_console(tmp_path, text)
    with pytest.raises(ConsoleTrouble, match=said) as failed:
        ask(console)
    assert failed.value.trouble is trouble
    console.close(politely=False)


def test_a_program_that_is_not_there_died(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    console = Console(
        [str(tmp_path / "nowhere")], silence_s=20.0, scratch=tmp_path / "scratch", environment=dict(os.environ)
    )
    with pytest.raises(ConsoleTrouble, match="nowhere") as failed:
        ask(console)
    assert failed.value.trouble is Trouble.DIED
    console.close(politely=False)


def test_silence_has_its_measure_and_a_sign_begins_it_anew(tmp_path: Path) -> None:
    speaks = "import time\ninput()\nfor _ in range(3):\n    time.sleep(0.7); print('.', flush=True)\ntime.sleep(600)"
    console = open_console(tmp_path, speaks, silence_s=5.0)
    beats: list[float] = []
    began = time.monotonic()
    with pytest.raises(ConsoleTrouble) as failed:
        console.ask("hello", deadline=began + 30, beat=lambda: beats.append(time.monotonic()))
    assert failed.value.trouble is Trouble.SILENT
    assert time.monotonic() - began >= 2.1 + 5.0
    assert beats
    console.close(politely=False)


def test_talking_is_not_working(tmp_path: Path) -> None:
    console = open_console(tmp_path, "import time\nwhile True:\n    print('.' * 10_000, flush=True); time.sleep(0.01)")
    began = time.monotonic()
    with pytest.raises(ConsoleTrouble) as failed:
        ask(console, timeout_s=1.0)
    assert failed.value.trouble is Trouble.OVERTIME
    assert time.monotonic() - began >= 1.0
    console.close(politely=False)


def test_a_program_that_does_not_read_is_silent(tmp_path: Path) -> None:
    console = open_console(tmp_path, "import time; time.sleep(600)", silence_s=0.5)
    with pytest.raises(ConsoleTrouble) as failed:
        ask(console, "x" * 300_000)
    assert failed.value.trouble is Trouble.SILENT
    console.close(politely=False)


def test_the_deaf_and_what_they_forked_are_ended(tmp_path: Path) -> None:
    console = open_console(tmp_path, LEAVES_CHILDREN)
    ask(console)
    everyone = processes_below(console.keeper_pid)
    assert len(everyone) == 4
    console.close(politely=True)
    assert all_gone(everyone, 0.5)


def test_a_console_that_is_forgotten_ends(tmp_path: Path) -> None:
    console = open_console(tmp_path, LEAVES_CHILDREN)
    ask(console)
    everyone = processes_below(console.keeper_pid)
    del console
    assert all_gone(everyone)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_process_that_holds_it(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "scratch").mkdir()
    command = write_program(tmp_path, LEAVES_CHILDREN)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "scratch"), *command], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        everyone = processes_below(int(holder.stdout.readline()))
        assert len(everyone) == 4
        holder.send_signal(number)
    assert all_gone(everyone)
    until = time.monotonic() + 5.0
    while list((tmp_path / "scratch").iterdir()) and time.monotonic() < until:
        time.sleep(0.05)


def test_a_keeper_that_is_told_to_stop_ends_what_it_keeps(tmp_path: Path) -> None:
    console = open_console(tmp_path, LEAVES_CHILDREN)
    ask(console)
    everyone = processes_below(console.keeper_pid)
    psutil.Process(console.keeper_pid).terminate()
    assert all_gone(everyone)
    with pytest.raises(ConsoleTrouble) as failed:
        ask(console)
    assert failed.value.trouble is Trouble.DIED
    console.close(politely=False)
