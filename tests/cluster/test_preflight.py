from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.readiness.check import State
from xpshpc.cluster.readiness.node_probe import (
    NOT_WRITABLE,
    PATH_UNSEEN,
    PYTHON_MISSING,
    Outcome,
    probe_script,
    probes_of,
)
from xpshpc.cluster.readiness.node_report import NodeReport, main, own_versions, read_report, report
from xpshpc.cluster.readiness.node_verdict import Finding, verdicts
from xpshpc.cluster.site import Site
from xpshpc.cluster.slurm.client import JobState, Partition
from xpshpc.cluster.submission.request import Request, gpus_of, misfit, requests_of
from xpshpc.errors import EnvironmentFault, UsageError

SITE = {
    "partition": "cpu",
    "generate": {"mode": "allocation", "workers_per_job": 32, "memory_per_worker": "2G", "cpus_per_worker": 2},
    "train": {"partition": "gpu", "nodes": 2, "gpus_per_node": 4, "gpu_type": "a100", "cpus_per_rank": 8},
}
CPU = Partition("cpu", "up", True, 86400, 100, 64, 256_000, "")
GPU = Partition("gpu", "up", False, 86400, 10, 64, 512_000, "gpu:a100:4(S:0-1)")


def profile(site: dict[str, Any] | None = None, **keys: Any) -> Profile:
    tables = {"name": "p", "kind": "slurm", "workers": 100, "ranks": 8, "launcher": "srun-gloo", "slurm": site or SITE}
    return Profile.model_validate({**tables, **keys})


def test_an_allocation_has_room_for_all_workers_and_a_node_for_its_share() -> None:
    (request,) = requests_of(profile(), "generate")
    assert (request.nodes, request.cpus, request.memory_mb) == (4, 64, 32 * 2048)


def test_many_small_jobs_have_a_coordinator_of_their_own() -> None:
    site = {"generate": {"workers_per_job": 4, "coordinator_time": "1-00:00:00", "coordinator_memory": "1G"}}
    coordinator, workers = requests_of(profile(site), "generate")
    assert (coordinator.nodes, coordinator.cpus, coordinator.memory_mb, coordinator.time_s) == (1, 1, 1024, 86400)
    assert (workers.nodes, workers.cpus, workers.time_s) == (1, 4, 14400)


@given(st.integers(1, 64), st.integers(1, 16))
def test_every_rank_has_a_place_and_no_node_is_empty(ranks: int, nodes: int) -> None:
    (request,) = requests_of(profile({"train": {"nodes": nodes, "cpus_per_rank": 3}}), "train", ranks=ranks)
    assert request.cpus % 3 == 0
    assert request.nodes * request.cpus // 3 >= ranks >= request.nodes


def test_a_rank_without_a_gpu_of_its_own_is_refused() -> None:
    assert requests_of(profile(), "train", ranks=8)[0].gpus == 4
    with pytest.raises(UsageError, match="9 ranks on 2 node"):
        requests_of(profile(), "train", ranks=9)


def test_ranks_that_their_launcher_cannot_bring_to_other_nodes_are_refused() -> None:
    with pytest.raises(UsageError, match="one host only"):
        requests_of(profile(launcher="gloo"), "train")
    (request,) = requests_of(profile({"train": {"cpus_per_rank": 2}}, launcher="gloo"), "train", ranks=3)
    assert (request.nodes, request.cpus) == (1, 6)


def test_the_options_of_a_request_are_sbatchs_own() -> None:
    (request,) = requests_of(profile({**SITE, "account": "xps", "options": ["--exclusive"]}), "train")
    assert request.options() == [
        "--partition=gpu", "--account=xps", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=32", "--mem=16384M",
        "--time=240", "--gres=gpu:a100:4", "--exclusive",
    ]  # fmt: skip


