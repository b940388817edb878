from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.machine import usable_cores, usable_memory
from xpshpc.cluster.profile import (
    Profile,
    read_profile,
    recognise_profile,
    resolve_ranks,
    resolve_threads,
    resolve_workers,
)
from xpshpc.cluster.profile_file import built_in_profiles, find_profile, known_profiles
from xpshpc.cluster.site import GenerateSite, Limits, RanksSite, Recognise, Site
from xpshpc.errors import UsageError

counts = st.integers(1, 10_000)


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_every_built_in_profile_can_be_read_and_bears_the_name_of_its_file() -> None:
    assert "local" in built_in_profiles()
    for name in built_in_profiles():
        assert read_profile(name).name == name


def test_a_copy_of_a_built_in_profile_is_the_same_profile(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "cluster" / "profiles" / "local.toml"
    assert read_profile(written(tmp_path, source.read_text())) == read_profile("local")


def test_the_annotated_profile_speaks_of_every_key() -> None:
    text = (Path(__file__).parents[2] / "cluster" / "profiles" / "local.toml").read_text()
    assert [key for key in Profile.model_fields if f"{key} = " not in text and key != "slurm"] == []


def test_the_annotated_site_speaks_of_every_key_of_every_table() -> None:
    text = (Path(__file__).parents[2] / "cluster" / "profiles" / "gpu-site.toml").read_text()
    tables = (Profile, Site, GenerateSite, RanksSite, Limits, Recognise)
    keys = [key for table in tables for key in table.model_fields]
    assert [key for key in keys if f"{key} = " not in text and f"[{key}]" not in text and f".{key}]" not in text] == []


def test_all_faults_of_a_profile_are_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "a"\nlauncer = "gloo"\nworkers = 0\nranks = "many"\n')
    with pytest.raises(UsageError) as caught:
        read_profile(path)
    assert "launcer: unknown key (did you mean 'launcher'?)" in caught.value.what
    assert "workers:" in caught.value.what
    assert "ranks:" in caught.value.what
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("name = ", "not valid TOML"), ("", "name: Field required"), ('name = "../x"', "name:"), ("name = 3", "name:")],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_profile(written(tmp_path, text))


def test_a_missing_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_profile(tmp_path / "none.toml")
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_profile(path)


def test_an_unknown_name_leads_to_the_nearest_profile() -> None:
    with pytest.raises(UsageError, match="did you mean 'local'"):
        read_profile("locl")


