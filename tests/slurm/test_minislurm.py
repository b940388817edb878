"""A cluster comes up whole or not at all, leaves nothing, and does what SLURM does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from xpshpc.cluster.minislurm import Cluster, ClusterPlan, bring_up, end_cluster, find_cluster
from xpshpc.cluster.minislurm.daemon import marked_processes
from xpshpc.cluster.minislurm.plan import usual_isolation
from xpshpc.cluster.minislurm.record import read_record
from xpshpc.cluster.minislurm.requirements import missing_programs
from xpshpc.cluster.process import is_alive
from xpshpc.errors import EnvironmentFault, UsageError

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing_programs(ClusterPlan())), reason="no SLURM here; cluster/setup.sh installs it"),
]

PATIENCE_S = 90
SMALL = ClusterPlan(nodes=1, gpus=0)


def wait_for(holds: Callable[[], bool], subject: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, subject
        time.sleep(0.05)


def submit(cluster: Cluster, folder: Path, command: str, *options: str) -> str:
    answer = cluster.run(
        "sbatch", "--parsable", f"--chdir={folder}", f"--output={folder}/%x.%A.%a.out", *options, "--wrap", command
    )
    assert answer.ok, answer
    return answer.output.strip()


def ended(cluster: Cluster, job: str) -> Callable[[], bool]:
    def check() -> bool:
        answer = cluster.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")
        states = set(answer.output.split())
        return bool(states) and not states & {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED"}

    return check


def state_of(cluster: Cluster, job: str) -> str:
    return cluster.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").output.strip()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Where a test may bring up a cluster of its own; none is left whatever happens."""
    root = tmp_path / "cluster"
    yield root
    end_cluster(root)


# ---- Up and down ----------------------------------------------------------------------------------------------------


def test_a_cluster_leaves_neither_process_nor_file_though_jobs_run(root: Path, tmp_path: Path) -> None:
    cluster = bring_up(root, ClusterPlan(nodes=2))
    job = submit(cluster, tmp_path, "sleep 1000 & setsid sleep 1001 & sleep 1002", "--job-name=long", "--nodes=2")
    wait_for(lambda: len(cluster.leftovers()) >= 3, "the job's processes")
    inside, record = cluster.leftovers(), read_record(root)
    assert record is not None and state_of(cluster, job) == "RUNNING"
    daemons = marked_processes(root)
    assert set(record.processes.values()) <= set(daemons)
    cluster.down()
    assert [process for process in (*inside, *daemons) if is_alive(process)] == []
    assert marked_processes(root) == ()
    assert not root.exists() and find_cluster(root) is None
    cluster.down()


def test_what_was_in_the_folder_before_stays(root: Path) -> None:
    root.mkdir()
    (root / "notes.txt").write_text("mine")
    bring_up(root, SMALL).down()
    assert [path.name for path in root.iterdir()] == ["notes.txt"]