def asked(**change: Any) -> Request:
    (request,) = requests_of(profile(), "train")
    return replace(request, **change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"partition": "gpus"}, "no partition 'gpus' (did you mean 'gpu'?)"),
        ({"time_s": 90_000}, "allows 1-00:00:00, not 1-01:00:00"),
        ({"cpus": 65}, "65 CPUs a node"),
        ({"memory_mb": 600_000}, "600000 MB of memory"),
        ({"gpus": 8}, "8 GPUs a node are asked for, partition gpu has 4"),
        ({"gpu_type": "h100"}, "has 0"),
        ({"nodes": 11}, "11 nodes are asked for"),
        ({"partition": None}, "partition cpu has 0"),
        ({"partition": "gpu,more"}, None),
    ],
)
def test_what_no_node_can_serve_is_named(change: dict[str, Any], words: str | None) -> None:
    told = misfit(asked(**change), [CPU, GPU])
    assert told == words if words is None else words in (told or "")


def test_a_partition_that_is_down_or_without_a_limit() -> None:
    assert misfit(asked(), [CPU, replace(GPU, state="down")]) == "partition gpu is down"
    assert misfit(asked(time_s=10**8), [replace(GPU, max_time_s=None)]) is None


@pytest.mark.parametrize(
    ("gres", "kind", "count"),
    [
        ("", None, 0),
        ("gpu:4", None, 4),
        ("gpu:a100:4(S:0-1)", None, 4),
        ("gpu:a100:4(S:0-1),gpu:mig:7", "mig", 7),
        ("gpu:a100:4,gpu:mig:7", "h100", 0),
        ("gpu:fake:2(S:0)", "fake", 2),
        ("gpu", None, 1),
        ("license:3", None, 0),
    ],
)
def test_gpus_are_counted_as_slurm_writes_them(gres: str, kind: str | None, count: int) -> None:
    assert gpus_of(gres, kind) == count


def test_every_kind_of_node_is_looked_at_once_with_little() -> None:
    site = profile({**SITE, "generate": {"mode": "jobs"}})
    requests = [
        request for stage in ("generate", "train", "evaluate", "report") for request in requests_of(site, stage)
    ]  # type: ignore[arg-type]
    cpu, gpu = probes_of(requests)
    assert (cpu.stages, gpu.stages) == (("generate", "report"), ("train", "evaluate"))
    assert (cpu.request.nodes, gpu.request.nodes, gpu.request.gpus) == (1, 2, 1)
    assert {probe.request.cpus for probe in (cpu, gpu)} == {1}
    assert all(probe.request.time_s <= 120 for probe in (cpu, gpu))


def test_the_probes_script_holds_names_of_any_kind(tmp_path: Path) -> None:
    folder = tmp_path / "it's; $(touch hacked) `x`"
    script = tmp_path / "probe.sbatch"
    script.write_text(probe_script(Site(environment=("cd " + str(tmp_path),)), folder, "py'thon", "$HOME/a b"))
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert subprocess.run(["bash", str(script)], cwd=tmp_path, check=False).returncode == PATH_UNSEEN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probe.sbatch"]


def test_a_report_carries_the_token_back_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    answer = tmp_path / "answer"
    assert read_report(answer) is None
    assert main([str(answer), str(tmp_path / "token"), str(tmp_path)]) == 0
    told = read_report(answer)
    assert told is not None
    assert (told.token, told.scratch, told.scratch_fault) == ("abc", str(tmp_path), "")
    assert told.versions == own_versions()
    assert "127.0.0.1" in [address for addresses in told.interfaces.values() for address in addresses]


def test_scratch_is_tried_with_the_nodes_variables() -> None:
    assert "$NOWHERE is not set" in report("t", "$NOWHERE/x", {}).scratch_fault
    assert report("t", "/proc/x", {}).scratch_fault
    assert report("t", "", {"CUDA_VISIBLE_DEVICES": "0,1"}).gpus == ["0", "1"]


HERE = {"python": "3.11.7", "xpshpc": "1", "numpy": "2"}
TOLD = NodeReport("abc", "node1", HERE, {"lo": ["127.0.0.1"], "ib0": ["10.0.0.1"]}, ["0"], 4, 10**9)
DONE = JobState("7", "probe", "COMPLETED", exit_code=0)


