from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from xpshpc.cluster.readiness.pins import (
    canonical,
    guarded_packages,
    installed_version,
    mismatches,
    parse_pins,
    project_pins,
)

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "cluster" / "setup.sh"
WHEEL = ROOT / "cluster" / "horovod_wheel.sh"
CACHE = Path(os.environ.get("XPSHPC_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "xpshpc")

gpu_environment = installed_version("tensorflow") is not None
needs_cpu_environment = pytest.mark.skipif(gpu_environment, reason="the constraints are those of the CPU environment")


def call(*command: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a script with this environment's variables, less those that choose another Python, and `environment`."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS")}
    return subprocess.run(
        [str(part) for part in command], env={**inherited, **environment}, capture_output=True, text=True, timeout=600
    )


def path_with(folder: Path, *tools: str) -> str:
    """A PATH on which there are only these tools, and what the script itself is made of."""
    script = ("bash", "cat", "cut", "dirname", "flock", "grep", "id", "ls", "mkdir", "paste", "realpath", "rm", "sed")
    folder.mkdir()
    for tool in [*script, "mktemp", "sha256sum", *tools]:
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    return str(folder)


def path_without(folder: Path, *tools: str) -> str:
    """A PATH on which there is all that is on this one, but these tools."""
    folder.mkdir()
    for found in (found for place in os.get_exec_path() if Path(place).is_dir() for found in Path(place).iterdir()):
        if found.name not in tools and not (folder / found.name).is_symlink():
            (folder / found.name).symlink_to(found)
    return str(folder)


# ---- What would be done ---------------------------------------------------------------------------------------------


def test_a_dry_run_tells_every_step_and_changes_nothing(tmp_path: Path) -> None:
    done = call(SETUP, "--dry-run", "--venv", tmp_path / "venv", environment={"XPSHPC_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    assert f"Would make the environment {tmp_path / 'venv'}" in done.stdout
    assert f"Would install {len(project_pins())} packages pinned" in done.stdout
    assert "Would install the patched Horovod with Gloo" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_bare_machine_without_root_gets_the_list_for_its_administrator_and_goes_on(tmp_path: Path) -> None:
    bare = {"PATH": path_with(tmp_path / "bin"), "HOME": str(tmp_path), "XPSHPC_CACHE": str(tmp_path / "cache")}
    options = ("--no-apt", "--without-slurm", "--venv", tmp_path / "venv")
    done = call(SETUP, "--dry-run", *options, environment=bare)
    assert done.returncode == 0, done.stderr
    packages = "build-essential cmake patch libopenmpi-dev openmpi-bin python3.11 python3.11-venv"
    assert f"Ask the administrator for: apt-get install {packages}\n" in done.stdout
    assert "Gloo only" in done.stdout
    done = call(SETUP, *options, environment=bare)
    assert done.returncode == 5
    assert "no Python 3.11 here" in done.stderr and "uv python install 3.11" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    some = path_with(tmp_path / "bin", "g++", "make", "patch")
    (tmp_path / "bin" / "python3.11").symlink_to(sys.executable)
    options = ("--dry-run", "--no-apt", "--without-mpi", "--without-slurm", "--venv", tmp_path / "venv")
    done = call(SETUP, *options, environment={"PATH": some, "HOME": str(tmp_path)})
    assert "apt-get install cmake\n" in done.stdout
    assert "No MPI here" not in done.stdout


def test_slurm_is_asked_for_where_it_is_missing_and_wanted(tmp_path: Path) -> None:
    bare = {"PATH": path_with(tmp_path / "bin"), "HOME": str(tmp_path), "XPSHPC_CACHE": str(tmp_path / "cache")}
    options = ("--dry-run", "--no-apt", "--venv", tmp_path / "venv")
    wanted, unwanted = (
        call(SETUP, *options, environment=bare),
        call(SETUP, *options, "--without-slurm", environment=bare),
    )
    assert wanted.returncode == unwanted.returncode == 0
    assert "No SLURM to start here" in wanted.stdout
    assert re.search(r"apt-get install --no-install-recommends .*slurm-client", wanted.stdout)
    assert "slurm-client" not in unwanted.stdout and "No SLURM" not in unwanted.stdout
    (for_all,) = re.findall("Ask the administrator for: (.*)", wanted.stdout)
    assert "slurm" not in for_all and for_all in unwanted.stdout


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--witout-mpi"], 2, "unknown option --witout-mpi"),
        (["--python"], 2, "--python needs a value"),
        (["--python", "/bin/sh"], 5, "/bin/sh is no Python 3.11"),
        (["--venv", str(ROOT / "cluster")], 5, "is no Python environment"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_done(options: list[str], code: int, words: str) -> None:
    done = call(SETUP, *options, environment={})
    assert done.returncode == code
    assert words in done.stderr and "Would" not in done.stdout


def test_the_help_names_every_option() -> None:
    text = SETUP.read_text()
    options = re.findall(r"^    (?:--\w+ \| )?(--[\w-]+)\)", text, re.MULTILINE)
    shown = call(SETUP, "--help", environment={}).stdout
    assert len(options) >= 6
    assert [option for option in options if f"  {option}" not in shown] == []


# ---- A real set-up: offline, in an environment that sees the packages of this one ------------------------------------


@dataclass(frozen=True)
class Environment:
    venv: Path
    variables: dict[str, str]
    first: subprocess.CompletedProcess[str]

    def set_up(self, *options: str) -> subprocess.CompletedProcess[str]:
        chosen = ("--venv", self.venv, "--python", sys.executable, "--no-apt", *options)
        return call(SETUP, *chosen, environment=self.variables)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("setup")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = venv / "lib" / "python3.11" / "site-packages"
    (packages / "installed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "cache").mkdir()
    wheels = CACHE.expanduser() / "wheels"
    if not wheels.is_dir():
        pytest.skip("no Horovod wheel was built by this user; make setup builds it")
    (folder / "cache" / "wheels").symlink_to(wheels)
    variables = {"XPSHPC_CACHE": str(folder / "cache"), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    unfinished = Environment(venv, variables, subprocess.CompletedProcess([], 0))
    yield Environment(venv, variables, unfinished.set_up())
    shutil.rmtree(folder)


@needs_cpu_environment
def test_a_set_up_comes_to_its_end(environment: Environment) -> None:
    assert environment.first.returncode == 0, environment.first.stdout + environment.first.stderr
    assert (environment.venv / "bin" / "xpshpc").exists()
    assert list((environment.venv / "lib" / "python3.11" / "site-packages").glob("horovod-0.28.1.dist-info"))


@needs_cpu_environment
def test_a_second_set_up_does_nothing(environment: Environment) -> None:
    before = {path: path.stat().st_mtime_ns for path in environment.venv.rglob("*") if "__pycache__" not in path.parts}
    done = environment.set_up()
    assert done.returncode == 0
    assert done.stdout == f"The environment is up to date: {environment.venv}\n"
    after = {path: path.stat().st_mtime_ns for path in environment.venv.rglob("*") if "__pycache__" not in path.parts}
    assert before == after


@needs_cpu_environment
def test_other_options_make_a_new_set_up_needed(environment: Environment) -> None:
    assert "Would install" in environment.set_up("--without-mpi", "--dry-run").stdout
    assert "up to date" in environment.set_up("--dry-run").stdout


@needs_cpu_environment
def test_with_slurm_or_without_the_environment_is_the_same(environment: Environment) -> None:
    assert "up to date" in environment.set_up("--without-slurm", "--dry-run").stdout


@needs_cpu_environment
def test_slurm_that_could_not_be_had_is_asked_for_once(environment: Environment, tmp_path: Path) -> None:
    path = {"PATH": path_without(tmp_path / "bin", "srun", "apt-get", "sudo")}
    command = (SETUP, "--venv", environment.venv, "--python", sys.executable)
    first, second = (call(*command, environment={**environment.variables, **path}) for _ in range(2))
    assert first.returncode == 0, first.stdout + first.stderr
    assert "No SLURM to start here" in first.stdout and "slurm-client" in first.stdout
    assert second.stdout == f"The environment is up to date: {environment.venv}\n"
    assert "up to date" in environment.set_up("--dry-run").stdout


@needs_cpu_environment
def test_a_package_that_was_changed_by_hand_is_noticed(environment: Environment) -> None:
    intruder = environment.venv / "lib" / "python3.11" / "site-packages" / "numpy-9.9.9.dist-info"
    intruder.mkdir()
    (intruder / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9.9\n")
    try:
        said = environment.set_up("--dry-run").stdout
    finally:
        shutil.rmtree(intruder)
    assert f"numpy 9.9.9 (pinned: {project_pins()['numpy']})" in said and "Would install" in said


@needs_cpu_environment
def test_a_set_up_that_was_broken_off_is_not_taken_for_done(environment: Environment) -> None:
    program = environment.venv / "bin" / "xpshpc"
    text = program.read_bytes()
    program.unlink()
    try:
        assert "Would install" in environment.set_up("--dry-run").stdout
    finally:
        program.write_bytes(text)
        program.chmod(0o755)


# ---- Horovod's source ------------------------------------------------------------------------------------------------


def test_a_source_with_another_hash_is_refused_unopened_and_nothing_is_kept(tmp_path: Path) -> None:
    source, mark = tmp_path / "horovod-0.28.1", tmp_path / "was-run"
    source.mkdir()
    (source / "setup.py").write_text(
        f"open({str(mark)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='horovod', version='0.28.1')\n"
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: horovod\nVersion: 0.28.1\n")
    with tarfile.open(tmp_path / "horovod-0.28.1.tar.gz", "w:gz") as archive:
        archive.add(source, "horovod-0.28.1")
    (tmp_path / "work").mkdir()
    variables = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
        "XPSHPC_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "work"),
    }
    done = call(WHEEL, sys.executable, "--without-mpi", environment=variables)
    assert done.returncode == 5
    assert "DO NOT MATCH THE HASHES" in done.stderr and "not the one that was tested" in done.stderr
    assert done.stdout == ""
    assert not mark.exists()
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["lock"]
    assert list((tmp_path / "work").iterdir()) == []


# ---- Versions --------------------------------------------------------------------------------------------------------


def required_packages(name: str, extras: tuple[str, ...]) -> set[str]:
    """Canonical names of all that a package needs here, directly or not, itself included."""
    found: set[str] = set()
    waiting: list[tuple[str, tuple[str, ...]]] = [(name, extras)]
    while waiting:
        package, wanted = waiting.pop()
        if package in found and not wanted:
            continue
        found.add(package)
        for line in distribution(package).requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((canonical(needed.name), tuple(needed.extras - {""})))
    return found


def test_every_requirement_of_the_project_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {canonical(Requirement(line).name) for line in lines}
    assert names - project_pins().keys() == {"horovod"}


@needs_cpu_environment
def test_whatever_the_project_needs_is_pinned_and_installed_as_pinned() -> None:
    needed = required_packages("xpshpc", ("dev",)) - {"xpshpc", "horovod"}
    pins = project_pins()
    assert needed - pins.keys() == set()
    assert [str(each) for each in mismatches(sorted(needed), pins)] == []


@needs_cpu_environment
def test_nothing_is_pinned_that_nobody_needs() -> None:
    needed = required_packages("xpshpc", ("dev",)) | {"setuptools", "wheel"}
    assert project_pins().keys() - needed == set()


@needs_cpu_environment
def test_the_installed_packages_agree_with_each_other() -> None:
    done = call(sys.executable, "-m", "pip", "--disable-pip-version-check", "check", environment={})
    assert done.returncode == 0, done.stdout


def test_pins_are_read_in_any_spelling() -> None:
    pins = parse_pins("# a==1\nml_dtypes==0.6.0\nJinja2==3.1.6\n  indented==1\nzope.x==2\n")
    assert pins == {"ml-dtypes": "0.6.0", "jinja2": "3.1.6", "zope-x": "2"}


def test_a_missing_package_is_a_mismatch() -> None:
    (missing,) = mismatches(["no-such-package"], {"no-such-package": "1.0"})
    assert missing.installed is None and "missing" in str(missing)
    assert {"numpy", "tensorflow-cpu", "zarr", "h5py"} <= set(guarded_packages())