def test_folders_of_others_are_neither_used_nor_removed(root: Path) -> None:
    (root / "log").mkdir(parents=True)
    (root / "log" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as fault:
        bring_up(root, SMALL)
    assert str(root / "log") in fault.value.where
    end_cluster(root)
    assert (root / "log" / "notes.txt").read_text() == "mine"


def test_a_failed_start_leaves_nothing_and_tells_why(root: Path) -> None:
    with pytest.raises(EnvironmentFault) as fault:
        bring_up(root, ClusterPlan(nodes=2, extra=("NoSuchSetting=1",)))
    assert "slurmctld" in fault.value.what and "NoSuchSetting" in fault.value.what
    assert marked_processes(root) == () and not root.exists()


def test_a_missing_program_is_named_with_what_to_type(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpshpc.cluster.minislurm.requirements.SYSTEM_FOLDERS", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentFault) as fault:
        bring_up(root, ClusterPlan(isolation="none"))
    assert "slurmctld" in fault.value.what and "apt-get install" in fault.value.try_
    assert not root.exists()


def test_a_folder_that_slurm_cannot_write_down_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        bring_up(tmp_path / "two words", SMALL)


def test_a_root_of_any_length_will_do(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 120) / "cluster"
    with bring_up(long, SMALL) as cluster:
        assert cluster.run("srun", "hostname").ok
        record = read_record(long)
        assert record is not None
        short = record.layout.short
        assert short.stat().st_mode & 0o777 == 0o700
    assert not short.exists() and not long.exists()


def test_two_clusters_know_nothing_of_each_other(root: Path, tmp_path: Path) -> None:
    with bring_up(root, SMALL) as one, bring_up(tmp_path / "other", SMALL) as other:
        job = submit(one, tmp_path, "sleep 1000")
        assert [each.id for each in one.status().jobs] == [job] and other.status().jobs == ()
        wait_for(lambda: state_of(one, job) == "RUNNING", "the job's start")
        other.down()
        assert one.run("srun", "--overlap", f"--jobid={job}", "true").ok


def test_of_callers_at_the_same_time_one_starts_the_cluster_and_all_get_it(root: Path) -> None:
    barrier = threading.Barrier(4)

    def call(_: int) -> Cluster:
        barrier.wait()
        return bring_up(root, SMALL)

    with ThreadPoolExecutor(4) as callers:
        clusters = list(callers.map(call, range(4)))
    assert clusters == [clusters[0]] * 4 and find_cluster(root) == clusters[0]
    controllers = [process for process in marked_processes(root) if command_of(process.pid)[0] == "slurmctld"]
    assert len(controllers) == 1
    with pytest.raises(UsageError):
        bring_up(root, ClusterPlan(nodes=2, gpus=0))
    assert clusters[0].run("srun", "true").ok


def command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return [""]


def test_a_cluster_whose_creator_was_killed_in_the_middle_is_removed_by_anyone(root: Path) -> None:
    creator = subprocess.Popen([sys.executable, "-m", "xpshpc.cluster.minislurm", "up", str(root)])
    wait_for(lambda: len(marked_processes(root)) >= 2, "the first daemons")
    creator.send_signal(signal.SIGKILL)
    creator.wait()
    assert marked_processes(root)
    end_cluster(root)
    assert marked_processes(root) == () and not root.exists()


def test_what_is_left_of_a_dead_cluster_does_not_hinder_a_new_one(root: Path) -> None:
    bring_up(root, SMALL)
    for process in marked_processes(root):
        with suppress(ProcessLookupError):  # some go with others
            os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: find_cluster(root) is None, "the end of munged")
    with bring_up(root, SMALL) as cluster:
        assert cluster.run("srun", "true").ok


def test_without_isolation_tasks_that_ran_away_die_too(root: Path, tmp_path: Path) -> None:
    cluster = bring_up(root, ClusterPlan(nodes=2, isolation="none"))
    submit(cluster, tmp_path, "setsid sleep 1001 & sleep 1002", "--nodelist=node2")
    wait_for(lambda: len(cluster.leftovers()) >= 2, "the job's processes")
    inside = cluster.leftovers()
    cluster.kill_node("node1")
    assert all(is_alive(process) for process in inside)
    cluster.kill_node("node2")
    assert not any(is_alive(process) for process in inside)
    cluster.down()
    assert marked_processes(root) == ()


def test_the_program_alone_brings_it_up_and_down(root: Path) -> None:
    def call(*words: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "xpshpc", "cluster", *words, f"--root={root}", "--json"], capture_output=True
        )
        return {**json.loads(done.stdout), "code": done.returncode}

    assert call("status")["code"] == 5
    assert call("up", "--nodes=2", "--dry-run")["code"] == 0 and not root.exists()
    up = call("up", "--nodes=2")
    assert up["code"] == 0 and up["nodes"] == ["node1", "node2"]
    assert call("environment")["SLURM_CONF"] == str(root / "etc" / "slurm.conf")
    assert call("kill-node", "node7")["code"] == 2
    assert call("kill-node", "node2")["code"] == 0
    nodes = call("status")["nodes"]
    assert isinstance(nodes, list) and [node["powered"] for node in nodes] == [True, False]
    assert call("start-node", "node2")["code"] == 0
    assert call("down")["was_running"] is True and not root.exists()


# ---- What SLURM does ------------------------------------------------------------------------------------------------


def test_a_job_runs_on_all_nodes_under_their_names(slurm_environment: Cluster) -> None:
    cluster = slurm_environment
    answer = cluster.run("srun", "--nodes=4", "--ntasks=4", "sh", "-c", "echo $SLURMD_NODENAME $(hostname)")
    told = sorted(line.split() for line in answer.output.splitlines())
    assert [node for node, _ in told] == list(cluster.nodes)
    if cluster.plan.isolation != "none":
        assert [host for _, host in told] == list(cluster.nodes)


def test_nodes_find_each_other_by_name(slurm_environment: Cluster) -> None:
    if slurm_environment.plan.isolation == "none":
        pytest.skip("nodes have no names of their own")
    answer = slurm_environment.run("srun", "--nodelist=node1", "getent", "hosts", "node4")
    assert answer.output.split() == [slurm_environment.host_address, "node4"]


def test_shared_memory_is_a_nodes_own(slurm_environment: Cluster) -> None:
    if slurm_environment.plan.isolation == "none":
        pytest.skip("nodes share this machine's memory")
    cluster = slurm_environment
    assert cluster.run("srun", "--nodelist=node1", "touch", "/dev/shm/of-node1").ok
    assert "of-node1" in cluster.run("srun", "--nodelist=node1", "ls", "/dev/shm").output
    assert "of-node1" not in cluster.run("srun", "--nodelist=node2", "ls", "/dev/shm").output
    assert not Path("/dev/shm/of-node1").exists()
    assert cluster.run("srun", "--nodelist=node1", "rm", "/dev/shm/of-node1").ok