def judged(outcome: Outcome, place: Profile | None = None) -> list[Finding]:
    (probe,) = probes_of(requests_of(profile(), "train"))
    return list(verdicts(probe, outcome, "abc", HERE, place or profile(), Path("/shared/run")))


def test_nodes_that_are_as_they_should_be() -> None:
    findings = judged(
        Outcome(DONE, (TOLD, replace(TOLD, host="node2")), ""),
        profile({**SITE, "interface": "ib0"}, scratch="/scratch"),
    )
    assert [finding.check.state for finding in findings] == [State.OK] * 5
    assert len({finding.check.name for finding in findings}) == 5
    assert "node1, node2" in findings[0].check.found


@pytest.mark.parametrize(
    ("state", "code", "words", "said"),
    [
        ("FAILED", PATH_UNSEEN, "", "do not see this path"),
        ("FAILED", NOT_WRITABLE, "", "cannot write here"),
        ("FAILED", PYTHON_MISSING, "", "there is no Python"),
        ("FAILED", 1, "No module named xpshpc", "No module named xpshpc"),
        ("NODE_FAIL", 0, "", "NODE_FAIL"),
        ("TIMEOUT", None, "", "TIMEOUT"),
    ],
)
def test_a_probe_that_failed_tells_why(state: str, code: int | None, words: str, said: str) -> None:
    (finding,) = judged(Outcome(replace(DONE, state=state, exit_code=code), (), words))
    assert isinstance(finding.fault, EnvironmentFault)
    assert said in finding.check.found and finding.check.cure


def test_an_answer_that_does_not_come_through_or_from_elsewhere_is_an_unshared_path() -> None:
    (finding,) = judged(Outcome(DONE, (TOLD,), ""))
    assert "not seen on this host" in finding.check.found
    (finding,) = judged(Outcome(DONE, (TOLD, replace(TOLD, token="xyz")), ""))
    assert "another folder" in finding.check.found


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        ({"versions": {**HERE, "numpy": "1"}}, {}, "node2: numpy 1 (here: 2)"),
        ({"versions": {"python": "3.11.7", "xpshpc": "1"}}, {}, "node2: numpy missing (here: 2)"),
        ({"interfaces": {"eth0": ["10.0.0.2"]}}, {}, "no network interface ib0 with an address; there are eth0"),
        ({"scratch": "/s", "scratch_fault": "Permission denied"}, {"scratch": "/s"}, "/s: Permission denied"),
        ({"gpus": []}, {}, "CUDA_VISIBLE_DEVICES names none"),
    ],
)
def test_one_node_that_differs_is_named(change: dict[str, Any], place: dict[str, Any], said: str) -> None:
    outcome = Outcome(DONE, (TOLD, replace(TOLD, host="node2", **change)), "")
    bad = [each for each in judged(outcome, profile({**SITE, "interface": "ib0"}, **place)) if each.fault is not None]
    assert len(bad) == 1 and said in bad[0].check.found and bad[0].check.cure


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (replace(DONE, state="PENDING", reason="Priority"), State.WARNING),
        (replace(DONE, state="PENDING", reason="PartitionTimeLimit"), State.FAILED),
        (replace(DONE, state="RUNNING"), State.WARNING),
    ],
)
def test_a_long_queue_is_no_failure_but_one_without_end_is(job: JobState, state: State) -> None:
    (finding,) = judged(Outcome(job, (), ""))
    assert finding.check.state is state
    assert (finding.fault is not None) == (state is State.FAILED)


@pytest.mark.parametrize("stage", ["generate", "train", "evaluate", "search", "report"])
def test_the_annotated_site_asks_for_what_its_own_nodes_have(stage: Any) -> None:
    cpu = replace(CPU, max_time_s=7 * 86400)
    for request in requests_of(read_profile("gpu-site"), stage):
        assert misfit(request, [cpu, GPU]) is None
