from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from xpshpc.cluster.command import ask
from xpshpc.cluster.filesystem import examine_folder, file_system_type, try_operations
from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.readiness.check import Check, State
from xpshpc.cluster.readiness.doctor import (
    check_packages,
    check_slurm,
    check_stack,
    examine,
    exit_code,
    judge_horovod,
    judge_tensorflow,
)
from xpshpc.cluster.readiness.pins import parse_pins, project_pins
from xpshpc.cluster.readiness.rank_trial import check_ranks
from xpshpc.errors import ExitCode

HOROVOD = {"version": "0.28.1", "tensorflow": "2.21.0", "gloo": True, "mpi": False, "nccl": False}


def in_limited_process(limit: str, value: int, code: str) -> str:
    """Runs code that writes to standard output where a resource limit is lower than here."""
    lines = [
        "import resource, sys",
        "from pathlib import Path",
        f"resource.setrlimit(resource.{limit}, ({value}, resource.getrlimit(resource.{limit})[1]))",
        code,
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    return done.stdout


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_quick_examination_of_the_tests_own_machine_finds_nothing_failed(tmp_path: Path) -> None:
    checks = list(examine(tmp_path / "runs" / "new", quick=True))
    assert [check for check in checks if check.state is State.FAILED] == []
    assert exit_code(checks) == ExitCode.DONE
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert json.loads(json.dumps([check.as_json() for check in checks]))[0]["state"] == "ok"


def test_a_quick_examination_for_a_slurm_site_starts_no_jobs_and_judges_no_cores_of_this_host(tmp_path: Path) -> None:
    checks = {check.name: check for check in examine(tmp_path, profile=read_profile("gpu-site"), quick=True)}
    assert checks["nodes"].state is State.SKIPPED
    assert "cores and memory" not in checks and "slurm" in checks


def test_whatever_is_not_well_has_a_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    checks = list(examine(tmp_path / "file" / "run", quick=True))
    assert exit_code(checks) == ExitCode.ENVIRONMENT
    assert [check for check in checks if check.state in (State.FAILED, State.WARNING) and not check.cure] == []


def test_a_version_beside_its_pin_is_named_with_both() -> None:
    pins = {**project_pins(), **parse_pins("numpy==1.0.0\nTensorFlow_CPU==9.9\n")}
    check = check_packages(pins)
    assert check.state is State.FAILED
    assert f"numpy {project_pins()['numpy']} (pinned: 1.0.0)" in check.found
    assert "tensorflow-cpu" in check.found and "(pinned: 9.9)" in check.found
    assert check.cure == "cluster/setup.sh"


@pytest.mark.ranks
def test_the_installed_libraries_tell_who_they_are() -> None:
    pins = project_pins()
    tensorflow, horovod = check_stack()
    assert (tensorflow.state, horovod.state) == (State.OK, State.OK)
    assert f"TensorFlow {pins['tensorflow-cpu']}, Keras {pins['keras']}" in tensorflow.found
    assert "Gloo" in horovod.found and f"built for TensorFlow {pins['tensorflow-cpu']}" in horovod.found


def test_a_horovod_of_another_tensorflow_or_without_gloo_is_found() -> None:
    assert judge_horovod(HOROVOD, "2.21.0", "").state is State.OK
    other = judge_horovod(HOROVOD, "2.22.0", "")
    assert other.state is State.FAILED and "2.21.0" in other.found and "2.22.0" in other.found
    assert judge_horovod({**HOROVOD, "gloo": False}, "2.21.0", "").state is State.FAILED


def test_a_library_that_cannot_be_imported_is_quoted() -> None:
    words = "ImportError: numpy.core.multiarray failed to import"
    for check in (judge_tensorflow(None, words), judge_horovod(None, "2.21.0", words)):
        assert check.state is State.FAILED and words in check.found


def test_keras_on_another_backend_is_found() -> None:
    check = judge_tensorflow({"version": "2.21.0", "keras": "3.15.1", "backend": "jax"}, "")
    assert check.state is State.FAILED and check.cure == "export KERAS_BACKEND=tensorflow"


@pytest.mark.ranks
def test_two_ranks_really_add_by_each_launcher() -> None:
    checks = list(check_ranks(Profile(name="p", launcher="mpirun" if shutil.which("mpirun") else "gloo")))
    assert [check for check in checks if check.state not in (State.OK, State.SKIPPED)] == []
    assert "horovod by gloo" in [check.name for check in checks]
    if shutil.which("mpirun"):
        assert [check.name for check in checks] == ["horovod by gloo", "mpi", "horovod by mpirun"]


@pytest.mark.ranks
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root may take another host name")
def test_ranks_of_one_host_need_no_address_for_its_name() -> None:
    """Gloo takes the loopback interface it was given; by the host's name, ranks would listen to the network."""
    code = (
        "import socket; socket.sethostname('no-such-host.invalid')\n"
        "from xpshpc.cluster.readiness.rank_trial import try_ranks\n"
        "import sys; check = try_ranks('horovod', 'gloo', 'two ranks'); sys.stdout.write(check.state + check.found)"
    )
    done = subprocess.run(["unshare", "--uts", sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ok"), done.stdout


@pytest.mark.ranks
def test_an_mpirun_that_joins_nobody_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "mpirun", "echo 'no slots left in this allocation' >&2; exit 7")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    _, mpi, horovod = check_ranks(Profile(name="p", launcher="mpirun"))
    assert (mpi.state, horovod.state) == (State.FAILED, State.FAILED)
    _, mpi = check_ranks(Profile(name="p", launcher="gloo"))
    assert mpi.state is State.WARNING


def test_a_file_system_that_takes_no_folder_is_found() -> None:
    check = examine_folder("run directory", Path("/sys/xpshpc/run"))
    assert check.state is State.FAILED and "/sys" in check.found and check.cure


def test_a_run_inside_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    check = examine_folder("run directory", tmp_path / "taken" / "run")
    assert check.state is State.FAILED and "is a file" in check.found


def test_a_missing_folder_is_judged_by_the_one_above_it_and_nothing_is_left(tmp_path: Path) -> None:
    check = examine_folder("run directory", tmp_path / "not" / "yet", enough_bytes=0)
    assert str(tmp_path) in check.found
    assert list(tmp_path.iterdir()) == []


def test_little_space_is_a_warning_that_names_what_is_free(tmp_path: Path) -> None:
    check = examine_folder("run directory", tmp_path, enough_bytes=10**18)
    assert check.state is State.WARNING and "GB free" in check.found


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no file system in memory here")
def test_a_file_system_in_memory_is_a_warning() -> None:
    folder = Path("/dev/shm")
    assert file_system_type(folder) == "tmpfs"
    assert examine_folder("run directory", folder).state is State.WARNING


def test_an_operation_that_fails_is_named(tmp_path: Path) -> None:
    assert try_operations(tmp_path) == []
    code = (
        "from xpshpc.cluster.filesystem import examine_folder\n"
        f"sys.stdout.write(examine_folder('run directory', Path({str(tmp_path)!r})).found)"
    )
    found = in_limited_process("RLIMIT_FSIZE", 0, code)
    assert all(f"{name} fails: File too large" in found for name in ("fsync", "rename", "link", "append"))


def test_the_mount_table_is_read_with_its_octal_blanks_and_hidden_mounts(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    octal = str(folder).replace(" ", r"\040")
    table = tmp_path / "mounts"
    table.write_text(f"/dev/a / ext4 rw 0 0\nb {octal} nfs4 rw 0 0\nc {octal} lustre rw 0 0\nd {octal}x tmpfs rw 0 0\n")
    assert file_system_type(folder, table) == "lustre"
    assert file_system_type(tmp_path, table) == "ext4"


def test_few_open_files_are_a_warning() -> None:
    imports = "from xpshpc.cluster.readiness.doctor import check_open_files as check"
    code = f"{imports}; found = check(); sys.stdout.write(found.state + found.found)"
    found = in_limited_process("RLIMIT_NOFILE", 256, code)
    assert found.startswith("warning") and "256" in found


@pytest.mark.parametrize("broken", ["sinfo", "squeue"])
def test_slurm_is_quoted_when_it_does_not_answer(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool, answer in (("sinfo", 'echo "slurm 22.05.8"'), ("squeue", "true")):
        complaint = "echo 'slurm_load: Unable to contact slurm controller' >&2; exit 1"
        script(tmp_path, tool, complaint if tool == broken else answer)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    check = check_slurm()
    assert check.state is State.WARNING
    assert "Unable to contact slurm controller" in check.found and check.cure.startswith(broken)


def test_a_machine_of_no_cluster_is_told_how_to_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("sinfo", "squeue"):
        script(tmp_path, tool, "echo 'sinfo: fatal: Could not establish a configuration source' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    check = check_slurm()
    assert check.state is State.SKIPPED and "cluster up" in check.cure


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    answer = ask(["sh", "-c", "sleep 300 & echo $!; exec sleep 300"], timeout_s=3)
    assert answer.code is None and "no answer in time" in answer.last_words()
    assert is_gone(int(answer.output))


def test_a_child_left_behind_is_killed_too() -> None:
    answer = ask(["sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!"], timeout_s=20)
    assert answer.ok and is_gone(int(answer.output))


def test_a_command_that_is_not_there_answers_like_a_shell() -> None:
    answer = ask(["no-such-command-here"], timeout_s=1)
    assert answer.code == 127 and "No such file" in answer.last_words()


def is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


def test_a_warning_alone_is_no_failure() -> None:
    fine = Check("a", State.OK, "")
    assert exit_code([fine, Check("b", State.WARNING, "slow"), Check("c", State.SKIPPED, "")]) == ExitCode.DONE
    assert exit_code([fine, Check("d", State.FAILED, "gone")]) == ExitCode.ENVIRONMENT
