"""Each thing that a site may lack is found on a real SLURM before anything is submitted, and leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.readiness.check import State
from xpshpc.cluster.readiness.preflight import Survey, preflight, require_ready
from xpshpc.cluster.slurm.client import Slurm, SlurmRefused, SlurmUnreachable
from xpshpc.errors import EnvironmentFault, ExitCode, UsageError

pytestmark = pytest.mark.slurm


@pytest.fixture
def folder(slurm_environment: Cluster, tmp_path: Path) -> Iterator[Path]:
    """Where the run would be; nothing of a preflight stays there, and no job of it."""
    yield tmp_path / "runs" / "new"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    left = slurm_environment.run("squeue", "--noheader", "--name=xpshpc-preflight")
    assert left.ok and left.output == ""


def profile(site: dict[str, Any] | None = None, **keys: Any) -> Profile:
    """Two ranks on two nodes, as the one-machine cluster can serve them, but for what is given."""
    site = site or {}
    tables = {
        "partition": "main",
        "generate": {"memory_per_worker": "512M", "coordinator_memory": "512M"},
        **site,
        "train": {"nodes": 2, "memory_per_rank": "384M", **site.get("train", {})},
    }
    known = {"name": "p", "kind": "slurm", "workers": 2, "ranks": 2, "launcher": "srun-gloo", "slurm": tables}
    return Profile.model_validate({**known, **keys})


def test_a_site_that_is_ready_is_ready_in_every_point(folder: Path) -> None:
    ready = profile({"train": {"gpus_per_node": 1, "gpu_type": "fake"}, "interface": "lo"}, scratch="/tmp")
    checks = require_ready(ready, folder, ("generate", "train", "evaluate", "report"))
    assert {check.state for check in checks} == {State.OK}, checks
    names = [check.name for check in checks]
    assert len(set(names)) == len(names)
    for subject in ("environment of", "interface of", "scratch of", "GPUs of nodes of train, evaluate"):
        assert any(name.startswith(subject) for name in names), subject


def test_the_built_in_profile_of_the_one_machine_cluster_fits_it(folder: Path) -> None:
    assert {check.state for check in preflight(Survey(read_profile("minislurm"), folder))} == {State.OK}


def test_a_path_that_nodes_do_not_share_is_found(slurm_environment: Cluster) -> None:
    if slurm_environment.plan.isolation == "none":
        pytest.skip("without namespaces the nodes share every path")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as private:
        with pytest.raises(EnvironmentFault, match="do not see this path") as caught:
            require_ready(profile(), Path(private) / "run", ("generate",))
        assert list(Path(private).iterdir()) == []
    assert private in caught.value.where and "--runs" in caught.value.try_


def test_slurms_own_words_about_a_partition_and_a_constraint(folder: Path) -> None:
    with pytest.raises(SlurmRefused, match=r"[Ii]nvalid partition") as caught:
        require_ready(profile({"partition": "mian"}), folder, ("generate",))
    assert caught.value.try_ == "no partition 'mian' (did you mean 'main'?)"
    with pytest.raises(SlurmRefused, match="Invalid feature specification"):
        require_ready(profile({"constraint": "a100"}), folder, ("train",))
    with pytest.raises(SlurmRefused, match=r"[Ii]nvalid partition"):
        require_ready(read_profile("gpu-site"), folder, ("train",))


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"cpus_per_rank": 3}, "3 CPUs a node"),
        ({"memory_per_rank": "1T"}, "MB of memory a node"),
        ({"gpus_per_node": 3}, "3 GPUs a node"),
        ({"nodes": 9}, "9 nodes"),
        ({"partition": "short", "time": "00:10:00"}, "allows 00:02:00"),
    ],
)
def test_more_than_the_site_has_is_never_submitted(folder: Path, train: dict[str, Any], words: str) -> None:
    """By SLURM where it refuses, with the reason beside its words; else by the reason alone."""
    with pytest.raises(UsageError) as caught:
        require_ready(profile({"train": train}), folder, ("train",), ranks=9 if "nodes" in train else 1)
    assert words in f"{caught.value.what} {caught.value.try_}"


def test_trials_that_run_at_a_time_need_their_nodes_at_a_time(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        require_ready(profile(), folder, ("search",), parallel=3)
    assert "6 nodes are asked for, partition main has 4" in f"{caught.value.what} {caught.value.try_}"


def test_a_python_that_is_not_there_or_cannot_run_the_program(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no Python /opt/none/bin/python on the nodes"):
        require_ready(profile({"python": "/opt/none/bin/python"}), folder, ("train",))
    bare = folder.parent.parent / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    with pytest.raises(EnvironmentFault, match="No module named 'xpshpc'"):
        require_ready(profile({"python": str(bare / "bin" / "python")}), folder, ("train",))


def test_another_version_on_the_nodes_is_named_with_both(folder: Path) -> None:
    packages = folder.parent.parent / "packages"
    (packages / "numpy-1.0.0.dist-info").mkdir(parents=True)
    (packages / "numpy-1.0.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0.0\n")
    other = profile({"environment": [f"export PYTHONPATH={packages}"]})
    with pytest.raises(EnvironmentFault, match=r"numpy 1\.0\.0 \(here: "):
        require_ready(other, folder, ("train",))


def test_a_module_that_cannot_be_loaded(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="module cannot be loaded"):
        require_ready(profile({"modules": ["no-such-module/1.0"]}), folder, ("generate",))


def test_an_interface_and_a_scratch_folder_that_nodes_have_not(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no network interface ib7 with an address; there are lo"):
        require_ready(profile({"interface": "ib7"}), folder, ("train",))
    with pytest.raises(EnvironmentFault, match="/proc/nowhere"):
        require_ready(profile(scratch="/proc/nowhere"), folder, ("train",))


def test_a_full_queue_is_a_warning(folder: Path, slurm_environment: Cluster) -> None:
    busy = slurm_environment.run(
        "sbatch", "--parsable", "--nodes=4", "--exclusive", "--time=10", "--output=/dev/null", "--wrap=sleep 600"
    )
    assert busy.ok
    wait_for(lambda: Slurm(patience_s=5).jobs([busy.output.strip()])[0].state == "RUNNING")
    *others, nodes = require_ready(profile(), folder, ("train",), wait_s=3)
    assert {check.state for check in others} == {State.OK}
    assert nodes.state is State.WARNING and "the queue is long" in nodes.found


def test_a_controller_that_is_away(slurm_environment: Cluster, tmp_path: Path) -> None:
    slurm_environment.stop_controller()
    with pytest.raises(SlurmUnreachable):
        require_ready(profile(), tmp_path / "run", ("train",), slurm=Slurm(patience_s=1))
    assert list(tmp_path.iterdir()) == []


def test_a_host_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = shutil.which("env")
    assert env is not None
    (tmp_path / "env").symlink_to(env)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="SLURM's commands are not here"):
        require_ready(profile(), tmp_path / "run", ("train",))


def test_the_doctor_tells_it_all_and_goes_on_after_a_failure(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        'name = "site"\nkind = "slurm"\nworkers = 2\nlauncher = "srun-gloo"\n[slurm]\npartition = "nowhere"\n'
    )
    command = [sys.executable, "-m", "xpshpc", "doctor", "--json", "--runs", str(folder), "--on", str(site)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["slurm"]["state"] == "ok"
    assert checks["ranks of train"]["state"] == checks["report"]["state"] == "failed"
    assert checks["nodes"]["state"] == "skipped"
    assert "python" in checks and "run directory" in checks


def wait_for(happens: Any, deadline_s: float = 60) -> None:
    end = time.monotonic() + deadline_s
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