def test_fake_gpus_are_given_out_one_to_one(slurm_environment: Cluster, tmp_path: Path) -> None:
    cluster = slurm_environment
    answer = cluster.run("srun", "--nodes=2", "--ntasks=2", "--gres=gpu:2", "printenv", "CUDA_VISIBLE_DEVICES")
    assert answer.output.split() == ["0,1", "0,1"]
    jobs = [submit(cluster, tmp_path, "sleep 1000", "--gres=gpu:1", "--mem=100") for _ in range(9)]
    wait_for(lambda: sum(job.state == "running" for job in cluster.status().jobs) == 8, "eight jobs on eight GPUs")
    states = {job.id: job.state for job in cluster.status().jobs}
    assert sorted(states) == sorted(jobs) and list(states.values()).count("pending") == 1


def test_arrays_and_dependencies(slurm_environment: Cluster, tmp_path: Path) -> None:
    cluster = slurm_environment
    array = submit(cluster, tmp_path, "echo $SLURM_ARRAY_TASK_ID", "--array=0-5%3", "--job-name=part", "--mem=100")
    after = submit(cluster, tmp_path, "cat part.*.out", f"--dependency=afterok:{array}", "--job-name=whole")
    failed = submit(cluster, tmp_path, "exit 3")
    never = submit(cluster, tmp_path, "true", f"--dependency=afterok:{failed}", "--kill-on-invalid-dep=yes")
    wait_for(ended(cluster, after), "the job behind the array")
    (whole,) = tmp_path.glob("whole.*.out")
    assert sorted(whole.read_text().split()) == list("012345")
    wait_for(ended(cluster, never), "the job behind the failure")
    assert state_of(cluster, never) == "CANCELLED"


def test_a_job_longer_than_its_partition_allows_is_refused(slurm_environment: Cluster) -> None:
    answer = slurm_environment.run("srun", "--partition=short", "--time=10", "true")
    assert answer.code == 1 and "time limit" in answer.errors.lower()


def test_finished_jobs_stay_on_record(slurm_environment: Cluster, tmp_path: Path) -> None:
    cluster = slurm_environment
    job = submit(cluster, tmp_path, "exit 3", "--job-name=remembered")
    wait_for(ended(cluster, job), "the job")

    def told() -> str:
        return cluster.run("sacct", "--completion", "--noheader", "--parsable2", f"--jobs={job}").output

    wait_for(lambda: "FAILED" in told(), "the job on record")
    assert "remembered" in told()


def test_stray_variables_lead_no_command_astray(
    slurm_environment: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", "/nowhere/slurm.conf")
    monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
    job = submit(slurm_environment, tmp_path, "true")
    wait_for(ended(slurm_environment, job), "the job")
    assert state_of(slurm_environment, job) == "COMPLETED"


@pytest.mark.skipif(
    bool(missing_programs(ClusterPlan(accounting="slurmdbd"))),
    reason="no slurmdbd and MariaDB here: apt-get install slurmdbd slurm-wlm-mysql-plugin mariadb-server",
)
def test_the_database_remembers_jobs_and_nobody_else_reaches_it(root: Path) -> None:
    with bring_up(root, ClusterPlan(nodes=1, gpus=0, accounting="slurmdbd")) as cluster:
        assert cluster.run("srun", "--job-name=kept", "true").ok

        def told() -> str:
            return cluster.run("sacct", "--noheader", "--parsable2", "--format=jobname,account,state").output

        wait_for(lambda: "kept|science|COMPLETED" in told(), "the job in the database")
        record = read_record(root)
        assert record is not None
        server = record.processes["mariadbd"].pid
        listening = subprocess.run(["ss", "--listening", "--tcp", "--processes"], capture_output=True, text=True)
        assert f"pid={server}," not in listening.stdout
    assert marked_processes(root) == () and not root.exists()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root may become someone else")
def test_who_is_not_root_has_a_cluster_without_isolation(tmp_path: Path) -> None:
    assert usual_isolation() in ("pid", "none")
    folder = Path("/tmp") / f"minislurm-of-nobody-{os.getpid()}"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m")
    environment = {**os.environ, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def call(what: str) -> subprocess.CompletedProcess[str]:
        command = [*nobody, "xpshpc.cluster.minislurm", what, str(folder / "c")]
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)

    try:
        up = call("up")
        assert up.returncode == 0, up.stderr
        assert call("status").stdout.count("idle") == 4
    finally:
        down = call("down")
        shutil.rmtree(folder)
    assert down.returncode == 0, down.stderr
    assert marked_processes(folder / "c") == ()