def site_profile(folder: Path, name: str, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(f'name = "{name}"\nkind = "slurm"\nworkers = 4\n[slurm]\n{more}\n')
    return path


def test_a_slurm_profile_and_a_slurm_table_belong_together(tmp_path: Path) -> None:
    for text in ('name = "a"\nkind = "slurm"\nworkers = 2\n', 'name = "a"\n[slurm]\n'):
        with pytest.raises(UsageError, match="belong together"):
            read_profile(written(tmp_path, text))
    with pytest.raises(UsageError, match="not 'cores'"):
        read_profile(written(tmp_path, 'name = "a"\nkind = "slurm"\n[slurm]\n'))
    with pytest.raises(UsageError, match="needs kind = 'slurm'"):
        read_profile(written(tmp_path, 'name = "a"\nlauncher = "srun-gloo"\n'))


def test_an_unknown_key_inside_a_table_leads_to_the_nearest_one_there(tmp_path: Path) -> None:
    path = site_profile(tmp_path, "a", 'partiton = "x"\n[slurm.train]\ngpus = 4\nnods = 2\n[slurm.limits]\nrestart = 1')
    with pytest.raises(UsageError) as caught:
        read_profile(path)
    assert "slurm.partiton: unknown key (did you mean 'partition'?)" in caught.value.what
    assert "slurm.train.nods: unknown key (did you mean 'nodes'?)" in caught.value.what
    assert "slurm.train.gpus: unknown key" in caught.value.what
    assert "slurm.limits.restart: unknown key (did you mean 'restarts'?)" in caught.value.what


def test_a_users_profile_is_found_by_its_name_and_goes_before_a_built_in_one(tmp_path: Path) -> None:
    environment = {"XPSHPC_PROFILES": str(tmp_path / "team"), "HOME": str(tmp_path)}
    site_profile(tmp_path / ".config" / "xpshpc" / "profiles", "mine")
    assert read_profile("mine", environment).workers == 4
    assert set(known_profiles(environment)) == {"mine", *built_in_profiles()}
    site_profile(tmp_path / "team", "mine", 'partition = "teams"')
    assert read_profile("mine", environment).site.partition == "teams"
    assert find_profile("local", environment).where == "profile local"
    with pytest.raises(UsageError, match="did you mean 'mine'"):
        read_profile("mien", environment)


def test_a_profile_called_by_name_bears_that_name(tmp_path: Path) -> None:
    site_profile(tmp_path, "a").rename(tmp_path / "b.toml")
    with pytest.raises(UsageError, match=r"name = 'a', but the file is called b\.toml"):
        read_profile("b", {"XPSHPC_PROFILES": str(tmp_path)})
    assert read_profile(tmp_path / "b.toml").name == "a"


def test_auto_is_the_profile_that_recognises_the_place_and_local_where_none_does(tmp_path: Path) -> None:
    environment = {"XPSHPC_PROFILES": str(tmp_path)}
    site_profile(tmp_path, "by-host", '[slurm.recognise]\nhost = "login*.north"')
    site_profile(tmp_path, "by-variable", '[slurm.recognise]\nvariable = "CLUSTER=south"')
    assert recognise_profile(environment, "laptop") is None
    assert read_profile("auto", environment, "laptop").name == "local"
    assert read_profile("auto", environment, "Login3.north").name == "by-host"
    assert recognise_profile({**environment, "CLUSTER": "south"}, "laptop") == "by-variable"
    assert recognise_profile({**environment, "CLUSTER": "southern"}, "laptop") is None
    assert recognise_profile({**environment, "XPSHPC_MINISLURM": "/somewhere"}, "laptop") == "minislurm"


def test_two_profiles_that_recognise_one_place_are_both_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        site_profile(tmp_path, name, '[slurm.recognise]\nvariable = "CLUSTER"')
    with pytest.raises(UsageError, match="one and two both recognise"):
        read_profile("auto", {"XPSHPC_PROFILES": str(tmp_path), "CLUSTER": "x"}, "laptop")


def test_no_built_in_profile_takes_a_place_for_its_own_without_a_sign() -> None:
    assert recognise_profile({}, "login1.example.org") is None


@given(st.none() | counts, st.none() | counts, st.none() | counts, counts)
def test_flag_beats_variable_beats_job_beats_profile(
    flag: int | None, variable: int | None, job: int | None, profile: int
) -> None:
    first = next(value for value in (flag, variable, job, profile) if value is not None)
    environment = {} if variable is None else {"XPSHPC_WORKERS": str(variable), "XPSHPC_RANKS": str(variable)}
    assert resolve_workers(flag, job, Profile(name="p", workers=profile), environment) == first
    assert resolve_ranks(flag, job, Profile(name="p", ranks=profile), environment) == first


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_variable_is_a_count_or_an_error_that_names_it(text: str) -> None:
    try:
        count = resolve_workers(None, 7, Profile(name="p"), {"XPSHPC_WORKERS": text})
    except UsageError as error:
        assert error.where == "XPSHPC_WORKERS"
    else:
        assert text == "cores" or count == int(text) > 0


@pytest.mark.parametrize("flag", [0, -3])
def test_a_flag_below_one_is_refused(flag: int) -> None:
    with pytest.raises(UsageError, match="count from 1"):
        resolve_ranks(flag, None, Profile(name="p"), {})


@given(counts)
def test_ranks_that_share_the_cores_have_a_thread_each_and_never_more_threads_than_cores(ranks: int) -> None:
    threads = resolve_threads(ranks, Profile(name="p"), {})
    assert threads >= 1
    assert threads == 1 or threads * ranks <= usable_cores()


def test_cores_are_those_of_the_affinity_mask() -> None:
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}})\n" + (
        "from xpshpc.cluster.profile import Profile, resolve_workers\n"
        "import sys; sys.stdout.write(str(resolve_workers(None, None, Profile(name='p'), {})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1"


def control_groups(root: Path, files: dict[str, str], membership: str) -> tuple[Path, Path]:
    for name, text in files.items():
        path = root / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "cgroup").mkdir(exist_ok=True)
    (root / "membership").write_text(membership)
    return root / "cgroup", root / "membership"


@pytest.mark.parametrize(
    ("files", "membership", "cores"),
    [
        ({"cpu.max": "100000 100000"}, "0::/\n", 1),
        ({"site/job/cpu.max": "max 100000", "site/cpu.max": "50000 100000"}, "0::/site/job\n", 1),
        ({"cpu/job/cpu.cfs_quota_us": "80000", "cpu/job/cpu.cfs_period_us": "100000"}, "3:cpu:/job\n0::/\n", 1),
        ({"cpu,cpuacct/cpu.cfs_quota_us": "5000", "cpu,cpuacct/cpu.cfs_period_us": "50000"}, "3:cpu,cpuacct:/\n", 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu:/\n", None),
        ({"cpu.max": "max 100000"}, "0::/\n", None),
        ({}, "", None),
    ],
)
def test_cores_are_cut_by_the_quota_of_the_group_or_of_any_group_around_it(
    tmp_path: Path, files: dict[str, str], membership: str, cores: int | None
) -> None:
    expected = len(os.sched_getaffinity(0)) if cores is None else cores
    assert usable_cores(*control_groups(tmp_path, files, membership)) == expected


def test_memory_is_cut_by_the_limit_of_the_group(tmp_path: Path) -> None:
    groups = control_groups(tmp_path, {"memory.max": "max", "a/memory.max": "1000000"}, "0::/a/b\n")
    assert usable_memory(*groups) == 1_000_000
    older = control_groups(tmp_path / "v1", {"memory/a/memory.limit_in_bytes": "2000000"}, "4:memory:/a\n")
    assert usable_memory(*older) == 2_000_000


def test_scratch_may_hold_variables_and_an_unset_one_is_an_error() -> None:
    profile = Profile(name="p", scratch="/scratch/$USER/${JOB}x")
    assert profile.scratch_folder({"USER": "ada", "JOB": "7"}) == Path("/scratch/ada/7x")
    with pytest.raises(UsageError, match=r"\$JOB is not set"):
        profile.scratch_folder({"USER": "ada"})
